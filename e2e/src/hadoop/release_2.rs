//! A secure NameNode of Hadoop 2.7 beside the others, for as long as a case needs it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::requirements::{CURRENT, OLDEST};
use super::{files, java, kerberos, layout};
use crate::{process, progress};

const DAEMON: &str = "hadoop-2-nn1";
const NAMENODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const FS_SHELL: &str = "org.apache.hadoop.fs.FsShell";
const READY: Duration = Duration::from_secs(60);
const ENDPOINTS: [(&str, u16); 2] = [("nn1.hadoop.test", 18020), ("nn1.hadoop.test", 19870)];

const FILES: [(&str, &str); 3] = [
    (
        "core-site.xml",
        include_str!("../../hadoop/release-2/core-site.xml"),
    ),
    (
        "hdfs-site.xml",
        include_str!("../../hadoop/release-2/hdfs-site.xml"),
    ),
    (
        "log4j.properties",
        include_str!("../../hadoop/server/log4j.properties"),
    ),
];

/// The running NameNode; it begins as standby, and ends when this is dropped.
#[must_use]
pub struct Release2;

/// Whose client it is.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// 2.7, as the NameNode.
    Same,
    /// The release of everything else here.
    Current,
}

impl Release2 {
    pub(super) fn up(no_install: bool) -> Result<Self> {
        OLDEST.ensure(no_install)?;
        let step = progress::step("starting a NameNode of Hadoop 2.7");
        write_conf()?;
        let running = Self;
        format()?;
        let mut java = java::java_of(&[OLDEST], &conf());
        java.args(["-XX:+UseSerialGC", NAMENODE]);
        process::spawn(DAEMON, &mut java)?;
        process::wait_for_daemon(DAEMON, READY, || {
            ENDPOINTS.iter().all(|at| TcpStream::connect(*at).is_ok())
        })?;
        step.done("");
        Ok(running)
    }

    /// `core-site.xml` and `hdfs-site.xml` as its operator has them.
    pub fn conf_dir(&self) -> PathBuf {
        conf()
    }

    /// Takes requests from now on.
    pub fn make_active(&self) -> Result<()> {
        let class = "org.apache.hadoop.hdfs.tools.DFSHAAdmin";
        self.tool(class, &["-transitionToActive", "--forceactive", "nn1"])
    }

    /// Lets a user write somewhere, by a key of the main cluster's KMS.
    pub fn make_zone(&self, directory: &str, user: &str) -> Result<()> {
        self.tool(FS_SHELL, &["-mkdir", directory])?;
        self.tool(FS_SHELL, &["-chown", user, directory])?;
        let zone = ["-createZone", "-keyName", layout::KEY, "-path", directory];
        self.tool("org.apache.hadoop.hdfs.tools.CryptoAdmin", &zone)
    }

    /// Whom the fetcher may act for from now on, and from where: `users`, `groups` and `hosts` of its proxy user keys.
    pub fn let_act_for(&self, rights: &[(&str, &str)]) -> Result<()> {
        const KEY: &str = "hadoop.proxyuser.kube2hadoop.";
        const END: &str = "</configuration>";
        let file = conf().join("core-site.xml");
        let text = fs::read_to_string(&file)?;
        let others = text.lines().filter(|it| !it.contains(KEY) && *it != END);
        let right = |(of, value): &(&str, &str)| {
            format!("<property><name>{KEY}{of}</name><value>{value}</value></property>")
        };
        let mut lines: Vec<String> = others.map(str::to_owned).collect();
        lines.extend(rights.iter().map(right));
        lines.push(END.to_owned());
        fs::write(&file, lines.join("\n"))?;
        // Of the pair only this one runs.
        let [(host, port), _] = ENDPOINTS;
        let namenode = format!("hdfs://{host}:{port}");
        let refresh = ["-fs", &namenode, "-refreshSuperUserGroupsConfiguration"];
        self.tool("org.apache.hadoop.hdfs.tools.DFSAdmin", &refresh)
    }

    fn tool(&self, class: &str, args: &[&str]) -> Result<()> {
        let mut java = java::java_of(&[OLDEST], &conf());
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", class]);
        process::run(kerberos::act_as("hdfs", java.args(args))?).map(drop)
    }

    /// `hdfs dfs <args>` with this configuration and token file, and no ticket.
    pub fn hdfs_by_token(
        &self,
        client: Client,
        held: (&Path, &Path),
        args: &[&str],
    ) -> Result<String> {
        let release = match client {
            Client::Same => OLDEST,
            Client::Current => CURRENT,
        };
        process::run(&mut java::bearer_tool(release, held, FS_SHELL, args))
    }

    /// `hadoop key list` of 2.7 in the same way.
    pub fn keys_by_token(&self, held: (&Path, &Path)) -> Result<String> {
        let shell = "org.apache.hadoop.crypto.key.KeyShell";
        let list = ["list", "-provider", "kms://http@kms.hadoop.test:9600/kms"];
        process::run(&mut java::bearer_tool(OLDEST, held, shell, &list))
    }
}

impl Drop for Release2 {
    fn drop(&mut self) {
        let ended = process::stop(DAEMON).and_then(|()| process::remove_log(DAEMON));
        if let Err(error) = ended {
            progress::say(format!("failed to end the NameNode of 2.7: {error:#}"));
        }
    }
}

fn conf() -> PathBuf {
    files::server_conf("release-2")
}

fn write_conf() -> Result<()> {
    fs::create_dir_all(conf())?;
    for (name, template) in FILES {
        let text = template.replace("{{STATE}}", &files::home().to_string_lossy());
        fs::write(conf().join(name), text)
            .with_context(|| format!("failed to write {name} of release 2"))?;
    }
    Ok(())
}

/// A new file system each time: what a killed run left is of no use.
fn format() -> Result<()> {
    process::stop(DAEMON)?;
    for data in ["release-2", "release-2-shared"] {
        files::remove(&files::data(data))?;
        files::private_dir(&files::data(data))?;
    }
    let mut java: Command = java::java_of(&[OLDEST], &conf());
    process::run(java.args([NAMENODE, "-format", "-nonInteractive", "-force"])).map(drop)
}
