//! Who is behind a request, and whom may they run as: a decision over facts, without I/O.

mod controllers;
mod decide;
mod group_filter;
mod ldap;
mod mapping;
mod nobody;
mod operators;
mod origin;
mod run_as;

use std::collections::BTreeSet;

use kube2hadoop_stamp::{HadoopUser, InvalidUser};
use serde::Deserialize;

use crate::pod::Metadata;

pub use controllers::Controllers;
pub(crate) use decide::SERVICE_ACCOUNT;
pub use decide::{Facts, Identity, Rule, Subject, decide};
pub use group_filter::{FilterError, GroupFilter, Names};
pub use ldap::{Bind, Directory, LdapError, LdapPolicy, Server};
pub use mapping::{Mapping, MappingError};
pub use nobody::Nobody;
pub use operators::{Mutator, Operator, OperatorError, Operators};
pub use origin::{Called, Owned, fits, resolved};
pub use run_as::{Authority, Grant, Grantable, RunAsPolicy, Verdict, Wish};

/// The `identity` section of the configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityPolicy {
    /// Ordered; the first that matches the user name decides.
    pub mappings: Vec<Mapping>,
    /// Map service accounts even of namespaces in scope, whose editors can all act as them.
    #[serde(default)]
    pub allow_namespace_editors: bool,
    /// Namespaces that the API server is told to leave out: what asks for a stamp in them is not the API server.
    #[serde(default)]
    pub excluded_namespaces: BTreeSet<String>,
    /// Hadoop users that nobody becomes.
    #[serde(default)]
    pub deny: kube2hadoop_stamp::DenyList,
    /// User names whose template stamps are kept, with the kinds they serve.
    #[serde(default)]
    pub trusted_controllers: Controllers,
    /// Operators likewise, besides Kubernetes' own controllers.
    #[serde(default)]
    pub trusted_operators: Operators,
    /// Who may change scheduling, labels and some annotations of templates without answering for them.
    #[serde(default)]
    pub mutators: Vec<Mutator>,
    /// Who may run as somebody else.
    #[serde(default)]
    pub run_as: RunAsPolicy,
}

impl IdentityPolicy {
    /// Is this user trusted to make objects of this kind from stamped templates?
    pub fn trusts(&self, username: &str, group: &str, kind: &str) -> bool {
        self.trusted_controllers.serve(username, group, kind)
            || self.trusted_operators.serve(username, group, kind)
    }

    /// What an object that this user made says of where it comes from.
    pub fn owned<'a>(&'a self, username: &str, metadata: &'a Metadata<'a>) -> Option<Owned<'a>> {
        self.trusted_operators.owned(username, metadata)
    }

    /// The rights of a mutator, if this user is one.
    pub fn mutator(&self, username: &str) -> Option<&Mutator> {
        self.mutators.iter().find(|mutator| mutator.is(username))
    }

    /// The Hadoop user of a person. What acts as a service account may be any editor of its namespace.
    pub fn person(&self, username: &str) -> Option<HadoopUser> {
        let person = !username.starts_with(SERVICE_ACCOUNT);
        self.mapped(username).filter(|_| person)?.1.ok()
    }

    /// What others must be asked about: who is asked for, is not the caller, and may be granted.
    pub fn wish(&self, username: &str, asked: &str) -> Option<Wish> {
        let user: HadoopUser = asked.parse().ok()?;
        let (_, own) = self.mapped(username)?;
        let own = own.ok()?;
        let by = self.run_as.grants(&user);
        let open = own != user && !self.deny.contains(&user) && !by.is_empty();
        open.then_some(Wish { own, user, by })
    }

    /// The first rule that knows the user name, by its place, and what it makes of it.
    fn mapped(&self, username: &str) -> Option<(usize, Result<HadoopUser, InvalidUser>)> {
        let mut rules = self.mappings.iter().enumerate();
        rules.find_map(|(place, rule)| Some((place, rule.apply(username)?)))
    }
}

#[cfg(test)]
mod tests;
