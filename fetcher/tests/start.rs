//! The real binary before it serves: what it refuses to start with, and what it says.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};

use tempfile::TempDir;

const CORE_SITE: &str = "<configuration>
  <property><name>fs.defaultFS</name><value>hdfs://localhost:8020</value></property>
  <property><name>hadoop.security.authentication</name><value>kerberos</value></property>
</configuration>
";
const HDFS_SITE: &str = "<configuration>
  <property><name>dfs.namenode.http-address</name><value>localhost:9870</value></property>
</configuration>
";
/// Of an API server that nobody is asked for.
const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, current-context: c,
  clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}],
  contexts: [{name: c, context: {cluster: c, user: u}}]}";

/// The exit code and the log of a process whose port is taken: with a line more in fetcher.yaml, and this core-site.xml.
fn started(line: &str, core_site: &str) -> (Option<i32>, String) {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let directory = TempDir::new().unwrap();
    let path = |name| directory.path().join(name);
    let config = format!(
        "listen: {}\nhadoop: {{confDir: {}, principal: kube2hadoop@EXAMPLE.COM}}\n{line}\n",
        taken.local_addr().unwrap(),
        directory.path().display()
    );
    fs::write(path("fetcher.yaml"), config).unwrap();
    fs::write(path("core-site.xml"), core_site).unwrap();
    fs::write(path("hdfs-site.xml"), HDFS_SITE).unwrap();
    fs::write(path("kubeconfig"), KUBECONFIG).unwrap();
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_kube2hadoop-fetcher"))
        .arg("--config")
        .arg(path("fetcher.yaml"))
        .env("KUBECONFIG", path("kubeconfig"))
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// Refused with all of `parts`, and not for its port.
fn assert_refused((code, log): (Option<i32>, String), parts: &[&str]) {
    assert_eq!(code, Some(64), "{log}");
    for part in parts {
        assert!(log.contains(part), "{part:?} not in {log}");
    }
    assert!(!log.contains("failed to listen"), "{log}");
}

#[test]
fn a_wrong_configuration_is_told_before_any_port_is_bound() {
    let told = started("events: perhaps", CORE_SITE);
    assert_refused(told, &["fetcher.yaml: events", "line 3"]);
}

#[test]
fn a_broken_file_of_hadoop_is_told_before_any_port_is_bound() {
    let broken = CORE_SITE.replace("8020</value>", "8020");
    let told = started("", &broken);
    assert_refused(told, &["core-site.xml, line 2: the XML is broken"]);
}

#[test]
fn a_taken_port_is_no_fault_of_the_configuration() {
    let (code, log) = started("", CORE_SITE);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("failed to listen on 127.0.0.1:"), "{log}");
    assert!(log.contains("choose a free address in `listen`"), "{log}");
}
