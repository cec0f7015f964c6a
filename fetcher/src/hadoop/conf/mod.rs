//! core-site.xml, hdfs-site.xml and yarn-site.xml, read as Hadoop reads them.
//!
//! Rules of org.apache.hadoop.conf.Configuration: later files win over earlier ones, unless a property
//! is final; `${name}` stands for another property's value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::host::HostPort;

mod cluster;
mod expand;
mod file;
mod file_system;
mod namenodes;
mod policy;
mod web;
mod yarn;

pub use cluster::{Cluster, ClusterError, Gateway};
pub use namenodes::{NameNode, NameService};
pub use web::Web;
pub use yarn::{ResourceManager, Yarn};

/// In the order in which they are loaded.
pub const FILES: [&str; 3] = [CORE, "hdfs-site.xml", "yarn-site.xml"];
/// The one that every cluster has.
const CORE: &str = "core-site.xml";
/// Keys that old configurations still use, and what they are called now.
const DEPRECATED: [(&str, &str); 4] = [
    ("fs.default.name", "fs.defaultFS"),
    ("dfs.federation.nameservices", "dfs.nameservices"),
    ("dfs.http.address", "dfs.namenode.http-address"),
    ("dfs.https.address", "dfs.namenode.https-address"),
];

/// Why a configuration file could not be used.
#[derive(Debug, Error)]
pub enum ConfError {
    #[error(
        "failed to read {path}: give the fetcher the cluster's core-site.xml and hdfs-site.xml"
    )]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is larger than {limit} bytes: this is no Hadoop configuration")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path} is not UTF-8 text: save it as UTF-8")]
    NotUtf8 { path: PathBuf },
    #[error("{path}, line {line}: the XML is broken: {what}")]
    Xml {
        path: PathBuf,
        line: u32,
        what: String,
    },
    #[error("{path}, line {line}: a DTD and its entities are not read: write the values out")]
    Dtd { path: PathBuf, line: u32 },
    #[error("{path}, line {line}: the outermost element is <{found}>; Hadoop's is <configuration>")]
    Root {
        path: PathBuf,
        line: u32,
        found: String,
    },
    #[error(
        "{path}, line {line}: includes are not followed: put the included properties into this file"
    )]
    Include { path: PathBuf, line: u32 },
    #[error("{path}, line {line}: this property has no name: give it one, or remove it")]
    NoName { path: PathBuf, line: u32 },
}

/// One property as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Property {
    name: String,
    value: String,
    is_final: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    raw: String,
    is_final: bool,
    file: &'static str,
}

/// The properties in force.
#[derive(Debug, Clone, Default)]
pub struct Conf {
    entries: BTreeMap<String, Entry>,
}

impl Conf {
    /// Reads the files of a directory; all but core-site.xml may be missing.
    ///
    /// # Errors
    /// The first thing that is wrong with a file.
    pub fn read_dir(dir: &Path) -> Result<Self, ConfError> {
        let mut conf = Self::default();
        for name in FILES {
            let path = dir.join(name);
            if name != CORE && !path.exists() {
                continue;
            }
            conf.load(name, file::read(&path)?);
        }
        Ok(conf)
    }

    /// Adds what one file says, keeping what an earlier one made final.
    fn load(&mut self, file: &'static str, properties: Vec<Property>) {
        for property in properties {
            let name = DEPRECATED
                .iter()
                .find(|(old, _)| *old == property.name)
                .map_or(property.name, |(_, new)| (*new).to_owned());
            if self.entries.get(&name).is_some_and(|entry| entry.is_final) {
                continue;
            }
            self.entries.insert(
                name,
                Entry {
                    raw: property.value,
                    is_final: property.is_final,
                    file,
                },
            );
        }
    }

    /// The value, trimmed, its variables replaced; nothing if absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.get_where(name, |_| true)
    }

    /// The same, with only those variables replaced that `may` allows.
    fn get_where(&self, name: &str, may: impl Fn(&str) -> bool) -> Option<String> {
        let entry = self.entries.get(name)?;
        let lookup = |key: &str| {
            self.entries
                .get(key)
                .filter(|_| may(key))
                .map(|it| it.raw.as_str())
        };
        let value = expand::expand(&entry.raw, lookup);
        let trimmed = value.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    /// The names in force that begin so.
    pub(super) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.entries.range(prefix.to_owned()..);
        names
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    /// The entries of a comma separated list.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The value as an address.
    fn address(&self, key: &str, port: u16) -> Result<Option<HostPort>, ClusterError> {
        let Some(value) = self.get(key) else {
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

    /// What of the file may go to a pod: keys that `may` allows, with variables that `may_stand` there.
    pub(super) fn allowed<'a>(
        &'a self,
        file: &'a str,
        may: fn(&str) -> bool,
        may_stand: fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'a str, String)> {
        self.entries
            .iter()
            .filter(move |(name, entry)| entry.file == file && may(name))
            .filter_map(move |(name, _)| Some((name.as_str(), self.get_where(name, may_stand)?)))
    }

    /// Whether the directory had that file, with anything in it.
    pub(super) fn has_file(&self, file: &str) -> bool {
        self.entries.values().any(|entry| entry.file == file)
    }

    /// A configuration from text, as if from these files.
    #[cfg(test)]
    pub(super) fn from_texts(core: &str, hdfs: &str) -> Self {
        Self::from_all([core, hdfs, ""])
    }

    #[cfg(test)]
    pub(super) fn from_all(texts: [&str; 3]) -> Self {
        let mut conf = Self::default();
        for (name, text) in FILES.into_iter().zip(texts) {
            let text = format!("<configuration>{text}</configuration>");
            conf.load(name, file::parse(Path::new(name), &text).unwrap());
        }
        conf
    }
}

#[cfg(test)]
mod tests;
