use serde_json::{Value, json};

use super::*;

fn policy(spec: Value) -> Result<(), GuardProblem> {
    let policy = serde_json::from_value(json!({"metadata": {"name": "g"}, "spec": spec})).unwrap();
    check_policy("g", Some(&policy))
}

fn binding(spec: Value) -> Result<(), GuardProblem> {
    let binding = serde_json::from_value(json!({"metadata": {"name": "g"}, "spec": spec})).unwrap();
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
    let open = json!({"failurePolicy": "Ignore", "matchConstraints": rules, "validations": checks});
    assert!(matches!(policy(open), Err(GuardProblem::FailsOpen(_))));
}

#[test]
fn a_binding_must_deny_everywhere() {
    assert!(matches!(
        check_binding("g", None),
        Err(GuardProblem::Unbound(_))
    ));
    assert!(binding(json!({"policyName": "g", "validationActions": ["Deny", "Audit"]})).is_ok());
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
