//! The real binary before it serves: what it refuses to start with, and what it says.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "../runtime/tests/start/mod.rs"]
mod start;

use start::Ended;

/// As the chart renders it.
const CHART: &str = include_str!("fixtures/webhook.yaml");
/// With the chart's configuration, but for another value of this setting.
fn started(setting: &str, value: &str) -> Ended {
    let binary = env!("CARGO_BIN_EXE_kube2hadoop-webhook");
    start::with_its_port_taken(binary, |directory, taken| {
        let listen = format!("listen: {taken}");
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
        std::fs::write(directory.path().join("webhook.yaml"), config).unwrap();
        "webhook.yaml"
    })
}

#[test]
fn a_wrong_configuration_is_told_before_any_port_is_bound() {
    let setting = |line: &&str| line.starts_with("timeoutSeconds:");
    let before = CHART.lines().take_while(|line| !setting(line)).count();
    let line = format!("line {}", before + 1);
    let told = started("timeoutSeconds", "soon");
    told.refused(&["webhook.yaml: timeoutSeconds", &line]);
}

#[test]
fn a_taken_port_is_no_fault_of_the_configuration() {
    started("timeoutSeconds", "5").failed_to_listen();
}
