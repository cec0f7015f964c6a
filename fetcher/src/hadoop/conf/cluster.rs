//! The NameNodes a configuration names, and how each is asked.

use std::time::Duration;

use thiserror::Error;

use super::Conf;
use crate::hadoop::host::HostPort;

const RPC_PORT: u16 = 8020;
const HTTP_PORT: u16 = 9870;
const HTTPS_PORT: u16 = 9871;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What in the configuration does not lead to a NameNode.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ClusterError {
    #[error(
        "the configuration names no NameNode: set fs.defaultFS to hdfs://…, or dfs.nameservices, in core-site.xml or hdfs-site.xml"
    )]
    NoNameNode,
    #[error("{key} is missing: the name service cannot be reached without it")]
    Missing { key: String },
    #[error("{key} is {value:?}, which is not host:port")]
    Address { key: String, value: String },
    #[error("dfs.http.policy is {0:?}: it is one of HTTP_ONLY, HTTPS_ONLY, HTTP_AND_HTTPS")]
    Policy(String),
    #[error(
        "hadoop.security.authentication is {0:?}: delegation tokens are only issued where it is kerberos; give the fetcher the secure cluster's core-site.xml"
    )]
    NotSecure(String),
}

/// Every name service, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub services: Vec<NameService>,
    /// How long an issued token works without renewal, as the configuration says (default one day);
    /// the servers' own value holds where it differs.
    pub renew_interval: Duration,
}

/// One file system: an HA group of NameNodes, or a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameService {
    /// Id in dfs.nameservices, or the host of a file system without one.
    pub id: String,
    /// Whether clients know it by its id (`hdfs://id`), not by an address.
    pub logical: bool,
    pub namenodes: Vec<NameNode>,
}

/// One NameNode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameNode {
    /// Id in dfs.ha.namenodes.
    pub id: Option<String>,
    pub rpc: HostPort,
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// The host that the url names, for `HTTP@host`.
    pub host: String,
}

impl Cluster {
    /// Finds the NameNodes.
    ///
    /// # Errors
    /// A key that is missing or wrong.
    pub fn from_conf(conf: &Conf) -> Result<Self, ClusterError> {
        let authentication = conf
            .get("hadoop.security.authentication")
            .unwrap_or_else(|| "simple".into());
        if !authentication.eq_ignore_ascii_case("kerberos") {
            return Err(ClusterError::NotSecure(authentication));
        }
        let reader = Reader {
            conf,
            https: https(conf)?,
        };
        let mut services = Vec::new();
        for id in own_name_services(conf) {
            services.push(reader.name_service(&id)?);
        }
        services.extend(reader.default_file_system(&services)?);
        if services.is_empty() {
            return Err(ClusterError::NoNameNode);
        }
        Ok(Self {
            services,
            renew_interval: renew_interval(conf),
        })
    }
}

/// dfs.internal.nameservices leaves out other clusters that clients may read from.
fn own_name_services(conf: &Conf) -> Vec<String> {
    let internal = conf.list("dfs.internal.nameservices");
    if internal.is_empty() {
        conf.list("dfs.nameservices")
    } else {
        internal
    }
}

/// Tokens are secrets: where both are served, https.
fn https(conf: &Conf) -> Result<bool, ClusterError> {
    match conf
        .get("dfs.http.policy")
        .unwrap_or_else(|| "HTTP_ONLY".into())
    {
        policy if policy.eq_ignore_ascii_case("HTTP_ONLY") => Ok(false),
        policy if policy.eq_ignore_ascii_case("HTTPS_ONLY") => Ok(true),
        policy if policy.eq_ignore_ascii_case("HTTP_AND_HTTPS") => Ok(true),
        policy => Err(ClusterError::Policy(policy)),
    }
}

fn renew_interval(conf: &Conf) -> Duration {
    let millis = conf
        .get("dfs.namenode.delegation.token.renew-interval")
        .and_then(|text| text.parse().ok());
    millis
        .filter(|millis| *millis > 0)
        .map_or(DAY, Duration::from_millis)
}

struct Reader<'a> {
    conf: &'a Conf,
    https: bool,
}

impl Reader<'_> {
    fn name_service(&self, id: &str) -> Result<NameService, ClusterError> {
        let namenodes = self.conf.list(&format!("dfs.ha.namenodes.{id}"));
        if namenodes.is_empty() {
            let rpc = self.rpc(&format!(".{id}"))?;
            let namenode = self.namenode(None, &format!(".{id}"), rpc)?;
            return Ok(NameService {
                id: id.into(),
                logical: false,
                namenodes: vec![namenode],
            });
        }
        let all = namenodes.into_iter().map(|namenode| {
            let suffix = format!(".{id}.{namenode}");
            let rpc = self.rpc(&suffix)?;
            self.namenode(Some(namenode), &suffix, rpc)
        });
        Ok(NameService {
            id: id.into(),
            logical: true,
            namenodes: all.collect::<Result<_, _>>()?,
        })
    }

    /// `hdfs://host:port` as fs.defaultFS, where no name service stands for it.
    fn default_file_system(
        &self,
        known: &[NameService],
    ) -> Result<Option<NameService>, ClusterError> {
        let key = "fs.defaultFS";
        let Some(value) = self.conf.get(key) else {
            return Ok(None);
        };
        let Some(rest) = value.strip_prefix("hdfs://") else {
            return Ok(None);
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if self
            .conf
            .list("dfs.nameservices")
            .iter()
            .any(|id| id == authority)
        {
            return Ok(None);
        }
        let rpc = HostPort::parse(authority, RPC_PORT).ok_or_else(|| ClusterError::Address {
            key: key.into(),
            value: value.clone(),
        })?;
        if known
            .iter()
            .flat_map(|service| &service.namenodes)
            .any(|namenode| namenode.rpc == rpc)
        {
            return Ok(None);
        }
        let id = rpc.host.clone();
        let namenode = self.namenode(None, "", rpc)?;
        Ok(Some(NameService {
            id,
            logical: false,
            namenodes: vec![namenode],
        }))
    }

    fn rpc(&self, suffix: &str) -> Result<HostPort, ClusterError> {
        let key = format!("dfs.namenode.rpc-address{suffix}");
        self.address(&key, RPC_PORT)?
            .ok_or(ClusterError::Missing { key })
    }

    fn namenode(
        &self,
        id: Option<String>,
        suffix: &str,
        rpc: HostPort,
    ) -> Result<NameNode, ClusterError> {
        let (scheme, key, port) = match self.https {
            true => ("https", "dfs.namenode.https-address", HTTPS_PORT),
            false => ("http", "dfs.namenode.http-address", HTTP_PORT),
        };
        let web = self.address(&format!("{key}{suffix}"), port)?;
        let mut web = web.unwrap_or_else(|| HostPort {
            host: rpc.host.clone(),
            port,
        });
        if web.is_wildcard() {
            web.host = rpc.host.clone();
        }
        Ok(NameNode {
            id,
            rpc,
            url: format!("{scheme}://{web}"),
            host: web.host,
        })
    }

    fn address(&self, key: &str, port: u16) -> Result<Option<HostPort>, ClusterError> {
        let Some(value) = self.conf.get(key) else {
            return Ok(None);
        };
        match HostPort::parse(&value, port) {
            Some(address) => Ok(Some(address)),
            None => Err(ClusterError::Address {
                key: key.into(),
                value,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
