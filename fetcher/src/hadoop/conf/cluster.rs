//! The file systems a configuration names, and the servers that issue their tokens.

use std::time::Duration;

use thiserror::Error;

use super::file_system::{self, FileSystem, Scheme};
use super::namenodes::{HTTP_PORT, HTTPS_PORT, NameNode, NameService, RPC_PORT, Reader};
use super::{Conf, Web, Yarn};
use crate::hadoop::host::HostPort;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What in the configuration does not lead to a NameNode.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ClusterError {
    #[error(
        "the configuration names no NameNode: set fs.defaultFS to hdfs://…, webhdfs://… or viewfs://… with a mount table, or dfs.nameservices, in core-site.xml or hdfs-site.xml"
    )]
    NoNameNode,
    #[error("{key} is missing: the service cannot be reached without it")]
    Missing { key: String },
    #[error("{key} is {value:?}, which is not host:port")]
    Address { key: String, value: String },
    #[error("{key} is {value:?}: it is one of HTTP_ONLY, HTTPS_ONLY, HTTP_AND_HTTPS")]
    Policy { key: &'static str, value: String },
    #[error(
        "hadoop.security.authentication is {0:?}: delegation tokens are only issued where it is kerberos; give the fetcher the secure cluster's core-site.xml"
    )]
    NotSecure(String),
}

/// Everything that issues tokens, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub services: Vec<NameService>,
    /// File systems that are known by their web address only: HttpFS.
    pub gateways: Vec<Gateway>,
    /// Where yarn-site.xml is given.
    pub yarn: Option<Yarn>,
    /// How long an issued token works without renewal, as the configuration says (default one day);
    /// the servers' own value holds where it differs.
    pub renew_interval: Duration,
}

/// One HttpFS, or another server of webhdfs://.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its host.
    pub id: String,
    pub web: Web,
}

impl Cluster {
    /// Finds the NameNodes, gateways and ResourceManagers.
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
        let reader = Reader::new(conf)?;
        let mut cluster = Self {
            services: Vec::new(),
            gateways: Vec::new(),
            yarn: Yarn::from_conf(conf)?,
            renew_interval: renew_interval(conf),
        };
        for id in own_name_services(conf) {
            cluster.services.push(reader.name_service(&id)?);
        }
        for file_system in file_system::named(conf) {
            cluster.add(&reader, &file_system)?;
        }
        if cluster.services.is_empty() && cluster.gateways.is_empty() {
            return Err(ClusterError::NoNameNode);
        }
        Ok(cluster)
    }

    /// A file system that the configuration names, unless it is one of those already found.
    fn add(&mut self, reader: &Reader<'_>, found: &FileSystem) -> Result<(), ClusterError> {
        let id = &found.authority;
        if reader.is_name_service(id) {
            if self.services.iter().all(|service| service.id != *id) {
                self.services.push(reader.name_service(id)?);
            }
            return Ok(());
        }
        match found.scheme {
            Scheme::Hdfs => self.add_hdfs(reader, found),
            Scheme::WebHdfs => self.add_web(found, false),
            Scheme::SWebHdfs => self.add_web(found, true),
        }
    }

    fn add_hdfs(&mut self, reader: &Reader<'_>, found: &FileSystem) -> Result<(), ClusterError> {
        let rpc = address(found, RPC_PORT)?;
        if self.knows(&rpc, |namenode| namenode.rpc == rpc) {
            return Ok(());
        }
        let id = self.free_id(&rpc);
        let namenode = reader.unnamed(&id, rpc, found.key == "fs.defaultFS")?;
        self.services.push(NameService {
            id,
            logical: false,
            namenodes: vec![namenode],
            by_address: Vec::new(),
        });
        Ok(())
    }

    fn add_web(&mut self, found: &FileSystem, https: bool) -> Result<(), ClusterError> {
        let web = Web {
            https,
            address: address(found, if https { HTTPS_PORT } else { HTTP_PORT })?,
            setting: found.key.clone(),
        };
        let serves = |other: &Web| (other.https, &other.address) == (web.https, &web.address);
        let is_it = |namenode: &NameNode| {
            serves(&namenode.web) || namenode.plain.as_ref().is_some_and(serves)
        };
        let known = self.gateways.iter().any(|gateway| serves(&gateway.web));
        if !known && !self.knows(&web.address, is_it) {
            let id = self.free_id(&web.address);
            self.gateways.push(Gateway { id, web });
        }
        Ok(())
    }

    /// Whether a NameNode is found already. A member of an HA group then needs its address beside the group's id.
    fn knows(&mut self, address: &HostPort, is_it: impl Fn(&NameNode) -> bool) -> bool {
        let Some(service) = self
            .services
            .iter_mut()
            .find(|service| service.namenodes.iter().any(&is_it))
        else {
            return false;
        };
        if service.logical && !service.by_address.contains(address) {
            service.by_address.push(address.clone());
        }
        true
    }

    /// The host, with the port where another service has that name.
    fn free_id(&self, address: &HostPort) -> String {
        let services = self.services.iter().map(|it| &it.id);
        let mut ids = services.chain(self.gateways.iter().map(|it| &it.id));
        match ids.any(|id| *id == address.host) {
            true => format!("{}-{}", address.host, address.port),
            false => address.host.clone(),
        }
    }
}

fn address(found: &FileSystem, port: u16) -> Result<HostPort, ClusterError> {
    HostPort::parse(&found.authority, port).ok_or_else(|| ClusterError::Address {
        key: found.key.clone(),
        value: found.authority.clone(),
    })
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

fn renew_interval(conf: &Conf) -> Duration {
    let millis = conf
        .get("dfs.namenode.delegation.token.renew-interval")
        .and_then(|text| text.parse().ok());
    millis
        .filter(|millis| *millis > 0)
        .map_or(DAY, Duration::from_millis)
}

#[cfg(test)]
mod tests;
