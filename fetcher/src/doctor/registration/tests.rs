use serde_json::{Value, json};

use super::*;

/// An entry as the chart makes it and the API server stores it.
fn entry() -> Value {
    json!({
        "name": PODS, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        "clientConfig": {"caBundle": "cGVt"}, "objectSelector": {},
        "namespaceSelector": {"matchExpressions": [
            {"key": "kube2hadoop.io/inject", "operator": "In", "values": ["enabled"]},
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
        ]},
        "matchConditions": [{"name": "wants-hadoop", "expression": WANTS_HADOOP}],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
            "scope": "Namespaced"}],
    })
}

fn said(entries: &[Value]) -> Vec<String> {
    let entries = entries.iter().cloned();
    let entries: Vec<_> = entries
        .map(|entry| serde_json::from_value(entry).unwrap())
        .collect();
    let excluded = ["kube-system".to_owned()].into();
    let problems = judged(&entries, &excluded, |bundle| bundle == b"pem").into_iter();
    problems.map(|problem| problem.to_string()).collect()
}

#[test]
fn the_charts_registration_is_good() {
    assert_eq!(said(&[entry()]), Vec::<String>::new());
    let connect = json!({"name": CONNECT, "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "failurePolicy": "Ignore", "clientConfig": {"caBundle": "cGVt"}});
    assert_eq!(said(&[entry(), connect]), Vec::<String>::new());
}

#[test]
fn whatever_lets_pods_in_unstamped_is_named() {
    #[rustfmt::skip]
    let cases = [
        ("/failurePolicy", json!("Ignore"), "set its failurePolicy to Fail"),
        ("/objectSelector", json!({"matchLabels": {"a": "b"}}), "an objectSelector"),
        ("/namespaceSelector/matchLabels", json!({"a": "b"}), "a namespaceSelector"),
        ("/namespaceSelector/matchExpressions/0/operator", json!("NotIn"), "a namespaceSelector"),
        ("/namespaceSelector/matchExpressions/0/values", json!(["yes"]), "a namespaceSelector"),
        ("/namespaceSelector/matchExpressions/1/operator", json!("In"), "a namespaceSelector"),
        ("/namespaceSelector/matchExpressions/1/values", json!(["kube-system", "quiet"]), "leaves out namespace quiet"),
        ("/matchConditions/0/expression", json!("false"), "matchConditions"),
        ("/rules", json!([]), "rules"),
        ("/rules/0/operations", json!(["UPDATE"]), "rules"),
        ("/rules/0/resources", json!(["pods/exec"]), "rules"),
        ("/rules/0/scope", json!("Cluster"), "rules"),
        ("/clientConfig", json!({}), "no caBundle"),
        ("/clientConfig/caBundle", json!(""), "no caBundle"),
        ("/clientConfig/caBundle", json!("cGVtcw=="), "another CA"),
        ("/name", json!("pods.object.kube2hadoop.io"), "install the chart's"),
    ];
    for (pointer, value, says) in cases {
        let mut entry = entry();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        entry.pointer_mut(parent).unwrap()[key] = value;
        let said = said(&[entry]);
        assert!(
            said.len() == 1 && said[0].contains(says),
            "{pointer}: {said:?}"
        );
    }
}

#[test]
fn one_more_condition_may_let_a_pod_in() {
    let own = json!([
        {"name": "wants-hadoop", "expression": WANTS_HADOOP},
        {"name": "mine", "expression": "request.userInfo.username != 'me'"},
    ]);
    let mut entry = entry();
    entry["matchConditions"] = own;
    let said = said(&[entry]);
    assert!(said[0].contains("matchConditions"), "{said:?}");
}

/// Both files say it: the API server evaluates the chart's.
#[test]
fn the_condition_is_the_charts() {
    let chart = include_str!("../../../../deploy/chart/kube2hadoop/templates/_admission.tpl");
    let chart = chart.replace("{{ . }}", "object.?metadata");
    for half in WANTS_HADOOP.split(" || ") {
        assert!(chart.contains(half), "{half}");
    }
}
