//! The init container that fetches the token.

use kube2hadoop_stamp::names;
use serde::Serialize;
use serde_json::{Value, json};

use super::containers::{OurMount, Variable, all};
use super::{
    Conflict, DIRECTORY, IDENTITY_DIRECTORY, IDENTITY_VOLUME, INIT_CONTAINER, Injection, Ops,
    Resources, VOLUME,
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
    let deadline = injection.policy.deadline_seconds.to_string();
    let wanted = container(injection, &deadline);
    match present {
        Some(at) if injection.names_are_ours() => {
            // What others changed in it is put right; where they put it is their business.
            let kept = serde_json::to_value(&wanted)
                .is_ok_and(|wanted| !injection.differs(PATH, at, &wanted));
            if !kept {
                ops.replace(PATH.into_iter().chain([at.to_string().as_str()]), wanted);
            }
        }
        _ if taken => return Err(Conflict::Container),
        _ if spec.init_containers.is_some() => ops.add(PATH.into_iter().chain(["0"]), wanted),
        _ => ops.add(PATH, [wanted]),
    }
    Ok(())
}

/// What of the init container differs from one installation or pod to the other; the rest is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitContainer<'a> {
    name: &'static str,
    image: &'a str,
    image_pull_policy: &'a str,
    env: Vec<Variable<'a>>,
    resources: Bounds<'a>,
    security_context: Value,
    volume_mounts: [OurMount; 2],
}

#[derive(Serialize)]
struct Bounds<'a> {
    requests: &'a Resources,
    limits: &'a Resources,
}

fn container<'a>(injection: &'a Injection<'_>, deadline: &'a str) -> InitContainer<'a> {
    let policy = injection.policy;
    let (user, mode) = user_and_mode(&injection.pod.spec);
    let variable = |name, value| Variable { name, value };
    let mut env = vec![
        variable("KUBE2HADOOP_URL", &policy.fetcher_url),
        variable("KUBE2HADOOP_CA", injection.ca),
        variable("KUBE2HADOOP_FILE_MODE", mode),
        variable("KUBE2HADOOP_DEADLINE_SECONDS", deadline),
    ];
    let services = injection.pod.metadata.annotation(names::SERVICES);
    env.extend(services.map(|services| variable("KUBE2HADOOP_SERVICES", services)));
    InitContainer {
        name: INIT_CONTAINER,
        image: &policy.image,
        image_pull_policy: &policy.image_pull_policy,
        env,
        resources: Bounds {
            requests: &policy.resources,
            limits: &policy.resources,
        },
        security_context: security_context(user),
        volume_mounts: [
            mount(VOLUME, DIRECTORY, false),
            mount(IDENTITY_VOLUME, IDENTITY_DIRECTORY, true),
        ],
    }
}

/// What the restricted Pod Security Standard asks for.
fn security_context(user: i64) -> Value {
    json!({
        "runAsUser": user,
        "runAsNonRoot": true,
        "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn mount(name: &'static str, mount_path: &'static str, read_only: bool) -> OurMount {
    OurMount {
        name,
        mount_path,
        sub_path: None,
        read_only,
    }
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
