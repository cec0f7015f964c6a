//! What stays behind when daemons end or are killed: containers, mounts, cgroups, links and iptables chains.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{cgroups, neighbours, node};
use crate::places::{self, BRIDGE};
use crate::process::{self, run, signal, wait_until};

/// Where libcni remembers what it has set up, whatever containerd's own directories are.
const CNI_RESULTS: &str = "/var/lib/cni/results";
/// Where shims make their sockets, whatever containerd's own directories are.
const SHIM_SOCKETS: &str = "/run/containerd/s";
/// Where the kubelet makes a socket, whatever its own directory is.
const DEVICE_PLUGINS: &str = "/var/lib/kubelet/device-plugins";

/// Directories that containerd, libcni and kubelet make at fixed places. An inner one stands before its parent.
const EMPTY: [&str; 8] = [
    SHIM_SOCKETS,
    "/run/containerd/runc",
    "/run/containerd",
    CNI_RESULTS,
    "/var/lib/cni",
    "/run/netns",
    DEVICE_PLUGINS,
    "/var/lib/kubelet",
];

/// Ends all processes of pods, their shims included.
pub(super) fn end_pods() -> Result<()> {
    wait_until(
        "the pods' processes to end",
        Duration::from_secs(20),
        || {
            let left: Vec<u32> = cgroups::processes().into_iter().chain(shims()).collect();
            for pid in &left {
                signal("KILL", *pid);
            }
            Ok(left.is_empty().then_some(()))
        },
    )
}

/// Removes what the daemons made outside their directories. They must have ended.
pub(super) fn remove() -> Result<()> {
    unmount()?;
    remove_links()?;
    // They have the same names for everybody.
    if neighbours::another().is_none() {
        for family in ["", "6"] {
            remove_chains(family)?;
        }
    }
    cgroups::remove()?;
    remove_network_namespaces()?;
    remove_dead_sockets();
    Ok(())
}

/// Removes state and sockets of the cluster. What others keep beside them stays.
pub(super) fn remove_directories() -> Result<()> {
    let state = [
        "etcd",
        "pki",
        "config",
        "containerd",
        "kubelet",
        "kubeconfigs",
        "buildah-pause",
        "images",
        "kubectl-cache",
    ];
    let state = state.iter().map(|name| places::state().join(name));
    for directory in state.chain([places::run(), places::logs().join("pods")]) {
        let mounted = mounts_under(&directory);
        ensure!(mounted.is_empty(), "{mounted:?} are still mounted");
        if directory.exists() {
            fs::remove_dir_all(&directory)
                .with_context(|| format!("failed to remove {}", directory.display()))?;
        }
    }
    for empty in EMPTY
        .iter()
        .map(PathBuf::from)
        .chain([places::logs(), places::pids()])
    {
        // What somebody else uses is not empty, and stays.
        let _ = fs::remove_dir(empty);
    }
    Ok(())
}

/// Shims of our containerd: they name its socket on their command line.
fn shims() -> Vec<u32> {
    let socket = node::socket();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let shim = line
            .split('\0')
            .next()
            .is_some_and(|program| program.contains("containerd-shim"));
        shim && line.split('\0').any(|word| Path::new(word) == socket)
    })
    .collect()
}

fn unmount() -> Result<()> {
    for mount in [places::run(), places::state()]
        .iter()
        .flat_map(|root| mounts_under(root))
    {
        run(Command::new("umount").arg("--lazy").arg(mount))?;
    }
    Ok(())
}

/// Mount points below `root`, the innermost first.
fn mounts_under(root: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(1));
    // Blanks are written as \040 there; volumes of ours hold none.
    let mut found: Vec<PathBuf> = points
        .map(PathBuf::from)
        .filter(|point| point.starts_with(root))
        .collect();
    found.reverse();
    found
}

/// Deletes the host's ends of the pods' links; the other ends go with them.
fn remove_links() -> Result<()> {
    let ports = Path::new("/sys/class/net").join(BRIDGE).join("brif");
    for port in fs::read_dir(ports).into_iter().flatten().flatten() {
        run(Command::new("ip")
            .args(["link", "delete"])
            .arg(port.file_name()))?;
    }
    Ok(())
}

/// Takes out the rules and chains of kubelet and kube-proxy and leaves all others.
fn remove_chains(family: &str) -> Result<()> {
    let Ok(rules) = run(&mut Command::new(format!("ip{family}tables-save"))) else {
        return Ok(());
    };
    if !rules.contains("KUBE-") {
        return Ok(());
    }
    let kept: String = rules
        .lines()
        .filter(|line| !line.contains("KUBE-"))
        .map(|line| format!("{line}\n"))
        .collect();
    process::run_with_input(
        &mut Command::new(format!("ip{family}tables-restore")),
        &kept,
    )?;
    Ok(())
}

/// The pods' network namespaces are found through what libcni remembers of our network.
fn remove_network_namespaces() -> Result<()> {
    let results: Vec<_> = fs::read_dir(CNI_RESULTS)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    for result in &results {
        let name = result.file_name().unwrap_or_default().to_string_lossy();
        let Some(sandbox) = name
            .strip_prefix("kube2hadoop-e2e-")
            .and_then(|rest| rest.strip_suffix("-eth0"))
        else {
            continue;
        };
        if let Some(namespace) = network_namespace(&fs::read_to_string(result)?) {
            // containerd has deleted it already unless it was killed.
            let _ = run(Command::new("ip").args(["netns", "delete", namespace]));
        }
        fs::remove_file(result)?;
        let _ = fs::remove_file(Path::new(CNI_RESULTS).join(format!("cni-loopback-{sandbox}-lo")));
    }
    Ok(())
}

fn network_namespace(result: &str) -> Option<&str> {
    let (_, rest) = result.split_once("/netns/")?;
    rest.split('"')
        .next()
        .filter(|name| name.starts_with("cni-"))
}

/// Sockets at fixed places that nobody listens on any more; those of another containerd or kubelet stay.
fn remove_dead_sockets() {
    let listening = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let entries = |directory| fs::read_dir(directory).into_iter().flatten().flatten();
    for socket in [SHIM_SOCKETS, DEVICE_PLUGINS].into_iter().flat_map(entries) {
        let path = socket.path();
        let is_socket = socket.file_type().is_ok_and(|kind| kind.is_socket());
        if is_socket
            && !listening
                .lines()
                .any(|line| line.ends_with(&path.display().to_string()))
        {
            // One that is gone already is what was wanted.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_found_in_a_cni_result() {
        let result =
            r#"{"result":{"interfaces":[{"name":"eth0","sandbox":"/var/run/netns/cni-1-2"}]}}"#;
        assert_eq!(network_namespace(result), Some("cni-1-2"));
        assert_eq!(
            network_namespace(r#"{"sandbox":"/var/run/netns/other"}"#),
            None
        );
    }
}
