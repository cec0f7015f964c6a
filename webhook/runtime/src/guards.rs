//! The ValidatingAdmissionPolicies that identity rests on: there, bound everywhere, and denying.

use futures::future::{join, join_all};
use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Api, Client};
use serde::Deserialize;

mod lookout;

pub use lookout::{BELIEVED, Lookout};

/// Their names in a configuration file; by default as the chart installs them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GuardNames {
    pub identity_is_immutable: String,
    pub token_guard: String,
    pub code_is_the_submitters: String,
    pub history_is_the_controllers: String,
}

impl Default for GuardNames {
    fn default() -> Self {
        Self {
            identity_is_immutable: "kube2hadoop-identity-is-immutable".into(),
            token_guard: "kube2hadoop-token-guard".into(),
            code_is_the_submitters: "kube2hadoop-code-is-the-submitters".into(),
            history_is_the_controllers: "kube2hadoop-history-is-the-controllers".into(),
        }
    }
}

impl GuardNames {
    /// The name of each by its key in the configuration file.
    #[must_use]
    pub fn by_key(&self) -> [(&'static str, &String); 4] {
        [
            ("guards.identityIsImmutable", &self.identity_is_immutable),
            ("guards.tokenGuard", &self.token_guard),
            ("guards.codeIsTheSubmitters", &self.code_is_the_submitters),
            (
                "guards.historyIsTheControllers",
                &self.history_is_the_controllers,
            ),
        ]
    }

    /// All that must be in force.
    #[must_use]
    pub fn all(&self) -> Vec<Guard> {
        let names = self.by_key().into_iter();
        names.map(|(_, name)| Guard::new(name)).collect()
    }
}

/// A policy and the binding of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    name: String,
}

impl Guard {
    /// The guard of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }
}

/// What is wrong with a guard, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GuardProblem {
    #[error("guard {0} is missing: install the chart's ValidatingAdmissionPolicy of that name")]
    Missing(String),
    #[error("guard {0} does not fail closed: set its failurePolicy to Fail")]
    FailsOpen(String),
    #[error("guard {0} checks nothing: install the chart's ValidatingAdmissionPolicy of that name")]
    Empty(String),
    #[error(
        "guard {name} is limited by {field}: remove that, or install the chart's ValidatingAdmissionPolicy of that name"
    )]
    Narrowed { name: String, field: String },
    #[error(
        "guard {0} is not bound: install the chart's ValidatingAdmissionPolicyBinding of that name"
    )]
    Unbound(String),
    #[error("the binding of guard {0} does not deny: set its validationActions to [Deny]")]
    NotDenying(String),
    #[error("the binding of guard {0} is limited by matchResources: remove them")]
    Limited(String),
    #[error("failed to read guard {0}: {1}")]
    Unreadable(String, #[source] kube::Error),
}

impl GuardProblem {
    /// Nobody said anything about the guard: no connection, no answer in time, or an API server that cannot answer now.
    fn is_silence(&self) -> bool {
        let Self::Unreadable(_, error) = self else {
            return false;
        };
        match error {
            kube::Error::Api(status) => status.code >= 500 || status.code == TOO_MANY_REQUESTS,
            kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
                true
            }
            _ => false,
        }
    }
}

/// How an API server sheds load.
const TOO_MANY_REQUESTS: u16 = 429;

/// The matchConditions of the chart's policies: any other spares what a guard is for.
const CONDITIONS: [&str; 4] = [
    "stamped",
    "somebody-else",
    "no-node",
    "not-allowed-by-the-admin",
];

/// Checks all guards, and gives what is wrong; empty means that identity is safe.
pub async fn check(client: &Client, guards: &[Guard]) -> Vec<GuardProblem> {
    let found = look_at_all(client, guards.iter()).await;
    found.into_iter().filter_map(Result::err).collect()
}

/// All at once: what the API server leaves unanswered costs its time only once.
async fn look_at_all(
    client: &Client,
    guards: impl Iterator<Item = &Guard>,
) -> Vec<Result<(), GuardProblem>> {
    join_all(guards.map(|guard| check_one(client, &guard.name))).await
}

async fn check_one(client: &Client, name: &str) -> Result<(), GuardProblem> {
    let unreadable = |error| GuardProblem::Unreadable(name.to_owned(), error);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (policy, binding) = join(policies.get_opt(name), bindings.get_opt(name)).await;
    let policy = policy.map_err(unreadable);
    let binding = binding.map_err(unreadable);
    let policy = policy.and_then(|policy| check_policy(name, policy.as_ref()));
    let binding = binding.and_then(|binding| check_binding(name, binding.as_ref()));
    match (policy, binding) {
        // What was said about one half counts more than what was not said about the other.
        (Err(policy), Err(binding)) if policy.is_silence() => Err(binding),
        (policy, binding) => policy.and(binding),
    }
}

fn check_policy(
    name: &str,
    policy: Option<&ValidatingAdmissionPolicy>,
) -> Result<(), GuardProblem> {
    let spec = policy.and_then(|policy| policy.spec.as_ref());
    let spec = spec.ok_or_else(|| GuardProblem::Missing(name.to_owned()))?;
    // The API server's default is Fail.
    if spec
        .failure_policy
        .as_deref()
        .is_some_and(|policy| policy != "Fail")
    {
        return Err(GuardProblem::FailsOpen(name.to_owned()));
    }
    let constraints = spec.match_constraints.as_ref();
    let rules = constraints.and_then(|constraints| constraints.resource_rules.as_ref());
    let empty =
        spec.validations.as_ref().is_none_or(Vec::is_empty) || rules.is_none_or(Vec::is_empty);
    if empty {
        return Err(GuardProblem::Empty(name.to_owned()));
    }
    match narrowed(spec) {
        Some(field) => Err(GuardProblem::Narrowed {
            name: name.to_owned(),
            field,
        }),
        None => Ok(()),
    }
}

/// By which field this policy spares what the chart's does not.
fn narrowed(spec: &ValidatingAdmissionPolicySpec) -> Option<String> {
    if let Some(field) = spec.match_constraints.as_ref().and_then(limit) {
        return Some(format!("matchConstraints.{field}"));
    }
    let mut conditions = spec.match_conditions.iter().flatten();
    conditions
        .find(|condition| !CONDITIONS.contains(&&*condition.name))
        .map(|condition| format!("the matchConditions entry {}", condition.name))
}

fn check_binding(
    name: &str,
    binding: Option<&ValidatingAdmissionPolicyBinding>,
) -> Result<(), GuardProblem> {
    let spec = binding.and_then(|binding| binding.spec.as_ref());
    let spec = spec
        .filter(|spec| spec.policy_name.as_deref() == Some(name))
        .ok_or_else(|| GuardProblem::Unbound(name.to_owned()))?;
    if !spec
        .validation_actions
        .as_ref()
        .is_some_and(|actions| actions.iter().any(|action| action == "Deny"))
    {
        return Err(GuardProblem::NotDenying(name.to_owned()));
    }
    let limits = |resources| limit(resources).is_some() || has_rules(resources);
    if spec.match_resources.as_ref().is_some_and(limits) {
        return Err(GuardProblem::Limited(name.to_owned()));
    }
    Ok(())
}

/// Which field lets something through? The API server fills in empty selectors, which limit nothing.
fn limit(resources: &MatchResources) -> Option<&'static str> {
    let selects = |selector: &Option<LabelSelector>| {
        let selector = selector.as_ref();
        selector.is_some_and(|selector| *selector != LabelSelector::default())
    };
    let excludes = resources.exclude_resource_rules.as_ref();
    let fields = [
        ("namespaceSelector", selects(&resources.namespace_selector)),
        ("objectSelector", selects(&resources.object_selector)),
        (
            "excludeResourceRules",
            excludes.is_some_and(|rules| !rules.is_empty()),
        ),
    ];
    let limit = fields.into_iter().find(|(_, limits)| *limits);
    limit.map(|(field, _)| field)
}

/// A binding needs no rules of its own.
fn has_rules(resources: &MatchResources) -> bool {
    let rules = resources.resource_rules.as_ref();
    rules.is_some_and(|rules| !rules.is_empty())
}

#[cfg(test)]
mod tests;
