//! A server that runs on this machine, pinned to one core and reached over a loopback.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use tempfile::NamedTempFile;

use super::load::{self, Report, Target};
use crate::process;
use crate::stage::Stage;

/// Where the program `floor` listens.
const FLOOR: &str = "127.0.0.1:18443";

/// A process and the CA it serves from.
pub(super) struct Server {
    pub pid: u32,
    host: String,
    address: &'static str,
    ca: NamedTempFile,
    /// The cores it may use when nobody measures it.
    cores: String,
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
    /// Finds a replica by the name of its program, and pins it until this is dropped.
    pub(super) fn find(stage: &Stage, program: &str) -> Result<Self> {
        let pids = process::pids_in_pods(program);
        let first = pids.first().copied();
        let pid = first.with_context(|| format!("no process of {program} on this machine"))?;
        let secret = stage.own("secret", "kube2hadoop-fetcher-tls")?;
        let encoded = secret["data"]["ca.crt"]
            .as_str()
            .context("the secret holds no ca.crt")?;
        let mut ca = NamedTempFile::new()?;
        ca.write_all(&base64::engine::general_purpose::STANDARD.decode(encoded)?)?;
        let cores = load::status_line(pid, "Cpus_allowed_list:")?;
        let server = Self {
            pid,
            host: format!("{program}.kube2hadoop.svc"),
            address: "127.0.0.1:8443",
            ca,
            cores,
        };
        server.pin(load::SERVER_CORE)?;
        Ok(server)
    }

    fn pin(&self, cores: &str) -> Result<()> {
        let pid = self.pid.to_string();
        let mut taskset = Command::new("taskset");
        process::run(taskset.args(["--all-tasks", "-cp", cores, &pid])).map(drop)
    }

    /// How often the webhook has asked the API server something, by its own count.
    pub(super) fn api_calls(&self) -> Result<f64> {
        let pid = self.pid.to_string();
        let mut curl = Command::new("nsenter");
        curl.args(["--net", "--target", &pid, "curl", "--silent", "--fail"]);
        let metrics = process::run(curl.arg("http://127.0.0.1:9990/metrics"))?;
        let counts = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("kube2hadoop_webhook_api_calls_total{"));
        let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        counts
            .reduce(|sum, count| sum + count)
            .context("the webhook does not count its calls")
    }

    /// Sends load to the server over the loopback that it listens on.
    pub(super) fn load(&self, generator: &Path, sent: Sent<'_>, size: Size) -> Result<Measured> {
        let before = load::cpu_seconds(self.pid)?;
        let url = format!("https://{}{}", self.host, sent.path);
        let target = Target {
            pid: self.pid,
            address: self.address,
            url: &url,
            ca: self.ca.path(),
            body: sent.body,
            vary: sent.vary,
            header: sent.header,
            expect: sent.expect,
        };
        let report = load::run(generator, &target, size)?;
        let used = load::cpu_seconds(self.pid)? - before;
        Ok(Measured {
            report,
            cpu_per_request: used * 1e6 / size.requests as f64,
            resident_mb: load::resident_mb(self.pid)?,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that is gone needs no cores.
        let _ = self.pin(&self.cores);
    }
}

/// Bare hyper and rustls with a fixed answer: what no webhook is faster than.
pub(super) struct Floor {
    pub server: Server,
    process: Child,
}

impl Floor {
    /// Starts it; its answers have that many bytes.
    pub(super) fn start(answer_bytes: usize) -> Result<Self> {
        let program = super::example("kube2hadoop-runtime", "floor")?;
        let ca = NamedTempFile::new()?;
        let mut command = Command::new("taskset");
        command.args(["-c", load::SERVER_CORE]).arg(program);
        command.arg(ca.path()).arg(answer_bytes.to_string());
        let process = command.spawn().context("failed to start the floor")?;
        let floor = Self {
            server: Server {
                pid: process.id(),
                host: "localhost".to_owned(),
                address: FLOOR,
                ca,
                cores: load::SERVER_CORE.to_owned(),
            },
            process,
        };
        process::wait_until("the floor to listen", Duration::from_secs(10), || {
            Ok(TcpStream::connect(FLOOR).ok())
        })?;
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What each request carries, and each answer must hold.
#[derive(Clone)]
pub(super) struct Sent<'a> {
    pub path: &'a str,
    pub body: &'a Path,
    /// What stands for a number of its own in each request's body.
    pub vary: Option<&'a str>,
    /// `name:file` of one more header.
    pub header: Option<String>,
    pub expect: Option<&'a str>,
}

/// How much load.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub connections: usize,
    pub requests: usize,
    /// Each request pays for a connection of its own.
    pub fresh: bool,
    /// The generator never sleeps.
    pub awake: bool,
}

impl Size {
    /// Over connections that are kept.
    pub(super) const fn new(connections: usize, requests: usize) -> Self {
        Self {
            connections,
            requests,
            fresh: false,
            awake: false,
        }
    }

    /// From a generator that never sleeps: a server pays for waking whoever does, which is none of its own work.
    pub(super) const fn awake(self) -> Self {
        Self {
            awake: true,
            ..self
        }
    }
}
