//! The configuration files of the KDC, the servers and the client, from the templates in `e2e/hadoop`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::files;

/// The servers that have a configuration directory of their own; each is `<id>.hadoop.test`.
pub(super) const SERVERS: [&str; 4] = ["nn1", "nn2", "dn1", "kms"];

const SERVER_FILES: [(&str, &str); 5] = [
    (
        "core-site.xml",
        include_str!("../../hadoop/server/core-site.xml"),
    ),
    (
        "hdfs-site.xml",
        include_str!("../../hadoop/server/hdfs-site.xml"),
    ),
    (
        "kms-site.xml",
        include_str!("../../hadoop/server/kms-site.xml"),
    ),
    (
        "kms-acls.xml",
        include_str!("../../hadoop/server/kms-acls.xml"),
    ),
    (
        "log4j.properties",
        include_str!("../../hadoop/server/log4j.properties"),
    ),
];

const CLIENT_FILES: [(&str, &str); 3] = [
    (
        "core-site.xml",
        include_str!("../../hadoop/client/core-site.xml"),
    ),
    (
        "hdfs-site.xml",
        include_str!("../../hadoop/client/hdfs-site.xml"),
    ),
    (
        "log4j.properties",
        include_str!("../../hadoop/client/log4j.properties"),
    ),
];

/// Web parts whose directories must be on the class path, though nothing is in them.
const WEBAPPS: [&str; 6] = [
    "hdfs",
    "datanode",
    "static",
    "secondary",
    "journal",
    "router",
];

/// Writes every file. `address` is the one that all servers listen on.
pub(super) fn write(address: IpAddr) -> Result<()> {
    files::private_dir(&files::home())?;
    for id in SERVERS {
        let directory = files::server_conf(id);
        fs::create_dir_all(&directory)?;
        for (name, template) in SERVER_FILES {
            put(&directory.join(name), &render(template, id, address))?;
        }
    }
    fs::create_dir_all(files::client_conf())?;
    for (name, text) in CLIENT_FILES {
        put(&files::client_conf().join(name), text)?;
    }
    for name in WEBAPPS {
        fs::create_dir_all(files::webapps().join("webapps").join(name))?;
    }
    kerberos(address)
}

fn kerberos(address: IpAddr) -> Result<()> {
    fs::create_dir_all(files::krb5())?;
    put(
        &files::krb5_conf(),
        include_str!("../../hadoop/krb5/krb5.conf"),
    )?;
    let kdc = include_str!("../../hadoop/krb5/kdc.conf");
    put(
        &files::krb5().join("kdc.conf"),
        &render(kdc, "kdc", address),
    )
}

/// A number that changes with a server's configuration, so that a daemon that runs on an older one is seen.
pub(super) fn fingerprint(directory: &Path) -> Result<String> {
    let mut files: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file.path())?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

fn render(template: &str, id: &str, address: IpAddr) -> String {
    // Only a NameNode may be told which of the two it is.
    let ha = match id {
        "nn1" | "nn2" => {
            format!("<property><name>dfs.ha.namenode.id</name><value>{id}</value></property>")
        }
        _ => String::new(),
    };
    template
        .replace("{{HA_ID}}", &ha)
        .replace("{{ID}}", id)
        .replace("{{HOST}}", &format!("{id}.hadoop.test"))
        .replace("{{ADDRESS}}", &address.to_string())
        .replace("{{STATE}}", &files::home().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left_in_any_file() {
        for (name, template) in SERVER_FILES {
            for id in SERVERS {
                let text = render(template, id, IpAddr::from([10, 210, 0, 1]));
                assert!(!text.contains("{{"), "{name} of {id}: {text}");
            }
        }
    }

    #[test]
    fn only_namenodes_are_told_their_id() {
        let hdfs_site = include_str!("../../hadoop/server/hdfs-site.xml");
        let told = |id| {
            render(hdfs_site, id, IpAddr::from([10, 210, 0, 1])).contains("dfs.ha.namenode.id<")
        };
        assert!(told("nn2") && !told("dn1"));
    }

    #[test]
    fn the_client_configuration_holds_what_no_pod_may_see() {
        let text: String = CLIENT_FILES.iter().map(|(_, text)| *text).collect();
        for key in [
            "fs.s3a.secret.key",
            "keytab.file",
            "ldap.bind.password",
            "<final>true",
        ] {
            assert!(text.contains(key), "{key}");
        }
    }
}
