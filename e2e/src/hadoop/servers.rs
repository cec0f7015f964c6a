//! The daemons: two NameNodes, a DataNode and the KMS.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::configuration::fingerprint;
use super::{files, java};
use crate::process;

const READY: Duration = Duration::from_secs(90);

/// A server and what it listens on when it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Names its configuration directory, its host and its data.
    pub(super) id: &'static str,
    class: &'static str,
    ports: &'static [u16],
}

const NAMENODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";

pub(super) const NN1: Server = Server {
    id: "nn1",
    class: NAMENODE,
    ports: &[8020, 9870],
};
pub(super) const NN2: Server = Server {
    id: "nn2",
    class: NAMENODE,
    ports: &[8021, 9871],
};
pub(super) const DN1: Server = Server {
    id: "dn1",
    class: "org.apache.hadoop.hdfs.server.datanode.DataNode",
    ports: &[9866, 9867],
};
pub(super) const KMS: Server = Server {
    id: "kms",
    class: "org.apache.hadoop.crypto.key.kms.server.KMSWebServer",
    ports: &[9600],
};
pub(super) const ALL: [Server; 4] = [KMS, NN1, NN2, DN1];

impl Server {
    /// Starts it if it is not running, or runs with an older configuration.
    pub(super) fn start(&self) -> Result<()> {
        // A run that was killed may have left it standing still.
        self.signal("CONT");
        let conf = files::server_conf(self.id);
        let mut java = java::java(&conf);
        java.arg("-XX:+UseSerialGC")
            .arg(format!("-De2e.conf={}", fingerprint(&conf)?));
        if self.id == KMS.id {
            java.arg(format!("-Dkms.config.dir={}", conf.display()));
            java.arg(format!(
                "-Dlog4j.configuration=file:{}",
                conf.join("log4j.properties").display()
            ));
            // The store's password guards nothing here: whoever reads the file reads this, too.
            java.env("HADOOP_KEYSTORE_PASSWORD", "e2e");
        }
        process::spawn(&self.daemon(), java.arg(self.class)).map(drop)
    }

    /// Waits until it listens, or says why it ended.
    pub(super) fn ready(&self) -> Result<()> {
        let host = self.host();
        let listens = |port: &u16| TcpStream::connect((host.as_str(), *port)).is_ok();
        process::wait_for_daemon(&self.daemon(), READY, || self.ports.iter().all(listens))
    }

    /// Ends it in its own time.
    pub(super) fn stop(&self) -> Result<()> {
        process::stop(&self.daemon())
    }

    /// Removes what it said.
    pub(super) fn forget(&self) -> Result<()> {
        process::remove_log(&self.daemon())
    }

    /// Ends it as a crash would. Returns when it is gone.
    pub(super) fn kill(&self) -> Result<()> {
        process::kill(&self.daemon())
    }

    /// Sends it a signal, if it runs.
    pub(super) fn signal(&self, signal: &str) {
        if let Some(pid) = self.process().pid() {
            process::signal(signal, pid);
        }
    }

    /// All that it has said.
    pub(super) fn said(&self) -> Result<String> {
        let log = std::fs::read(self.process().log())
            .with_context(|| format!("{} has no log", self.id))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// Is its process there?
    pub(super) fn alive(&self) -> bool {
        process::alive(&self.daemon())
    }

    /// Its name in the network.
    pub(super) fn host(&self) -> String {
        format!("{}.hadoop.test", self.id)
    }

    /// `http://host:port` of its web part.
    pub(super) fn web(&self) -> String {
        let port = self.ports.last().copied().unwrap_or_default();
        format!("http://{}:{port}", self.host())
    }

    fn process(&self) -> process::Daemon {
        process::Daemon::new(&self.daemon())
    }

    fn daemon(&self) -> String {
        format!("hadoop-{}", self.id)
    }
}
