//! The annex's configuration files, from the templates in `e2e/hadoop/annex`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Server, home};
use crate::hadoop::files;

macro_rules! template {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../../hadoop/annex/", $name)),
        )
    };
}

const SERVER_FILES: [(&str, &str); 8] = [
    template!("core-site.xml"),
    template!("hdfs-site.xml"),
    template!("hdfs-rbf-site.xml"),
    template!("kms-site.xml"),
    template!("httpfs-site.xml"),
    template!("yarn-site.xml"),
    template!("ssl-server.xml"),
    template!("ssl-client.xml"),
];

/// The same for all clusters' servers.
const SHARED_FILES: [(&str, &str); 2] = [
    (
        "kms-acls.xml",
        include_str!("../../../hadoop/server/kms-acls.xml"),
    ),
    (
        "log4j.properties",
        include_str!("../../../hadoop/server/log4j.properties"),
    ),
];

const CLIENT_FILES: [(&str, &str); 2] = [
    template!("client/core-site.xml"),
    template!("client/hdfs-site.xml"),
];

/// A web server that lets nobody in without a ticket. Only a ResourceManager waits to be told.
const FILTERS: &str = "<property><name>hadoop.http.filter.initializers</name><value>org.apache.hadoop.security.AuthenticationFilterInitializer</value></property>";

/// Where the KMS share their tokens. The router's are in the same ZooKeeper.
const TOKEN_STORE: &str = "<property><name>hadoop.kms.authentication.zk-dt-secret-manager.enable</name><value>true</value></property>
  <property><name>hadoop.kms.authentication.zk-dt-secret-manager.zkConnectionString</name><value>zk.hadoop.test:2181</value></property>
  <property><name>hadoop.kms.authentication.zk-dt-secret-manager.zkAuthType</name><value>none</value></property>
  <property><name>hadoop.kms.authentication.zk-dt-secret-manager.znodeWorkingPath</name><value>kms</value></property>";

/// The configuration of clients of all clusters.
pub(super) fn client() -> PathBuf {
    home().join("client-conf")
}

/// Writes every file.
pub(super) fn write() -> Result<()> {
    for server in Server::ALL {
        fs::create_dir_all(server.conf())?;
        for (name, template) in SERVER_FILES.iter().chain(&SHARED_FILES) {
            put(server.conf().join(name), &render(template, server))?;
        }
    }
    fs::create_dir_all(client())?;
    for (name, template) in CLIENT_FILES {
        let name = name.trim_start_matches("client/");
        put(client().join(name), template)?;
    }
    // An operator's own file: pods get of it what is theirs.
    let yarn = render(template!("yarn-site.xml").1, Server::ZooKeeper);
    put(client().join("yarn-site.xml"), &yarn)
}

/// From its next start on each KMS keeps its tokens for itself.
pub(super) fn part_the_kms() -> Result<()> {
    let (name, template) = template!("kms-site.xml");
    let template = template.replace("{{TOKEN_STORE}}", "");
    for server in [Server::Kms3, Server::Kms4] {
        put(server.conf().join(name), &render(&template, server))?;
    }
    Ok(())
}

/// System properties besides those of every server.
pub(super) fn options(server: Server) -> Vec<String> {
    let conf = server.conf();
    let tmp = home().join("tmp");
    let defined = |name: &str, value: &dyn std::fmt::Display| format!("-D{name}={value}");
    let mut options = match server {
        Server::ZooKeeper => vec![defined("zookeeper.admin.enableServer", &false)],
        Server::Kms3 | Server::Kms4 => vec![defined("kms.config.dir", &conf.display())],
        Server::HttpFs => vec![
            defined("httpfs.home.dir", &tmp.display()),
            defined("httpfs.config.dir", &conf.display()),
            defined("httpfs.log.dir", &tmp.display()),
            defined("httpfs.temp.dir", &tmp.display()),
        ],
        _ => Vec::new(),
    };
    let log = format!("file:{}", conf.join("log4j.properties").display());
    options.push(defined("log4j.configuration", &log));
    options
}

fn put(path: PathBuf, text: &str) -> Result<()> {
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

fn render(template: &str, server: Server) -> String {
    let id = server.id();
    let manager = matches!(server, Server::Rm1 | Server::Rm2);
    let rm_id =
        format!("<property><name>yarn.resourcemanager.ha.id</name><value>{id}</value></property>");
    template
        .replace("{{FILTERS}}", if manager { FILTERS } else { "" })
        .replace("{{RM_ID}}", if manager { &rm_id } else { "" })
        .replace("{{TOKEN_STORE}}", TOKEN_STORE)
        .replace("{{ID}}", id)
        .replace("{{HOST}}", &format!("{id}.hadoop.test"))
        .replace("{{CONF}}", &server.conf().to_string_lossy())
        .replace("{{KEYTAB}}", &files::keytab("annex").to_string_lossy())
        .replace("{{HOME}}", &home().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left_in_any_file() {
        for (name, template) in SERVER_FILES.iter().chain(&CLIENT_FILES) {
            for server in Server::ALL {
                let text = render(template, server);
                assert!(!text.contains("{{"), "{name} of {}: {text}", server.id());
            }
        }
    }
}
