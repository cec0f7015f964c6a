//! Running as somebody else: which users may be granted at all, by whom, and what was said.

use std::fmt;

use kube2hadoop_stamp::HadoopUser;
use regex::Regex;
use serde::Deserialize;

use super::ldap::LdapPolicy;
use super::mapping::{MappingError, anchored};

/// The `runAs` section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunAsPolicy {
    /// Users that RBAC may grant, anchored. None by default: a wildcard role in one namespace would grant everybody.
    #[serde(default)]
    pub grantable: Vec<Grantable>,
    /// Groups that grant, besides. They have a list of their own: a group's name may be that of a person.
    #[serde(default)]
    pub ldap: Option<LdapPolicy>,
}

/// One anchored pattern.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Grantable(Regex);

impl Grantable {
    pub(super) fn matches(&self, user: &HadoopUser) -> bool {
        self.0.is_match(user.as_str())
    }
}

impl TryFrom<String> for Grantable {
    type Error = MappingError;

    fn try_from(pattern: String) -> Result<Self, MappingError> {
        anchored(&pattern).map(Self)
    }
}

impl RunAsPolicy {
    /// May this user be granted by it at all?
    pub fn may_grant(&self, grant: Grant, user: &HadoopUser) -> bool {
        match grant {
            Grant::Rbac => self.grantable.iter().any(|pattern| pattern.matches(user)),
            Grant::Ldap => self.ldap.as_ref().is_some_and(|ldap| ldap.may_grant(user)),
        }
    }

    /// All that may grant this user, in the order in which they are asked.
    pub fn grants(&self, user: &HadoopUser) -> Vec<Grant> {
        let mut grants = Grant::ALL.to_vec();
        grants.retain(|grant| self.may_grant(*grant, user));
        grants
    }
}

/// Somebody who asks to run as somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Who they are themselves.
    pub own: HadoopUser,
    pub user: HadoopUser,
    /// What may grant it, in the order in which they are asked; at least one.
    pub by: Vec<Grant>,
}

/// What was found out about the right to run as one user. It says nothing of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub user: HadoopUser,
    /// None: not asked.
    pub rbac: Option<Verdict>,
    pub ldap: Option<Verdict>,
}

impl Authority {
    /// What this one said.
    pub fn said(&self, grant: Grant) -> Option<Verdict> {
        match grant {
            Grant::Rbac => self.rbac,
            Grant::Ldap => self.ldap,
        }
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    Refused,
    /// There was none in time.
    Unknown,
}

impl From<Option<bool>> for Verdict {
    fn from(answer: Option<bool>) -> Self {
        match answer {
            Some(true) => Self::Granted,
            Some(false) => Self::Refused,
            None => Self::Unknown,
        }
    }
}

/// What grants a run-as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Verb `use` on the HadoopUser of that name, in the namespace.
    Rbac,
    /// Membership in the group of that user, in all namespaces.
    Ldap,
}

impl Grant {
    /// In the order in which they are asked.
    pub const ALL: [Self; 2] = [Self::Rbac, Self::Ldap];
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rbac => "rbac",
            Self::Ldap => "ldap",
        })
    }
}
