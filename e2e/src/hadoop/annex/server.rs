//! The daemons of the annex.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{configuration, home, tls};
use crate::hadoop::requirements::{ANNEX, CURRENT};
use crate::hadoop::{java, kerberos};
use crate::process;

const READY: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    ZooKeeper,
    NameNode,
    Kms3,
    Kms4,
    Router,
    HttpFs,
    Rm1,
    Rm2,
}

impl Server {
    pub const ALL: [Self; 8] = [
        Self::ZooKeeper,
        Self::NameNode,
        Self::Kms3,
        Self::Kms4,
        Self::Router,
        Self::HttpFs,
        Self::Rm1,
        Self::Rm2,
    ];

    /// Names its host and its configuration directory.
    pub fn id(self) -> &'static str {
        match self {
            Self::ZooKeeper => "zk",
            Self::NameNode => "nn3",
            Self::Kms3 => "kms3",
            Self::Kms4 => "kms4",
            Self::Router => "router",
            Self::HttpFs => "httpfs",
            Self::Rm1 => "rm1",
            Self::Rm2 => "rm2",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::ZooKeeper => "org.apache.zookeeper.server.ZooKeeperServerMain",
            Self::NameNode => "org.apache.hadoop.hdfs.server.namenode.NameNode",
            Self::Kms3 | Self::Kms4 => "org.apache.hadoop.crypto.key.kms.server.KMSWebServer",
            Self::Router => "org.apache.hadoop.hdfs.server.federation.router.DFSRouter",
            Self::HttpFs => "org.apache.hadoop.fs.http.server.HttpFSServerWebServer",
            Self::Rm1 | Self::Rm2 => {
                "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
            }
        }
    }

    fn ports(self) -> &'static [u16] {
        match self {
            Self::ZooKeeper => &[2181],
            Self::NameNode => &[8020, 9871],
            Self::Kms3 | Self::Kms4 => &[9600],
            Self::Router => &[8888, 50072],
            Self::HttpFs => &[14000],
            Self::Rm1 | Self::Rm2 => &[8033, 8090],
        }
    }

    pub(super) fn conf(self) -> PathBuf {
        home().join("conf").join(self.id())
    }

    fn host(self) -> String {
        format!("{}.hadoop.test", self.id())
    }

    /// Formats a NameNode that has no file system yet.
    pub(super) fn start(self) -> Result<()> {
        if self == Self::NameNode && !home().join("data/nn3").exists() {
            let mut format = java::java(&self.conf());
            format.arg(self.class());
            process::run(format.args(["-format", "-nonInteractive", "-force"]))?;
        }
        let mut java = java::java_of(&[CURRENT, ANNEX], &self.conf());
        java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.args(configuration::options(self));
        // The store's password guards nothing here.
        java.env("HADOOP_KEYSTORE_PASSWORD", "e2e")
            .arg(self.class());
        if self == Self::ZooKeeper {
            java.arg("2181").arg(home().join("data/zk"));
        }
        process::spawn(&self.daemon(), &mut java).map(drop)
    }

    /// Waits until it listens, or says why it ended.
    pub(super) fn ready(self) -> Result<()> {
        let host = self.host();
        let listens = |port: &u16| TcpStream::connect((host.as_str(), *port)).is_ok();
        process::wait_for_daemon(&self.daemon(), READY, || {
            self.ports().iter().all(listens) && (self != Self::Router || routes())
        })
    }

    pub(super) fn stop(self) -> Result<()> {
        if let Some(pid) = process::Daemon::new(&self.daemon()).pid() {
            process::signal("KILL", pid);
        }
        process::stop(&self.daemon())
    }

    pub(super) fn forget(self) -> Result<()> {
        process::remove_log(&self.daemon())
    }

    fn daemon(self) -> String {
        format!("annex-{}", self.id())
    }
}

/// A router learns of its NameNode some seconds after it listens.
fn routes() -> bool {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--fail",
        "--max-time",
        "20",
        "--negotiate",
        "--user",
        ":",
    ])
    .arg("--cacert")
    .arg(tls::ca())
    .arg("https://router.hadoop.test:50072/webhdfs/v1/?op=LISTSTATUS");
    let curl = kerberos::act_as("alice", &mut curl);
    curl.is_ok_and(|curl| process::run(curl).is_ok())
}
