//! A real MIT Kerberos KDC and a real secure Hadoop: an HA pair of NameNodes, a DataNode and a KMS, as processes of
//! this machine that pods reach under `*.hadoop.test`.

mod annex;
mod configuration;
pub(crate) mod files;
pub(crate) mod image;
mod java;
mod kerberos;
mod layout;
mod namenodes;
mod network;
mod release_2;
pub(crate) mod requirements;
mod servers;
mod token_log;
mod web;

use std::path::PathBuf;

use anyhow::{Context, Result};

pub use annex::{Annex, Server, Tokens};
pub use namenodes::{NameNode, active};
pub use release_2::{Client, Release2};
pub use token_log::LoggedToken;

use crate::progress;
use crate::provider::{ImageArchive, Provider};

/// The running Hadoop, as tests and the chart see it.
#[derive(Clone, Copy, Debug)]
pub struct SecureHadoop {
    no_install: bool,
}

/// Brings up what is not up yet, on the address under which the provider's pods reach this machine.
/// After a crash it repairs: data stay, what is dead is started, and a NameNode becomes active.
pub fn up(provider: &dyn Provider, no_install: bool) -> Result<SecureHadoop> {
    requirements::ensure(no_install)?;
    let address = provider.host_address()?;
    network::up(address)?;
    configuration::write(address)?;
    files::private_dir(&files::data("kms"))?;
    kerberos::up()?;
    let step = progress::step("starting Hadoop");
    servers::KMS.start()?;
    namenodes::up()?;
    servers::DN1.start()?;
    for server in servers::ALL {
        server.ready()?;
    }
    namenodes::elect(NameNode::Nn1)?;
    step.done("2 NameNodes, DataNode, KMS");
    layout::up()?;
    Ok(SecureHadoop { no_install })
}

/// Ends the daemons and removes their data, the keys and the host names.
pub fn down() -> Result<()> {
    let step = progress::step("stopping Hadoop");
    annex::down()?;
    for server in servers::ALL {
        server.stop()?;
        server.forget()?;
    }
    kerberos::down()?;
    kerberos::forget()?;
    network::down()?;
    files::remove(&files::home())?;
    step.done("");
    Ok(())
}

impl SecureHadoop {
    /// `core-site.xml` and `hdfs-site.xml` as an operator has them: what the chart is given.
    pub fn conf_dir(&self) -> PathBuf {
        files::client_conf()
    }

    /// Works in pods and on this machine.
    pub fn krb5_conf(&self) -> PathBuf {
        files::krb5_conf()
    }

    /// The keytab of `kube2hadoop`, `hdfs`, `alice`, `bob`, `carol` or `etl`.
    pub fn keytab(&self, user: &str) -> PathBuf {
        files::keytab(user)
    }

    /// `user@HADOOP.TEST`.
    pub fn principal(&self, user: &str) -> String {
        format!("{user}@{}", kerberos::REALM)
    }

    /// `hdfs dfs <args>` of the stock client on this machine, with the user's own ticket. Gives its stdout.
    pub fn hdfs(&self, user: &str, args: &[&str]) -> Result<String> {
        java::run_tool(user, "org.apache.hadoop.fs.FsShell", args)
    }

    /// How many tokens the active NameNode holds. Lags by up to ten seconds; compare differences.
    pub fn tokens_issued(&self) -> Result<u64> {
        let active = active().context("no NameNode is active")?;
        let system = namenodes::bean(active, "FSNamesystem")?;
        system
            .get("CurrentTokensCount")
            .and_then(serde_json::Value::as_u64)
            .context("JMX counts no tokens")
    }

    /// The tokens that the NameNodes issued since then, in milliseconds since 1970: exact, by their own logs.
    pub fn tokens_since(&self, millis: u64) -> Result<Vec<LoggedToken>> {
        let logs = NameNode::BOTH.map(|it| it.server().said());
        let logs = logs.into_iter().collect::<Result<String>>()?;
        Ok(token_log::read(&logs, millis))
    }

    /// A WebHDFS operation with nothing but a token, as a pod does it: the status and the body.
    pub fn with_token(&self, method: &str, query: &str) -> Result<(u16, String)> {
        let active = active().context("no NameNode is active")?;
        let url = format!("{}/webhdfs/v1/?{query}", active.server().web());
        web::anonymous(method, &url)
    }

    /// Leaves both on standby until the answer is dropped.
    pub fn all_standby(&self) -> Result<Restored> {
        let restored = Restored::now()?;
        namenodes::make_standby(restored.active)?;
        Ok(restored)
    }

    /// Kills the active NameNode and makes the other active; dropping the answer starts it again and fails back.
    pub fn crash_active(&self) -> Result<Restored> {
        let restored = Restored::now()?;
        restored.active.server().kill()?;
        namenodes::make_active(restored.active.other())?;
        Ok(restored)
    }

    /// The active NameNode writes nothing until the answer is dropped.
    pub fn safe_mode(&self) -> Result<SafeMode> {
        namenodes::safe_mode("enter")?;
        Ok(SafeMode)
    }

    /// No KDC answers until the answer is dropped.
    pub fn without_kdc(&self) -> Result<Restored> {
        let restored = Restored::now()?;
        kerberos::down()?;
        Ok(restored)
    }

    /// The active NameNode is sent what is sent, and does nothing, until the answer is dropped.
    pub fn hanging(&self) -> Result<Hanging> {
        let active = active().context("no NameNode is active")?;
        active.server().signal("STOP");
        Ok(Hanging { active })
    }

    /// Starts a NameNode of Hadoop 2.7, on standby; it ends when the answer is dropped.
    pub fn release_2(&self) -> Result<Release2> {
        Release2::up(self.no_install)
    }

    /// These servers beside the main cluster, until the answer is dropped.
    pub fn annex(&self, servers: &[Server]) -> Result<Annex> {
        Annex::up(servers, self.no_install)
    }

    /// The image of a pod that runs `hdfs dfs`, with no configuration and no credentials in it.
    pub fn client_image(&self) -> Result<ImageArchive> {
        image::build(self.no_install)
    }
}

/// While this lives the NameNodes are in safe mode.
#[must_use]
pub struct SafeMode;

impl Drop for SafeMode {
    fn drop(&mut self) {
        if let Err(error) = namenodes::safe_mode("leave") {
            progress::say(format!("failed to leave safe mode: {error:#}"));
        }
    }
}

/// While this lives the active NameNode stands still.
#[must_use]
pub struct Hanging {
    active: NameNode,
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.active.server().signal("CONT");
    }
}

/// While this lives something of Hadoop is away; dropping it brings everything back, with the same NameNode active.
#[must_use]
pub struct Restored {
    active: NameNode,
}

impl Restored {
    fn now() -> Result<Self> {
        Ok(Self {
            active: active().context("no NameNode is active")?,
        })
    }

    /// Kills the NameNode that took over, too.
    pub fn crash_other(&self) -> Result<()> {
        self.active.other().server().kill()
    }

    fn put_back(&self) -> Result<()> {
        kerberos::up()?;
        for server in servers::ALL {
            server.start()?;
        }
        for server in servers::ALL {
            server.ready()?;
        }
        if active() == Some(self.active) {
            return Ok(());
        }
        namenodes::make_active(self.active)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            progress::say(format!("failed to bring Hadoop back: {error:#}"));
        }
    }
}
