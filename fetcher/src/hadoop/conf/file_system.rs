//! The file systems that a configuration names besides its name services, and where it names them.

use super::Conf;

/// Hadoop's own list of further file systems that jobs get tokens for (`mapred-default.xml`).
const MORE: &str = "mapreduce.job.hdfs-servers";
const MOUNT_TABLES: &str = "fs.viewfs.mounttable.";

/// A file system as a client would name it, of those that issue delegation tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// The key that names it.
    pub(super) key: String,
    pub(super) scheme: Scheme,
    /// `host`, `host:port` or the id of a name service.
    pub(super) authority: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Hdfs,
    WebHdfs,
    SWebHdfs,
}

impl Scheme {
    fn of(uri: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = uri.trim().split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "hdfs" => Some((Self::Hdfs, rest)),
            "webhdfs" => Some((Self::WebHdfs, rest)),
            "swebhdfs" => Some((Self::SWebHdfs, rest)),
            _ => None,
        }
    }
}

/// Each one that the configuration names, in its order; the default one first.
pub(super) fn named(conf: &Conf) -> Vec<FileSystem> {
    let keys = ["fs.defaultFS", MORE].map(str::to_owned);
    let links = conf
        .names(MOUNT_TABLES)
        .filter(|name| is_link(name))
        .map(str::to_owned);
    let mut found: Vec<FileSystem> = Vec::new();
    for key in keys.into_iter().chain(links) {
        // A link of one path has one target, linkNfly several.
        for uri in conf.list(&key) {
            if let Some(one) = file_system(&key, &uri)
                && !found.iter().any(|other| other.same(&one))
            {
                found.push(one);
            }
        }
    }
    found
}

impl FileSystem {
    fn same(&self, other: &Self) -> bool {
        (self.scheme, &self.authority) == (other.scheme, &other.authority)
    }
}

fn file_system(key: &str, uri: &str) -> Option<FileSystem> {
    let (scheme, rest) = Scheme::of(uri)?;
    let authority = rest.split('/').next().unwrap_or_default();
    // `hdfs:///path` is the default file system's.
    (!authority.is_empty()).then(|| FileSystem {
        key: key.into(),
        scheme,
        authority: authority.into(),
    })
}

/// `<table>.link.<path>`, `.linkFallback`, `.linkMergeSlash`, `.linkMerge`, `.linkNfly.<settings>.<path>` and
/// `.linkRegx.<pattern>` (org.apache.hadoop.fs.viewfs.Constants).
fn is_link(name: &str) -> bool {
    name.get(MOUNT_TABLES.len()..)
        .is_some_and(|rest| rest.contains(".link"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_every_mount_table_is_found_once() {
        let property = |name: &str, value: &str| {
            format!("<property><name>{name}</name><value>{value}</value></property>")
        };
        let text = [
            ("fs.defaultFS", "viewfs://cluster/"),
            ("fs.viewfs.mounttable.cluster.link./data", "hdfs://ns1/data"),
            ("fs.viewfs.mounttable.cluster.link./logs", "hdfs://ns1/logs"),
            ("fs.viewfs.mounttable.cluster.homedir", "/user"),
            (
                "fs.viewfs.mounttable.cluster.linkFallback",
                "hdfs://nn3.test:8020/",
            ),
            (
                "fs.viewfs.mounttable.c.linkNfly.minReplication=2./x",
                "hdfs://ns4/x,webhdfs://nn5.test/y",
            ),
            (
                "fs.viewfs.mounttable.d.linkMergeSlash",
                "SWEBHDFS://gate:14000/",
            ),
            ("fs.viewfs.mounttable.d.link./s3", "s3a://bucket/"),
            ("fs.viewfs.mounttable.d.link./here", "hdfs:///here"),
            ("mapreduce.job.hdfs-servers", "hdfs://far, hdfs://ns4"),
        ];
        let text: String = text
            .iter()
            .map(|(name, value)| property(name, value))
            .collect();
        let found = named(&Conf::from_texts(&text, ""));
        let shown: Vec<_> = found
            .iter()
            .map(|it| format!("{:?} {}", it.scheme, it.authority))
            .collect();
        assert_eq!(
            shown,
            [
                "Hdfs far",
                "Hdfs ns4",
                "WebHdfs nn5.test",
                "Hdfs ns1",
                "Hdfs nn3.test:8020",
                "SWebHdfs gate:14000",
            ]
        );
    }
}
