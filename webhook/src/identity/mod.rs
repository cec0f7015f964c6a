//! Who is behind a request, and whom may they run as: a decision over facts, without I/O.

mod controllers;
mod decide;
mod mapping;
mod origin;

use serde::Deserialize;

pub use controllers::Controllers;
pub use decide::{Facts, Identity, Nobody, Rule, Subject, decide};
pub use mapping::{Mapping, MappingError};
pub use origin::{Owned, fits, resolved};

/// The `identity` section of the configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityPolicy {
    /// Ordered; the first that matches the user name decides.
    pub mappings: Vec<Mapping>,
    /// Map service accounts even of namespaces in scope, whose editors can all act as them.
    #[serde(default)]
    pub allow_namespace_editors: bool,
    /// Hadoop users that nobody becomes.
    #[serde(default)]
    pub deny: kube2hadoop_stamp::DenyList,
    /// User names whose template stamps are kept, with the kinds they serve.
    #[serde(default)]
    pub trusted_controllers: Controllers,
}

#[cfg(test)]
mod tests;
