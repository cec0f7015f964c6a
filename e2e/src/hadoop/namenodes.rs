//! The pair of NameNodes: formatting, who is active, and failing over.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::servers::{self, Server};
use super::{files, java, web};
use crate::{process, progress};

const NAMENODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const HA_ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSHAAdmin";
const DFS_ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSAdmin";
const SUPERUSER: &str = "hdfs";
const SETTLED: Duration = Duration::from_secs(60);

/// One of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameNode {
    Nn1,
    Nn2,
}

impl NameNode {
    /// Both, in the order of the configuration.
    pub const BOTH: [Self; 2] = [Self::Nn1, Self::Nn2];

    /// The one that it fails over to.
    pub fn other(self) -> Self {
        match self {
            Self::Nn1 => Self::Nn2,
            Self::Nn2 => Self::Nn1,
        }
    }

    /// `nn1` or `nn2`.
    pub fn id(self) -> &'static str {
        self.server().id
    }

    pub(super) fn server(self) -> Server {
        match self {
            Self::Nn1 => servers::NN1,
            Self::Nn2 => servers::NN2,
        }
    }

    /// `active` or `standby`; none if it does not answer.
    pub fn state(self) -> Option<String> {
        if !self.server().alive() {
            return None;
        }
        let status = bean(self, "NameNodeStatus").ok()?;
        Some(status.get("State")?.as_str()?.to_owned())
    }
}

/// The NameNode that takes requests, if either does.
pub fn active() -> Option<NameNode> {
    NameNode::BOTH
        .into_iter()
        .find(|namenode| namenode.state().as_deref() == Some("active"))
}

/// Formats what has no file system yet, and starts both.
pub(super) fn up() -> Result<()> {
    once(
        NameNode::Nn1,
        &["nn1", "nn2", "shared", "dn1"],
        &["-format", "-nonInteractive", "-force"],
    )?;
    servers::NN1.start()?;
    // A second NameNode begins with a copy of the first one's image.
    if !formatted(NameNode::Nn2) {
        servers::NN1.ready()?;
        once(
            NameNode::Nn2,
            &["nn2"],
            &["-bootstrapStandby", "-nonInteractive", "-force"],
        )?;
    }
    servers::NN2.start()
}

/// Makes the wanted one active, unless one is already.
pub(super) fn elect(wanted: NameNode) -> Result<()> {
    match active() {
        Some(active) => settled(active),
        None => make_active(wanted),
    }
}

/// Hands the active role over; a dead one hands over nothing.
pub(super) fn make_active(namenode: NameNode) -> Result<()> {
    let other = namenode.other();
    if other.state().as_deref() == Some("active") {
        admin(&["-transitionToStandby", other.id()])?;
    }
    admin(&["-transitionToActive", "--forceactive", namenode.id()])?;
    settled(namenode)
}

/// Takes the active role away.
pub(super) fn make_standby(namenode: NameNode) -> Result<()> {
    admin(&["-transitionToStandby", namenode.id()])
}

/// Enters or leaves safe mode, on both.
pub(super) fn safe_mode(action: &str) -> Result<()> {
    java::run_tool(SUPERUSER, DFS_ADMIN, &["-safemode", action]).map(drop)
}

/// One bean of a NameNode's JMX.
pub(super) fn bean(namenode: NameNode, name: &str) -> Result<Value> {
    let url = format!(
        "{}/jmx?qry=Hadoop:service=NameNode,name={name}",
        namenode.server().web()
    );
    let answer = web::get(SUPERUSER, &url)?;
    answer
        .pointer("/beans/0")
        .cloned()
        .with_context(|| format!("{} has no bean {name}", namenode.id()))
}

/// Active, and out of safe mode: until then it writes nothing.
fn settled(namenode: NameNode) -> Result<()> {
    process::wait_until(
        &format!("{} to leave safe mode", namenode.id()),
        SETTLED,
        || {
            let safe_mode = bean(namenode, "NameNodeInfo")
                .ok()
                .and_then(|info| Some(info.get("Safemode")?.as_str()?.is_empty()));
            let is_active = namenode.state().as_deref() == Some("active");
            Ok((is_active && safe_mode == Some(true)).then_some(()))
        },
    )
}

fn admin(args: &[&str]) -> Result<()> {
    java::run_tool(SUPERUSER, HA_ADMIN, args).map(drop)
}

fn formatted(namenode: NameNode) -> bool {
    files::data(namenode.id()).join("formatted").exists()
}

/// Runs a NameNode's formatting command to its end, once: `fresh` are the data it begins without.
fn once(namenode: NameNode, fresh: &[&str], args: &[&str]) -> Result<()> {
    if formatted(namenode) {
        return Ok(());
    }
    let step = progress::step(format!("formatting {}", namenode.id()));
    namenode.server().stop()?;
    for data in fresh {
        files::remove(&files::data(data))?;
        files::private_dir(&files::data(data))?;
    }
    let mut java: Command = java::java(&files::server_conf(namenode.id()));
    process::run(java.arg(NAMENODE).args(args))?;
    fs::write(files::data(namenode.id()).join("formatted"), "")?;
    step.done("");
    Ok(())
}
