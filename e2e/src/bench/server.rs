//! A server of ours that runs in a pod of this machine, pinned to one core and reached over its own loopback.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use tempfile::NamedTempFile;

use super::load::{self, Report, Target};
use crate::process;
use crate::stage::Stage;

/// One replica, its process and the CA it serves from.
pub(super) struct Server {
    pub pid: u32,
    host: String,
    ca: NamedTempFile,
}

/// A run's report with the server's CPU time for each request.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub report: Report,
    /// Microseconds.
    pub cpu_per_request: f64,
    pub resident_mb: f64,
}

impl Server {
    /// Finds a replica by the name of its program, and pins it.
    pub(super) fn find(stage: &Stage, program: &str) -> Result<Self> {
        let pids = process::pids_of(program);
        let first = pids.first().copied();
        let pid = first.with_context(|| format!("no process of {program} on this machine"))?;
        let mut taskset = Command::new("taskset");
        process::run(taskset.args(["--all-tasks", "-cp", load::SERVER_CORE, &pid.to_string()]))?;
        let secret = stage.own("secret", "kube2hadoop-fetcher-tls")?;
        let encoded = secret["data"]["ca.crt"]
            .as_str()
            .context("the secret holds no ca.crt")?;
        let mut ca = NamedTempFile::new()?;
        ca.write_all(&base64::engine::general_purpose::STANDARD.decode(encoded)?)?;
        Ok(Self {
            pid,
            host: format!("{program}.kube2hadoop.svc"),
            ca,
        })
    }

    /// Sends load to the server over the loopback of its own pod.
    pub(super) fn load(
        &self,
        generator: &Path,
        path: &str,
        body: &Path,
        header: Option<String>,
        size: Size,
    ) -> Result<Measured> {
        let before = load::cpu_seconds(self.pid)?;
        let url = format!("https://{}{path}", self.host);
        let target = Target {
            pid: self.pid,
            url: &url,
            ca: self.ca.path(),
            body,
            header,
        };
        let report = load::run(generator, &target, size.connections, size.requests)?;
        let used = load::cpu_seconds(self.pid)? - before;
        Ok(Measured {
            report,
            cpu_per_request: used * 1e6 / size.requests as f64,
            resident_mb: load::resident_mb(self.pid)?,
        })
    }
}

/// How much load.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub connections: usize,
    pub requests: usize,
}
