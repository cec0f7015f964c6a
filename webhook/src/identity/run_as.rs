//! Running as somebody else: which users may be granted at all, and what the API server said.

use kube2hadoop_stamp::HadoopUser;
use regex::Regex;
use serde::Deserialize;

use super::mapping::{MappingError, anchored};

/// The `runAs` section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunAsPolicy {
    /// Users that RBAC may grant, anchored. None by default: a wildcard role in one namespace would grant everybody.
    #[serde(default)]
    pub grantable: Vec<Grantable>,
}

/// One anchored pattern.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Grantable(Regex);

impl TryFrom<String> for Grantable {
    type Error = MappingError;

    fn try_from(pattern: String) -> Result<Self, MappingError> {
        anchored(&pattern).map(Self)
    }
}

impl RunAsPolicy {
    /// Can anybody be granted? If not, nothing need be found out.
    pub fn is_on(&self) -> bool {
        !self.grantable.is_empty()
    }

    /// May this user be granted at all?
    pub fn may_be_granted(&self, user: &HadoopUser) -> bool {
        let mut patterns = self.grantable.iter();
        patterns.any(|pattern| pattern.0.is_match(user.as_str()))
    }
}

/// What was found out about the right to run as one user. It says nothing of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub user: HadoopUser,
    pub verdict: Verdict,
}

/// The API server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    Refused,
    /// There was none in time.
    Unknown,
}

/// What grants a run-as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Verb `use` on the HadoopUser of that name, in the namespace.
    Rbac,
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rbac => f.write_str("rbac"),
        }
    }
}
