//! The bridge between pods and this machine, and the kernel settings it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::places::{ADDRESS, BRIDGE, SERVICE_CIDR};
use crate::process::run;
use crate::{places, progress};

/// Kernel settings without which packets stop at the bridge; `down` puts the old values back.
const SETTINGS: [&str; 2] = ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"];

/// [`places::API_PORT`] as a word.
const API: &str = "6443";
const PARTED: &str = "kube2hadoop-e2e-parted";

/// Makes the bridge, or repairs it.
pub(super) fn up() -> Result<()> {
    let step = progress::step(format!("network {BRIDGE} {ADDRESS}"));
    if !Path::new("/sys/class/net").join(BRIDGE).exists() {
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    }
    ip(&[
        "address",
        "replace",
        &format!("{ADDRESS}/24"),
        "dev",
        BRIDGE,
    ])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    // Without a default route the host could not even begin to send to a cluster IP.
    ip(&[
        "route",
        "replace",
        SERVICE_CIDR,
        "dev",
        BRIDGE,
        "src",
        ADDRESS,
    ])?;
    // Built into some kernels, a module in others; `filters_bridged_packets` sees the result.
    let _ = run(Command::new("modprobe").args(["-a", "br_netfilter", "overlay"]));
    for setting in SETTINGS {
        switch_on(setting)?;
    }
    accept_forwarding()?;
    // What a killed test left.
    join_all()?;
    step.done("");
    Ok(())
}

/// Parts the pod of this address from the API server, without a word to either, or joins them again.
pub(super) fn part(pod: &str, parted: bool) -> Result<()> {
    if parted {
        return iptables("-I", &parting(pod)).map(drop);
    }
    while iptables("-D", &parting(pod)).is_ok() {}
    Ok(())
}

fn join_all() -> Result<()> {
    let rules = run(Command::new("iptables").args(["-w", "-S", "INPUT"]))?;
    let ours = rules.lines().filter(|rule| rule.contains(PARTED));
    let pods = ours.filter_map(|rule| rule.split(['/', ' ']).skip_while(|it| *it != "-s").nth(1));
    for pod in pods {
        part(pod, false)?;
    }
    Ok(())
}

fn parting(pod: &str) -> [&str; 13] {
    [
        "INPUT",
        "-s",
        pod,
        "-p",
        "tcp",
        "--dport",
        API,
        "-m",
        "comment",
        "--comment",
        PARTED,
        "-j",
        "DROP",
    ]
}

/// Removes the bridge, with it the route, and puts the kernel settings back.
pub(super) fn down() -> Result<()> {
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        ip(&["link", "delete", BRIDGE])?;
    }
    join_all()?;
    for rule in forward_rules() {
        while iptables("-D", &rule).is_ok() {}
    }
    for setting in SETTINGS {
        if let Ok(old) = fs::read_to_string(saved(setting)) {
            fs::write(proc_file(setting), old)?;
            fs::remove_file(saved(setting))?;
        }
    }
    Ok(())
}

/// Does iptables see packets from pod to pod? If not, kube-proxy must masquerade all of them.
pub(super) fn filters_bridged_packets() -> bool {
    let value = fs::read_to_string(proc_file("net/bridge/bridge-nf-call-iptables"));
    value.is_ok_and(|value| value.trim() == "1")
}

/// Docker and firewalls set the FORWARD policy to DROP.
fn accept_forwarding() -> Result<()> {
    for rule in forward_rules() {
        if iptables("-C", &rule).is_err() {
            iptables("-I", &rule)?;
        }
    }
    Ok(())
}

fn forward_rules() -> [Vec<&'static str>; 2] {
    ["-i", "-o"].map(|direction| {
        vec![
            "FORWARD",
            direction,
            BRIDGE,
            "-m",
            "comment",
            "--comment",
            "kube2hadoop-e2e",
            "-j",
            "ACCEPT",
        ]
    })
}

fn iptables(action: &str, rule: &[&str]) -> Result<String> {
    run(Command::new("iptables").args(["-w", action]).args(rule))
}

fn switch_on(setting: &str) -> Result<()> {
    let file = proc_file(setting);
    if !file.exists() {
        return Ok(());
    }
    let old = fs::read_to_string(&file)?;
    if old.trim() != "1" {
        // Only the first value seen is the machine's own.
        if !saved(setting).exists() {
            fs::write(saved(setting), &old)?;
        }
        fs::write(&file, "1").with_context(|| format!("failed to set {} to 1", file.display()))?;
    }
    Ok(())
}

fn proc_file(setting: &str) -> PathBuf {
    Path::new("/proc/sys").join(setting)
}

fn saved(setting: &str) -> PathBuf {
    places::state().join(format!("was-{}", setting.replace('/', ".")))
}

fn ip(args: &[&str]) -> Result<String> {
    run(Command::new("ip").args(args))
}
