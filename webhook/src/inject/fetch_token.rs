//! The init container that fetches the token.

use serde_json::{Value, json};

use super::containers::all;
use super::volumes::covers;
use super::{
    Conflict, DIRECTORY, IDENTITY_DIRECTORY, IDENTITY_VOLUME, INIT_CONTAINER, Injection, Ops,
    VOLUME,
};
use crate::pod::Spec;

const PATH: [&str; 2] = ["spec", "initContainers"];
/// Nobody in particular, as in distroless images.
const NONROOT: i64 = 65532;

pub(super) fn add(
    ops: &mut Ops,
    injection: &Injection<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Conflict> {
    if let (user, "0400") = user_and_mode(&injection.pod.spec) {
        warnings.push(format!(
            "kube2hadoop: user {user} needs a line in the image's /etc/passwd: without one Hadoop's Java client cannot log in"
        ));
    }
    let spec = &injection.pod.spec;
    let present = spec
        .init_containers
        .iter()
        .flatten()
        .position(|container| &*container.name == INIT_CONTAINER);
    let taken = all(spec).any(|container| &*container.name == INIT_CONTAINER);
    let wanted = container(injection);
    match present {
        Some(at) if injection.names_are_ours() => {
            // What others changed in it is put right; where they put it is their business.
            if injection.copied || !covers(&as_it_is(injection, at), &wanted) {
                ops.replace(PATH.into_iter().chain([at.to_string().as_str()]), wanted);
            }
        }
        _ if taken => return Err(Conflict::Container),
        _ if spec.init_containers.is_some() => ops.add(PATH.into_iter().chain(["0"]), wanted),
        _ => ops.add(PATH, Value::Array(vec![wanted])),
    }
    Ok(())
}

fn as_it_is(injection: &Injection<'_>, at: usize) -> Value {
    let pod: Value = serde_json::from_str(injection.object).unwrap_or_default();
    pod.pointer(&format!("/spec/initContainers/{at}"))
        .cloned()
        .unwrap_or_default()
}

fn container(injection: &Injection<'_>) -> Value {
    let policy = injection.policy;
    let (user, mode) = user_and_mode(&injection.pod.spec);
    let resources = json!({"cpu": policy.resources.cpu, "memory": policy.resources.memory});
    let mut env = vec![
        json!({"name": "KUBE2HADOOP_URL", "value": policy.fetcher_url}),
        json!({"name": "KUBE2HADOOP_CA", "value": injection.ca}),
        json!({"name": "KUBE2HADOOP_FILE_MODE", "value": mode}),
        json!({"name": "KUBE2HADOOP_DEADLINE_SECONDS", "value": policy.deadline_seconds.to_string()}),
    ];
    if let Some(services) = injection
        .pod
        .metadata
        .annotation(kube2hadoop_stamp::names::SERVICES)
    {
        env.push(json!({"name": "KUBE2HADOOP_SERVICES", "value": services}));
    }
    json!({
        "name": INIT_CONTAINER,
        "image": policy.image,
        "imagePullPolicy": policy.image_pull_policy,
        "env": env,
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "runAsUser": user,
            "runAsNonRoot": true,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": VOLUME, "mountPath": DIRECTORY},
            {"name": IDENTITY_VOLUME, "mountPath": IDENTITY_DIRECTORY, "readOnly": true},
        ],
    })
}

/// The user of the pod's containers with a file for that user alone; where there is none, or several, or root, a
/// user of ours with a file that all can read: the volume is the pod's own.
fn user_and_mode(spec: &Spec<'_>) -> (i64, &'static str) {
    let of_pod = spec
        .security_context
        .and_then(|context| context.run_as_user);
    let mut users = spec.containers.iter().map(|container| {
        container
            .security_context
            .and_then(|context| context.run_as_user)
            .or(of_pod)
    });
    match users.next().flatten() {
        Some(user) if user > 0 && users.all(|other| other == Some(user)) => (user, "0400"),
        _ => (NONROOT, "0444"),
    }
}
