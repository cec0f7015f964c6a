//! Servers beside the main cluster, which only some cases start: an https-only HDFS with a CA of its own, a router and
//! an HttpFS before it, two KMS, and two ResourceManagers.

mod configuration;
mod pod;
mod server;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

pub use pod::Tokens;
pub use server::Server;

use super::requirements::{self, ANNEX, CURRENT};
use super::{files, java, kerberos};
use crate::{process, progress};

const FS_SHELL: &str = "org.apache.hadoop.fs.FsShell";

/// Where its state lies.
fn home() -> PathBuf {
    files::home().join("annex")
}

/// The running servers; dropping it stops them and forgets what they stored.
#[must_use]
pub struct Annex;

/// Ends whatever runs of it, and removes its state.
pub(super) fn down() -> Result<()> {
    for server in Server::ALL {
        server.stop()?;
        server.forget()?;
    }
    files::remove(&home())
}

impl Annex {
    /// Starts these servers, all at a time.
    pub(super) fn up(servers: &[Server], no_install: bool) -> Result<Self> {
        requirements::ensure_annex(no_install)?;
        // What a killed run left is in nobody's way; nor is what this one leaves half made.
        down()?;
        for directory in ["data/router", "data/zk", "tmp"] {
            fs::create_dir_all(home().join(directory))?;
        }
        let annex = Self;
        tls::make()?;
        configuration::write()?;
        let step = progress::step("starting the annex");
        for server in servers {
            server.start()?;
        }
        for server in servers {
            server.ready()?;
        }
        step.done("");
        Ok(annex)
    }

    /// Ends a server as a crash would.
    pub fn stop(&self, server: Server) -> Result<()> {
        server.stop()
    }

    pub fn start(&self, server: Server) -> Result<()> {
        server.start()?;
        server.ready()
    }

    /// The KMS share their tokens no more; those that run have to be started again.
    pub fn part_the_kms(&self) -> Result<()> {
        configuration::part_the_kms()
    }

    /// Hands the lead to one of the ResourceManagers.
    pub fn lead(&self, manager: Server) -> Result<()> {
        let id = manager.id();
        let mut admin = java::java_of(&[CURRENT, ANNEX], &manager.conf());
        admin.args(["org.apache.hadoop.yarn.client.cli.RMAdminCLI"]);
        admin.args(["-transitionToActive", "--forcemanual", id]);
        process::run_with_input(kerberos::act_as("hdfs", &mut admin)?, "y\n").map(drop)
    }

    /// `hdfs dfs` in the https-only cluster as its superuser.
    pub fn hdfs(&self, args: &[&str]) -> Result<()> {
        self.tool(FS_SHELL, args)
    }

    /// Makes an encryption zone of a directory that is there and empty.
    pub fn encrypt(&self, directory: &str) -> Result<()> {
        let key = ["create", "annex", "-size", "128"];
        self.tool("org.apache.hadoop.crypto.key.KeyShell", &key)?;
        let zone = ["-createZone", "-keyName", "annex", "-path", directory];
        self.tool("org.apache.hadoop.hdfs.tools.CryptoAdmin", &zone)
    }

    fn tool(&self, class: &str, args: &[&str]) -> Result<()> {
        let mut tool = java::java(&Server::NameNode.conf());
        tool.arg(class).args(args);
        process::run(kerberos::act_as("hdfs", &mut tool)?).map(drop)
    }

    /// What an operator of all clusters has, in a directory for the fetcher.
    pub fn conf_dir(&self) -> PathBuf {
        configuration::client()
    }

    pub fn ca(&self) -> PathBuf {
        tls::ca()
    }
}

impl Drop for Annex {
    fn drop(&mut self) {
        if let Err(error) = down() {
            progress::say(format!("failed to stop the annex: {error:#}"));
        }
    }
}

/// Runs one of the fetcher's examples, as our principal.
fn as_fetcher(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("KRB5_CONFIG", files::krb5_conf())
        .env("KRB5CCNAME", "MEMORY:annex")
        .env("RUST_BACKTRACE", "0")
        .env("KRB5_CLIENT_KTNAME", files::keytab("kube2hadoop"));
    command
}
