//! The ResourceManagers as yarn-site.xml describes them.
//!
//! Defaults of org.apache.hadoop.yarn.conf.YarnConfiguration; with HA every key ends with the id of one.

use super::policy::Policy;
use super::{ClusterError, Conf, Web};
use crate::hadoop::host::HostPort;

const FILE: &str = "yarn-site.xml";
const RPC_PORT: u16 = 8032;
const HTTP_PORT: u16 = 8088;
const HTTPS_PORT: u16 = 8090;

/// One YARN cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yarn {
    /// One, or an HA group in the order of yarn.resourcemanager.ha.rm-ids.
    pub managers: Vec<ResourceManager>,
}

/// One ResourceManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceManager {
    pub rpc: HostPort,
    pub web: Web,
}

impl Yarn {
    /// Nothing where there is no yarn-site.xml.
    pub(super) fn from_conf(conf: &Conf) -> Result<Option<Self>, ClusterError> {
        if !conf.has_file(FILE) {
            return Ok(None);
        }
        let https = matches!(
            Policy::read(conf, "yarn.http.policy")?,
            Policy::Https | Policy::Both
        );
        let ha = conf.get("yarn.resourcemanager.ha.enabled");
        let suffixes = match ha.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            true => ids(conf)?,
            false => vec![String::new()],
        };
        let managers = suffixes.iter().map(|suffix| manager(conf, suffix, https));
        Ok(Some(Self {
            managers: managers.collect::<Result<_, _>>()?,
        }))
    }
}

fn ids(conf: &Conf) -> Result<Vec<String>, ClusterError> {
    let key = "yarn.resourcemanager.ha.rm-ids";
    let ids = conf.list(key);
    if ids.is_empty() {
        return Err(ClusterError::Missing { key: key.into() });
    }
    Ok(ids.iter().map(|id| format!(".{id}")).collect())
}

fn manager(conf: &Conf, suffix: &str, https: bool) -> Result<ResourceManager, ClusterError> {
    let of = |part: &str| format!("yarn.resourcemanager.{part}{suffix}");
    let hostname = conf.address(&of("hostname"), RPC_PORT)?;
    let hostname = hostname.filter(|address| !address.is_wildcard());
    let rpc = conf.address(&of("address"), RPC_PORT)?;
    let rpc = match (rpc, hostname) {
        (Some(rpc), Some(hostname)) => HostPort::or_beside(Some(rpc), &hostname, RPC_PORT),
        (Some(rpc), None) if !rpc.is_wildcard() => rpc,
        (None, Some(hostname)) => hostname,
        _ => {
            return Err(ClusterError::Missing {
                key: of("hostname"),
            });
        }
    };
    let (part, port) = match https {
        true => ("webapp.https.address", HTTPS_PORT),
        false => ("webapp.address", HTTP_PORT),
    };
    let web = Web {
        https,
        address: HostPort::or_beside(conf.address(&of(part), port)?, &rpc, port),
        setting: of(part),
    };
    Ok(ResourceManager { rpc, web })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yarn(pairs: &[(&str, &str)]) -> Result<Option<Yarn>, ClusterError> {
        let property = |(name, value): &(&str, &str)| {
            format!("<property><name>{name}</name><value>{value}</value></property>")
        };
        let text: String = pairs.iter().map(property).collect();
        Yarn::from_conf(&Conf::from_all(["", "", &text]))
    }

    fn addresses(pairs: &[(&str, &str)]) -> Vec<String> {
        let managers = yarn(pairs).unwrap().unwrap().managers;
        let shown = managers
            .iter()
            .map(|it| format!("{} {}", it.rpc, it.web.url()));
        shown.collect()
    }

    #[test]
    fn one_is_found_by_its_host_name_or_its_addresses() {
        let host = ("yarn.resourcemanager.hostname", "rm.test");
        assert_eq!(addresses(&[host]), ["rm.test:8032 http://rm.test:8088"]);
        let https = ("yarn.http.policy", "HTTPS_ONLY");
        assert_eq!(
            addresses(&[host, https]),
            ["rm.test:8032 https://rm.test:8090"]
        );
        let own = [
            ("yarn.resourcemanager.address", "rm.test:8050"),
            ("yarn.resourcemanager.webapp.address", "0.0.0.0:18088"),
        ];
        assert_eq!(addresses(&own), ["rm.test:8050 http://rm.test:18088"]);
        assert_eq!(yarn(&[]), Ok(None));
        let nowhere = yarn(&[("yarn.resourcemanager.hostname", "0.0.0.0")]).unwrap_err();
        assert!(nowhere.to_string().contains("resourcemanager.hostname"));
    }

    #[test]
    fn a_group_keeps_its_order() {
        let group = [
            ("yarn.resourcemanager.ha.enabled", "true"),
            ("yarn.resourcemanager.ha.rm-ids", "rm2, rm1"),
            ("yarn.resourcemanager.hostname.rm1", "a.test"),
            ("yarn.resourcemanager.hostname.rm2", "b.test"),
            ("yarn.resourcemanager.webapp.address.rm1", "a.test:9088"),
        ];
        assert_eq!(
            addresses(&group),
            [
                "b.test:8032 http://b.test:8088",
                "a.test:8032 http://a.test:9088"
            ]
        );
        assert!(yarn(group.get(..1).unwrap()).is_err());
    }
}
