//! Load on one loopback: the generator on one core, the server on the other.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::server::Size;
use crate::process;

/// The core that servers are pinned to.
pub(super) const SERVER_CORE: &str = "0";
/// The core of the load generator.
const LOAD_CORE: &str = "1";
/// USER_HZ, the unit of /proc/PID/stat's times; 100 on every Linux that Kubernetes runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the load generator printed.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub failed: usize,
    pub per_second: f64,
    /// Microseconds.
    pub p50: u64,
    /// Microseconds.
    pub p99: u64,
    /// Of the last answer.
    pub answer_bytes: usize,
}

/// Where the load goes and what it carries.
pub(super) struct Target<'a> {
    /// The server's process: the load runs in its network namespace.
    pub pid: u32,
    /// On that namespace's loopback.
    pub address: &'static str,
    pub url: &'a str,
    pub ca: &'a Path,
    pub body: &'a Path,
    pub vary: Option<&'a str>,
    /// `name:file` of one more header.
    pub header: Option<String>,
    /// What every answer must hold.
    pub expect: Option<&'a str>,
}

/// Builds the load generator.
pub(super) fn build() -> Result<std::path::PathBuf> {
    super::example("kube2hadoop-runtime", "load")
}

/// Sends the load.
pub(super) fn run(load: &Path, target: &Target<'_>, size: Size) -> Result<Report> {
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &target.pid.to_string()]);
    command.args(["prlimit", "--nofile=8192", "taskset", "-c", LOAD_CORE]);
    command.arg(load).args(["--url", target.url]);
    command
        .args(["--address", target.address, "--ca"])
        .arg(target.ca);
    command.arg("--body").arg(target.body);
    command.args(["--connections", &size.connections.to_string()]);
    command.args(["--requests", &size.requests.to_string()]);
    if size.fresh {
        command.arg("--fresh");
    }
    if size.awake {
        command.arg("--awake");
    }
    if let Some(text) = target.vary {
        command.args(["--vary", text]);
    }
    if let Some(header) = &target.header {
        command.args(["--header", header]);
    }
    if let Some(text) = target.expect {
        command.args(["--expect", text]);
    }
    let printed = process::run(&mut command)?;
    serde_json::from_str(&printed).with_context(|| format!("the load generator printed {printed}"))
}

/// CPU seconds that a process has used, user and system.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no stat line")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short stat line")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Resident memory of a process in MB.
pub(super) fn resident_mb(pid: u32) -> Result<f64> {
    let kilobytes = status_line(pid, "VmRSS:")?;
    let number = kilobytes.split_whitespace().next().context("no value")?;
    Ok(number.parse::<f64>()? / 1024.0)
}

/// What /proc/PID/status says under a name.
pub(super) fn status_line(pid: u32, name: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .with_context(|| format!("no {name}"))?
        .trim()
        .to_owned())
}
