//! The Hadoop configuration that pods get: a list of what may pass.
//!
//! Never a list of what may not: Hadoop has passwords and keys under hundreds of names.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::conf::{Conf, FILES};

/// What clients of HDFS, KMS and YARN need, and what they may be tuned by. Of the KMS only what clients of old go by:
/// others are told by the NameNode, and hdfs-native, which reads `hadoop.security.key.provider.path`, does not start with
/// one in an image without CA certificates.
const KEYS: [&str; 44] = [
    "fs.defaultFS",
    "fs.permissions.umask-mode",
    "hadoop.security.authentication",
    "hadoop.security.authorization",
    "hadoop.security.token.service.use_ip",
    "hadoop.rpc.protection",
    "fs.viewfs.rename.strategy",
    "fs.viewfs.enable.inner.cache",
    "dfs.nameservices",
    "dfs.internal.nameservices",
    "dfs.http.policy",
    "dfs.data.transfer.protection",
    "dfs.encryption.key.provider.uri",
    "dfs.encrypt.data.transfer",
    "dfs.encrypt.data.transfer.algorithm",
    "dfs.encrypt.data.transfer.cipher.suites",
    "dfs.block.access.token.enable",
    "dfs.blocksize",
    "dfs.replication",
    "dfs.namenode.rpc-address",
    "dfs.namenode.http-address",
    "dfs.namenode.https-address",
    "dfs.client.use.datanode.hostname",
    "dfs.client.failover.max.attempts",
    "dfs.client.failover.random.order",
    "dfs.client.failover.sleep.base.millis",
    "dfs.client.failover.sleep.max.millis",
    "ipc.client.connect.timeout",
    "ipc.client.connect.max.retries.on.timeouts",
    "yarn.http.policy",
    "yarn.application.classpath",
    "yarn.client.failover-proxy-provider",
    "yarn.client.failover-max-attempts",
    "yarn.client.failover-sleep-base-ms",
    "yarn.client.failover-sleep-max-ms",
    "yarn.resourcemanager.cluster-id",
    "yarn.resourcemanager.ha.enabled",
    "yarn.resourcemanager.ha.rm-ids",
    "yarn.resourcemanager.principal",
    "yarn.resourcemanager.hostname",
    "yarn.resourcemanager.address",
    "yarn.resourcemanager.scheduler.address",
    "yarn.resourcemanager.webapp.address",
    "yarn.resourcemanager.webapp.https.address",
];

/// Keys that end with the id of a name service, NameNode, mount table or ResourceManager.
const PREFIXES: [&str; 12] = [
    "dfs.ha.namenodes.",
    "dfs.namenode.rpc-address.",
    "dfs.namenode.http-address.",
    "dfs.namenode.https-address.",
    "dfs.client.failover.proxy.provider.",
    "dfs.client.failover.random.order.",
    "fs.viewfs.mounttable.",
    "yarn.resourcemanager.hostname.",
    "yarn.resourcemanager.address.",
    "yarn.resourcemanager.scheduler.address.",
    "yarn.resourcemanager.webapp.address.",
    "yarn.resourcemanager.webapp.https.address.",
];

/// How Hadoop and its connectors name secrets; for variables inside values that may pass, whose names
/// are the operator's own.
const SECRET_PARTS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "credential",
    "token",
    "key",
    "oauth",
    "private",
    "signature",
];

fn may_stand_in_values(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    may_pass(name) || !SECRET_PARTS.iter().any(|part| lower.contains(part))
}

fn may_pass(name: &str) -> bool {
    KEYS.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A mount's target may hold one: `s3a://key:secret@bucket`.
fn holds_login(name: &str, value: &str) -> bool {
    name.starts_with("fs.") && value.contains('@')
}

/// The configuration for pods.
pub struct ClientConf<'a> {
    conf: &'a Conf,
}

impl<'a> ClientConf<'a> {
    /// What pods may see of this configuration.
    #[must_use]
    pub fn new(conf: &'a Conf) -> Self {
        Self { conf }
    }

    /// File name → content.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let given = FILES.into_iter().filter(|file| self.conf.has_file(file));
        given
            .map(|file| (file.to_owned(), self.file(file)))
            .collect()
    }

    fn file(&self, file: &str) -> Vec<u8> {
        write(
            self.conf
                .allowed(file, may_pass, may_stand_in_values)
                .filter(|(name, value)| !holds_login(name, value)),
        )
    }
}

/// A configuration file of these properties.
pub(super) fn write<N: AsRef<str>, V: AsRef<str>>(
    properties: impl Iterator<Item = (N, V)>,
) -> Vec<u8> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n");
    for (name, value) in properties {
        let (name, value) = (escape(name.as_ref()), escape(value.as_ref()));
        let _ = writeln!(
            text,
            "  <property><name>{name}</name><value>{value}</value></property>"
        );
    }
    text.push_str("</configuration>\n");
    text.into_bytes()
}

/// For element content; what XML cannot hold at all is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' => escaped.push(c),
            '\r' => escaped.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, value: &str) -> String {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    }

    fn text(conf: &Conf) -> String {
        ClientConf::new(conf)
            .files()
            .into_values()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    /// Names under which Hadoop 3.4.1 and its connectors keep secrets, or what breaks clients.
    #[test]
    fn secrets_never_pass() {
        let names = [
            "hadoop.security.group.mapping.ldap.bind.password",
            "ssl.server.keystore.password",
            "ssl.client.truststore.password",
            "hadoop.http.authentication.signature.secret.file",
            "dfs.namenode.keytab.file",
            "hadoop.security.credential.provider.path",
            "fs.s3a.access.key",
            "fs.s3a.secret.key",
            "fs.s3a.bucket.b.session.token",
            "fs.azure.account.key.x.blob.core.windows.net",
            "fs.azure.account.oauth2.client.secret",
            "fs.gs.auth.service.account.private.key",
            "hadoop.proxyuser.kube2hadoop.users",
            "hadoop.kms.authentication.signer.secret.provider.zookeeper.path",
            "hadoop.security.auth_to_local",
            "fs.hdfs.impl",
            "dfs.client.read.shortcircuit",
            "dfs.webhdfs.oauth2.credential",
            "dfs.nameservices.password",
        ];
        let all: String = names.iter().map(|name| property(name, "s3cr3t")).collect();
        let conf = Conf::from_texts(&all, &all);
        assert!(!text(&conf).contains("s3cr3t"));
        // Nor as part of a value that may pass.
        let conf = Conf::from_texts(
            &(property("fs.s3a.secret.key", "s3cr3t")
                + &property("fs.defaultFS", "hdfs://${fs.s3a.secret.key}")),
            &property(
                "fs.viewfs.mounttable.v.link./data",
                "s3a://key:s3cr3t@bucket/",
            ),
        );
        assert!(!text(&conf).contains("s3cr3t"));
    }

    #[test]
    fn what_clients_need_passes_in_its_file() {
        let conf = Conf::from_texts(
            &(property("fs.defaultFS", "hdfs://${site.name}1")
                + &property("site.name", "ns")
                + &property("hadoop.security.authentication", "kerberos")),
            &[
                property("dfs.nameservices", "ns1"),
                property("dfs.ha.namenodes.ns1", "nn1,nn2"),
                property("dfs.namenode.rpc-address.ns1.nn1", "a:8020"),
                property("dfs.client.failover.proxy.provider.ns1", "org.apache.P"),
                property("dfs.data.transfer.protection", "authentication"),
            ]
            .concat(),
        );
        let files = ClientConf::new(&conf).files();
        assert_eq!(files.len(), 2);
        let core = String::from_utf8(files["core-site.xml"].clone()).unwrap();
        let hdfs = String::from_utf8(files["hdfs-site.xml"].clone()).unwrap();
        assert!(
            core.contains(&property("fs.defaultFS", "hdfs://ns1")),
            "{core}"
        );
        assert_eq!(
            (
                core.matches("<name>").count(),
                hdfs.matches("<name>").count()
            ),
            (2, 5)
        );
    }

    #[test]
    fn who_submits_to_yarn_finds_its_managers() {
        let passes = property("yarn.resourcemanager.address.rm1", "a:8032")
            + &property("yarn.resourcemanager.ha.rm-ids", "rm1,rm2");
        let stays = property("yarn.resourcemanager.keytab", "/k")
            + &property("yarn.resourcemanager.zk-auth", "digest:a:s3cr3t")
            + &property("yarn.timeline-service.http-authentication.x", "s3cr3t");
        let conf = Conf::from_all(["", "", &(passes + &stays)]);
        let files = ClientConf::new(&conf).files();
        let [(name, content)] = &files.into_iter().collect::<Vec<_>>()[..] else {
            panic!("one file")
        };
        let text = String::from_utf8(content.clone()).unwrap();
        assert_eq!(
            (name.as_str(), text.matches("<name>").count()),
            ("yarn-site.xml", 2)
        );
    }

    #[test]
    fn written_values_are_read_back() {
        let odd = "a<b>&\"c\" ]]> é \u{1} 'd'";
        let bytes = write([("x", odd)].into_iter());
        let text = String::from_utf8(bytes).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let value = document
            .descendants()
            .find(|node| node.tag_name().name() == "value")
            .unwrap();
        assert_eq!(value.text().unwrap(), odd.replace('\u{1}', ""));
    }
}
