//! The pods' own cgroup tree, in every hierarchy: it tells which processes are theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::wait_until;

const MOUNTS: &str = "/sys/fs/cgroup";
/// The kubelet's `cgroupRoot`.
pub(super) const ROOT: &str = "/kube2hadoop-e2e";

/// Makes the tree's root, which the kubelet wants to find.
pub(super) fn ensure() -> Result<()> {
    for hierarchy in hierarchies() {
        let root = hierarchy.join(ROOT.trim_start_matches('/'));
        fs::create_dir_all(&root)
            .with_context(|| format!("failed to make the cgroup {}", root.display()))?;
    }
    Ok(())
}

/// The processes of all pods.
pub(super) fn processes() -> Vec<u32> {
    let mut pids: Vec<u32> = roots().iter().flat_map(|root| processes_in(root)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Removes the tree; its processes must have ended.
pub(super) fn remove() -> Result<()> {
    for root in roots() {
        // The kernel needs a moment to let go of the last process.
        wait_until(
            &format!("the cgroup {} to empty", root.display()),
            Duration::from_secs(10),
            || Ok(remove_tree(&root).ok()),
        )?;
    }
    Ok(())
}

/// Version 2 has one hierarchy; version 1 has one per controller, and some are linked to twice.
fn hierarchies() -> Vec<PathBuf> {
    if Path::new(MOUNTS).join("cgroup.controllers").exists() {
        return vec![PathBuf::from(MOUNTS)];
    }
    let entries = fs::read_dir(MOUNTS).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories
        .map(|entry| entry.path())
        .filter(|path| path.join("cgroup.procs").exists())
        .collect()
}

fn roots() -> Vec<PathBuf> {
    let roots = hierarchies()
        .into_iter()
        .map(|hierarchy| hierarchy.join(ROOT.trim_start_matches('/')));
    roots.filter(|root| root.exists()).collect()
}

fn processes_in(group: &Path) -> Vec<u32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    pids.extend(children(group).iter().flat_map(|child| processes_in(child)));
    pids
}

/// The files of a cgroup go with its directory; only directories can be removed.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    for child in children(group) {
        remove_tree(&child)?;
    }
    fs::remove_dir(group)
}

fn children(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
