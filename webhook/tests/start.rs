//! The real binary before it serves: what it refuses to start with, and what it says.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};

use tempfile::TempDir;

/// As the chart renders it.
const CHART: &str = include_str!("fixtures/webhook.yaml");
/// Of an API server that nobody is asked for.
const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, current-context: c,
  clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}],
  contexts: [{name: c, context: {cluster: c, user: u}}]}";

/// The exit code and the log of a process whose port is taken, and whose configuration is the chart's with another value
/// of this setting.
fn started(setting: &str, value: &str) -> (Option<i32>, String) {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = format!("listen: {}", taken.local_addr().unwrap());
    let set = format!("{setting}: {value}");
    let config: String = CHART
        .lines()
        .map(|line| match line.split_once(':') {
            Some(("listen", _)) => format!("{listen}\n"),
            Some((name, _)) if name == setting => format!("{set}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(config.contains(&set) && config.contains(&listen));
    let directory = TempDir::new().unwrap();
    let path = |name| directory.path().join(name);
    std::fs::write(path("webhook.yaml"), config).unwrap();
    std::fs::write(path("kubeconfig"), KUBECONFIG).unwrap();
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_kube2hadoop-webhook"))
        .arg("--config")
        .arg(path("webhook.yaml"))
        .env("KUBECONFIG", path("kubeconfig"))
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_wrong_configuration_is_told_before_any_port_is_bound() {
    let setting = |line: &&str| line.starts_with("timeoutSeconds:");
    let before = CHART.lines().take_while(|line| !setting(line)).count();
    let (code, log) = started("timeoutSeconds", "soon");
    assert_eq!(code, Some(64), "{log}");
    assert!(log.contains("webhook.yaml: timeoutSeconds"), "{log}");
    assert!(log.contains(&format!("line {}", before + 1)), "{log}");
    assert!(!log.contains("failed to listen"), "{log}");
}

#[test]
fn a_taken_port_is_no_fault_of_the_configuration() {
    let (code, log) = started("timeoutSeconds", "5");
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("failed to listen on 127.0.0.1:"), "{log}");
}
