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

/// A policy with what somebody changed in it.
fn changed(at: &str, to: Value) -> Result<(), GuardProblem> {
    let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
    let mut spec = json!({
        // As the API server fills them in.
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": {}, "objectSelector": {}},
        "matchConditions": [{"name": "no-node", "expression": "true"}],
        "validations": [{"expression": "false"}],
    });
    let (parent, field) = at.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[field] = to;
    policy(spec)
}

#[test]
fn a_policy_must_spare_nothing() {
    assert!(changed("/failurePolicy", json!("Fail")).is_ok());
    let labels = json!({"matchLabels": {"a": "b"}});
    let expressions = json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]});
    let rules = json!([{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]);
    let exempt = json!([{"name": "no-node", "expression": "true"}, {"name": "exempt", "expression": "false"}]);
    for (at, to, named) in [
        (
            "/matchConstraints/namespaceSelector",
            expressions,
            "namespaceSelector",
        ),
        ("/matchConstraints/objectSelector", labels, "objectSelector"),
        (
            "/matchConstraints/excludeResourceRules",
            rules,
            "excludeResourceRules",
        ),
        ("/matchConditions", exempt, "exempt"),
    ] {
        let problem = changed(at, to).unwrap_err();
        assert!(matches!(problem, GuardProblem::Narrowed { .. }), "{at}");
        assert!(problem.to_string().contains(named), "{problem}");
    }
}

#[test]
fn the_conditions_of_the_chart_are_known() {
    let chart = include_str!("../../../../deploy/chart/kube2hadoop/templates/guards.yaml");
    let mut found = Vec::new();
    let mut inside = false;
    for line in chart.lines() {
        match line.trim_start().strip_prefix("- name: ") {
            Some(name) if inside => found.push(name),
            _ if line.starts_with("  m") || line.starts_with("  v") => {
                inside = line == "  matchConditions:";
            }
            _ => {}
        }
    }
    assert_eq!(found, CONDITIONS);
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
