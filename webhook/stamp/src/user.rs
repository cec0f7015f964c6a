//! Hadoop's short user names. Hadoop does not check what `doas` carries, so this does.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MAX_LENGTH: usize = 64;

/// A Hadoop short name: `[A-Za-z_][A-Za-z0-9._-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HadoopUser(String);

/// A name that is sent to no Hadoop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Hadoop user name: want a letter or _, then letters, digits, dot, dash or _, at most {MAX_LENGTH} in all"
)]
pub struct InvalidUser;

impl HadoopUser {
    /// The name as Hadoop knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HadoopUser {
    type Err = InvalidUser;

    fn from_str(name: &str) -> Result<Self, InvalidUser> {
        let mut bytes = name.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if first && rest && name.len() <= MAX_LENGTH {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidUser)
        }
    }
}

impl TryFrom<String> for HadoopUser {
    type Error = InvalidUser;

    fn try_from(name: String) -> Result<Self, InvalidUser> {
        name.parse()
    }
}

impl From<HadoopUser> for String {
    fn from(user: HadoopUser) -> Self {
        user.0
    }
}

impl fmt::Display for HadoopUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Users that nobody becomes: Hadoop's superusers, and the operating system's.
pub const DEFAULT_DENIED: [&str; 14] = [
    "hdfs",
    "yarn",
    "mapred",
    "hadoop",
    "kms",
    "httpfs",
    "hbase",
    "hive",
    "spark",
    "zookeeper",
    "ozone",
    "HTTP",
    "kube2hadoop",
    "root",
];

/// Hadoop users that are refused, whoever asks: [`DEFAULT_DENIED`] and what is added to it. Read from a list of names,
/// in which `-name` takes one of those built in out. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct DenyList(BTreeSet<String>);

/// An entry of a deny list that means nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDenyList {
    #[error("deny: {name:?} is {source}")]
    User { name: String, source: InvalidUser },
    #[error(
        "deny: -{0} takes nobody off the list, since the built-in one has no {0}: it has {list}",
        list = DEFAULT_DENIED.join(", ")
    )]
    NotBuiltIn(String),
}

impl DenyList {
    /// Is this user refused?
    pub fn contains(&self, user: &HadoopUser) -> bool {
        self.0.contains(&user.as_str().to_ascii_lowercase())
    }

    /// The list with one name more.
    #[must_use]
    pub fn and(mut self, name: &str) -> Self {
        self.0.insert(name.to_ascii_lowercase());
        self
    }
}

impl Default for DenyList {
    fn default() -> Self {
        let names = DEFAULT_DENIED.iter();
        Self(names.map(|name| name.to_ascii_lowercase()).collect())
    }
}

impl TryFrom<Vec<String>> for DenyList {
    type Error = InvalidDenyList;

    fn try_from(entries: Vec<String>) -> Result<Self, InvalidDenyList> {
        let mut list = Self::default();
        // Who is both taken out and added is denied.
        let (out, added): (Vec<_>, Vec<_>) = entries.iter().partition(|it| it.starts_with('-'));
        for name in out.into_iter().filter_map(|entry| entry.strip_prefix('-')) {
            if !list.0.remove(&name.to_ascii_lowercase()) {
                return Err(InvalidDenyList::NotBuiltIn(name.to_owned()));
            }
        }
        for name in added {
            let checked: Result<HadoopUser, _> = name.parse();
            let user = checked.map_err(|source| InvalidDenyList::User {
                name: name.clone(),
                source,
            })?;
            list = list.and(user.as_str());
        }
        Ok(list)
    }
}
