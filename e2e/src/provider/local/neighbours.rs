//! Another Kubernetes node on this machine: its kube-proxy and ours would write each other's iptables chains.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::places;

/// What programs that keep `KUBE-` chains call themselves (proc_pid_comm(5)).
const NODES: [&str; 7] = [
    "kubelet",
    "kube-proxy",
    "k3s-server",
    "k3s-agent",
    "rke2",
    "kubelite",
    "k0s",
];

/// An error that names the other node; the cluster of ours is none.
pub(super) fn ensure_none() -> Result<()> {
    if let Some((pid, name)) = another() {
        bail!(
            "{name} (process {pid}) runs a Kubernetes node on this machine, whose iptables chains ours would overwrite; \
             stop it, or use a cluster that is there: --provider existing"
        );
    }
    Ok(())
}

/// A node's program that is in our network namespace and not one of ours.
pub(super) fn another() -> Option<(u32, String)> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find_map(|pid| {
        let process = Path::new("/proc").join(pid.to_string());
        let name = fs::read_to_string(process.join("comm")).ok()?;
        let line = fs::read(process.join("cmdline")).ok()?;
        let foreign = is_foreign_node(name.trim(), &line) && network(&process) == network(SELF);
        foreign.then(|| (pid, name.trim().to_owned()))
    })
}

const SELF: &str = "/proc/self";

/// The nodes of kind are in containers, with chains of their own.
fn network(process: impl AsRef<Path>) -> Option<PathBuf> {
    fs::read_link(process.as_ref().join("ns/net")).ok()
}

/// Ours read their configuration from our state directory.
fn is_foreign_node(name: &str, command_line: &[u8]) -> bool {
    let state = places::state();
    let ours = String::from_utf8_lossy(command_line).contains(&*state.to_string_lossy());
    NODES.contains(&name) && !ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_foreign_unless_it_is_configured_by_us() {
        let config = places::state().join("config/kubelet.json");
        let ours = format!("kubelet\0--config\0{}\0", config.display());
        let cases = [
            ("kubelet", ours.as_str(), false),
            (
                "kubelet",
                "kubelet\0--config\0/var/lib/kubelet/config.yaml\0",
                true,
            ),
            ("k3s-server", "/usr/local/bin/k3s server", true),
            ("containerd", "containerd", false),
        ];
        for (name, line, foreign) in cases {
            assert_eq!(is_foreign_node(name, line.as_bytes()), foreign, "{line}");
        }
    }
}
