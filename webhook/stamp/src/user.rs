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

/// Hadoop users that are refused, whoever asks. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<HadoopUser>")]
pub struct DenyList(BTreeSet<String>);

impl DenyList {
    /// Is this user refused?
    pub fn contains(&self, user: &HadoopUser) -> bool {
        self.0.contains(&user.as_str().to_ascii_lowercase())
    }
}

impl Default for DenyList {
    fn default() -> Self {
        Self(
            DEFAULT_DENIED
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        )
    }
}

impl From<Vec<HadoopUser>> for DenyList {
    fn from(users: Vec<HadoopUser>) -> Self {
        Self(
            users
                .iter()
                .map(|user| user.as_str().to_ascii_lowercase())
                .collect(),
        )
    }
}
