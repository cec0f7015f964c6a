//! The ValidatingAdmissionPolicies that identity rests on: there, bound everywhere, and denying.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Api, Client};

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

/// Checks all guards, and gives what is wrong; empty means that identity is safe.
pub async fn check(client: &Client, guards: &[Guard]) -> Vec<GuardProblem> {
    let mut problems = Vec::new();
    for guard in guards {
        if let Err(problem) = check_one(client, &guard.name).await {
            problems.push(problem);
        }
    }
    problems
}

async fn check_one(client: &Client, name: &str) -> Result<(), GuardProblem> {
    let unreadable = |error| GuardProblem::Unreadable(name.to_owned(), error);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let policy = policies.get_opt(name).await.map_err(unreadable)?;
    check_policy(name, policy.as_ref())?;
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let binding = bindings.get_opt(name).await.map_err(unreadable)?;
    check_binding(name, binding.as_ref())
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
    let rules = spec
        .match_constraints
        .as_ref()
        .and_then(|constraints| constraints.resource_rules.as_ref());
    let empty =
        spec.validations.as_ref().is_none_or(Vec::is_empty) || rules.is_none_or(Vec::is_empty);
    if empty {
        Err(GuardProblem::Empty(name.to_owned()))
    } else {
        Ok(())
    }
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
    if spec.match_resources.as_ref().is_some_and(limits) {
        return Err(GuardProblem::Limited(name.to_owned()));
    }
    Ok(())
}

/// Does this let anything through? The API server fills in empty selectors, which limit nothing.
fn limits(resources: &MatchResources) -> bool {
    let selects = |selector: Option<&LabelSelector>| {
        selector.is_some_and(|selector| *selector != LabelSelector::default())
    };
    selects(resources.namespace_selector.as_ref())
        || selects(resources.object_selector.as_ref())
        || resources
            .resource_rules
            .as_ref()
            .is_some_and(|rules| !rules.is_empty())
        || resources
            .exclude_resource_rules
            .as_ref()
            .is_some_and(|rules| !rules.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(spec: Value) -> Result<(), GuardProblem> {
        let policy =
            serde_json::from_value(json!({"metadata": {"name": "g"}, "spec": spec})).unwrap();
        check_policy("g", Some(&policy))
    }

    fn binding(spec: Value) -> Result<(), GuardProblem> {
        let binding =
            serde_json::from_value(json!({"metadata": {"name": "g"}, "spec": spec})).unwrap();
        check_binding("g", Some(&binding))
    }

    #[test]
    fn a_policy_must_be_there_check_something_and_fail_closed() {
        let rules = json!({"resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
        let checks = json!([{"expression": "false"}]);
        assert!(matches!(
            check_policy("g", None),
            Err(GuardProblem::Missing(_))
        ));
        assert!(policy(json!({"matchConstraints": rules, "validations": checks})).is_ok());
        assert!(matches!(
            policy(json!({"matchConstraints": rules})),
            Err(GuardProblem::Empty(_))
        ));
        let open =
            json!({"failurePolicy": "Ignore", "matchConstraints": rules, "validations": checks});
        assert!(matches!(policy(open), Err(GuardProblem::FailsOpen(_))));
    }

    #[test]
    fn a_binding_must_deny_everywhere() {
        assert!(matches!(
            check_binding("g", None),
            Err(GuardProblem::Unbound(_))
        ));
        assert!(
            binding(json!({"policyName": "g", "validationActions": ["Deny", "Audit"]})).is_ok()
        );
        let empty = json!({"policyName": "g", "validationActions": ["Deny"], "matchResources": {"namespaceSelector": {}}});
        assert!(binding(empty).is_ok());
        assert!(matches!(
            binding(json!({"policyName": "x", "validationActions": ["Deny"]})),
            Err(GuardProblem::Unbound(_))
        ));
        assert!(matches!(
            binding(json!({"policyName": "g", "validationActions": ["Audit"]})),
            Err(GuardProblem::NotDenying(_))
        ));
        let limited = json!({"policyName": "g", "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}});
        assert!(matches!(binding(limited), Err(GuardProblem::Limited(_))));
    }
}
