//! NameNodes and routers as hdfs-site.xml describes them.

use super::policy::Policy;
use super::{ClusterError, Conf, Web};
use crate::hadoop::host::HostPort;

pub(super) const RPC_PORT: u16 = 8020;
pub(super) const HTTP_PORT: u16 = 9870;
pub(super) const HTTPS_PORT: u16 = 9871;

/// One file system: an HA group of NameNodes or routers, or a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameService {
    /// Id in dfs.nameservices, or the host of a file system without one.
    pub id: String,
    /// Whether clients know it by its id (`hdfs://id`), not by an address.
    pub logical: bool,
    pub namenodes: Vec<NameNode>,
    /// Members of an HA group that the configuration also names by their own addresses, where clients look for them.
    pub by_address: Vec<HostPort>,
}

/// One NameNode or router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameNode {
    pub rpc: HostPort,
    pub web: Web,
    /// Its http address, where it serves https as well.
    pub plain: Option<Web>,
}

/// Reads what a configuration says of one name service or NameNode.
pub(super) struct Reader<'a> {
    conf: &'a Conf,
    policy: Policy,
}

impl<'a> Reader<'a> {
    pub(super) fn new(conf: &'a Conf) -> Result<Self, ClusterError> {
        Ok(Self {
            conf,
            policy: Policy::read(conf, "dfs.http.policy")?,
        })
    }

    pub(super) fn is_name_service(&self, id: &str) -> bool {
        self.conf
            .list("dfs.nameservices")
            .iter()
            .any(|known| known == id)
    }

    pub(super) fn name_service(&self, id: &str) -> Result<NameService, ClusterError> {
        let members = self.conf.list(&format!("dfs.ha.namenodes.{id}"));
        let mut suffixes: Vec<_> = members.iter().map(|it| format!(".{id}.{it}")).collect();
        if members.is_empty() {
            suffixes.push(format!(".{id}"));
        }
        let https = self.https(&suffixes);
        let namenodes = suffixes.iter().map(|suffix| {
            let key = format!("dfs.namenode.rpc-address{suffix}");
            let rpc = self.conf.address(&key, RPC_PORT)?;
            self.namenode(suffix, rpc.ok_or(ClusterError::Missing { key })?, https)
        });
        Ok(NameService {
            id: id.into(),
            logical: !members.is_empty(),
            namenodes: namenodes.collect::<Result<_, _>>()?,
            by_address: Vec::new(),
        })
    }

    /// A NameNode outside of every name service. The keys without a suffix speak of the default file system.
    pub(super) fn unnamed(
        &self,
        id: &str,
        rpc: HostPort,
        default: bool,
    ) -> Result<NameNode, ClusterError> {
        let mut namenode = self.namenode("", rpc, self.https(&[String::new()]))?;
        if !default {
            namenode.plain = None;
            assume(&mut namenode.web, id, &namenode.rpc);
        }
        Ok(namenode)
    }

    /// Whether the members with these suffixes are asked over https.
    fn https(&self, suffixes: &[String]) -> bool {
        let has = |kind: &str, suffix: &String| {
            let key = format!("dfs.namenode.{kind}-address{suffix}");
            self.conf.get(&key).is_some()
        };
        match self.policy {
            Policy::Http => false,
            // Tokens are secrets: where both are served, https.
            Policy::Https | Policy::Both => true,
            Policy::Unset => suffixes
                .iter()
                .all(|suffix| has("https", suffix) && !has("http", suffix)),
        }
    }

    fn namenode(&self, suffix: &str, rpc: HostPort, https: bool) -> Result<NameNode, ClusterError> {
        let plain = (self.policy == Policy::Both).then(|| self.web(false, suffix, &rpc));
        Ok(NameNode {
            web: self.web(https, suffix, &rpc)?,
            plain: plain.transpose()?,
            rpc,
        })
    }

    fn web(&self, https: bool, suffix: &str, rpc: &HostPort) -> Result<Web, ClusterError> {
        let (key, port) = match https {
            true => ("dfs.namenode.https-address", HTTPS_PORT),
            false => ("dfs.namenode.http-address", HTTP_PORT),
        };
        let setting = format!("{key}{suffix}");
        let address = self.conf.address(&setting, port)?;
        Ok(Web {
            https,
            address: HostPort::or_beside(address, rpc, port),
            setting,
        })
    }
}

/// Nothing in the configuration is about this NameNode but that it exists.
fn assume(web: &mut Web, id: &str, rpc: &HostPort) {
    if web.address.host != rpc.host {
        web.address = HostPort {
            host: rpc.host.clone(),
            port: if web.https { HTTPS_PORT } else { HTTP_PORT },
        };
    }
    let key = &web.setting;
    web.setting = format!(
        "an assumed address: list {id} in dfs.nameservices and give dfs.namenode.rpc-address.{id}={rpc} and {key}.{id}"
    );
}
