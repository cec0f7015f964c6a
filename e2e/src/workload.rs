//! The objects that users of the cluster submit in demo, tests and bench.
//!
//! None of them knows of Kube2Hadoop: where a case wants a label or an annotation it adds it itself.

use serde_json::{Value, json};

/// The image with the stock Hadoop client.
pub const HADOOP_CLIENT: &str = "kube2hadoop-e2e/hadoop-client:3.4.1";

/// The image of the init container that the chart injects.
pub const INIT_IMAGE: &str = "kube2hadoop/client:0.1.0";

/// A script that succeeds where there are tokens, without a JVM: a pod of it is quick.
pub const HAS_TOKENS: &str = "test -s $HADOOP_TOKEN_FILE_LOCATION";

/// A pod template that runs one shell script in the stock Hadoop client's image.
pub fn template(script: &str) -> Value {
    json!({
        "metadata": {},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main",
                "image": HADOOP_CLIENT,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-euc", script],
                "securityContext": {
                    "runAsUser": 1000,
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// A bare pod of [`template`].
pub fn pod(name: &str, script: &str) -> Value {
    let mut pod = template(script);
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name);
    pod
}

/// The pod with its own say on injection: `enabled` or `disabled`.
pub fn labelled(mut pod: Value, inject: &str) -> Value {
    set(
        &mut pod,
        "/metadata/labels",
        "kube2hadoop.io/inject",
        inject,
    );
    pod
}

/// A Job of one pod that is not tried again: what it does the first time is what counts.
pub fn job(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template(script)},
    })
}

/// A Deployment of `replicas` pods that run the script.
pub fn deployment(name: &str, replicas: u32, script: &str) -> Value {
    let mut template = template(script);
    template["metadata"]["labels"] = json!({"app": name});
    template["spec"]["restartPolicy"] = json!("Always");
    template["spec"]["terminationGracePeriodSeconds"] = json!(0);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    })
}

/// The definition of a custom resource as far as it matters here: it takes whatever is written.
pub fn definition(group: &str, kind: &str, plural: &str) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": any}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // Asked of groups that end in k8s.io, which Spark's and others' do.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": [version("v1", true), version("v1beta2", false)],
        },
    })
}

/// Sets `key` in the map at `pointer` of `object`, making the map where there is none.
pub fn set(object: &mut Value, pointer: &str, key: &str, value: &str) {
    if let Some(parent) = object.pointer_mut(pointer) {
        parent[key] = json!(value);
        return;
    }
    let (outer, last) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(parent) = object.pointer_mut(outer) {
        parent[last] = json!({ key: value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_makes_the_map_that_is_missing() {
        let mut pod = pod("a", "true");
        set(&mut pod, "/metadata/labels", "x", "1");
        set(&mut pod, "/metadata/labels", "y", "2");
        assert_eq!(pod["metadata"]["labels"], json!({"x": "1", "y": "2"}));
    }
}
