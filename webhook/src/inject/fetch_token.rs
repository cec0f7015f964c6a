//! Our own containers: one fetches the token before anything else starts, one keeps it fresh where the pod asks.

use kube2hadoop_stamp::names;
use serde::Serialize;
use serde_json::{Value, json};

use super::containers::{OurMount, Variable, all};
use super::users::user_and_mode;
use super::{
    Conflict, DIRECTORY, IDENTITY_DIRECTORY, IDENTITY_VOLUME, INIT_CONTAINER, Injection, Ops,
    REFRESH_CONTAINER, Resources, VOLUME,
};

const PATH: [&str; 2] = ["spec", "initContainers"];

pub(super) fn add(
    ops: &mut Ops,
    injection: &Injection<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Conflict> {
    let places = [
        place(injection, INIT_CONTAINER)?,
        place(injection, REFRESH_CONTAINER)?,
    ];
    let [fetching, refreshing] = places;
    let deadline = injection.policy.deadline_seconds.to_string();
    let fetch = container(injection, &deadline);
    let refresh = refreshes(injection, warnings).then(|| sidecar(injection, &deadline));
    // First what leaves every index as it is, then what takes away, then what moves the others along.
    put_right(ops, injection, fetching, Some(&fetch));
    put_right(ops, injection, refreshing, refresh.as_ref());
    let exists = injection.pod.spec.init_containers.is_some();
    if fetching.is_none() {
        insert(ops, exists, 0, &fetch);
    }
    if let (Some(refresh), None) = (&refresh, refreshing) {
        // By now the other one is there: behind it, so that the file is written before any container starts.
        insert(ops, true, fetching.unwrap_or(0) + 1, refresh);
    }
    Ok(())
}

/// Where our container of this name is, if it is there.
fn place(injection: &Injection<'_>, name: &'static str) -> Result<Option<usize>, Conflict> {
    let spec = &injection.pod.spec;
    let present = spec
        .init_containers
        .iter()
        .flatten()
        .position(|container| &*container.name == name);
    if present.is_some() && injection.names_are_ours() {
        return Ok(present);
    }
    match all(spec).any(|container| &*container.name == name) {
        true => Err(Conflict::Container(name)),
        false => Ok(None),
    }
}

/// What others changed in it is put right, and it goes where none is wanted; where they put it is their business.
fn put_right(
    ops: &mut Ops,
    injection: &Injection<'_>,
    place: Option<usize>,
    wanted: Option<&OurContainer<'_>>,
) {
    let Some(at) = place else { return };
    let index = at.to_string();
    let path = PATH.into_iter().chain([index.as_str()]);
    let Some(wanted) = wanted else {
        return ops.remove(path);
    };
    let kept =
        serde_json::to_value(wanted).is_ok_and(|wanted| !injection.differs(PATH, at, &wanted));
    if !kept {
        ops.replace(path, wanted);
    }
}

fn insert(ops: &mut Ops, exists: bool, at: usize, wanted: &OurContainer<'_>) {
    if exists {
        ops.add(PATH.into_iter().chain([at.to_string().as_str()]), wanted);
    } else {
        ops.add(PATH, [wanted]);
    }
}

/// Whether the pod asks for tokens that outlive their maximum life.
fn refreshes(injection: &Injection<'_>, warnings: &mut Vec<String>) -> bool {
    let asked = injection.pod.metadata.annotation(names::REFRESH);
    if asked.is_some_and(|asked| !["enabled", "disabled"].contains(&asked)) {
        warnings.push(format!(
            "kube2hadoop: annotation {} has no effect: only «enabled» has",
            names::REFRESH
        ));
    }
    asked == Some("enabled")
}

/// What of a container of ours differs from one installation or pod to the other; the rest is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OurContainer<'a> {
    name: &'static str,
    image: &'a str,
    image_pull_policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<[&'static str; 1]>,
    /// Always makes it a sidecar, which the kubelet ends when the pod's own containers have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_policy: Option<&'static str>,
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

impl<'a> Bounds<'a> {
    fn of(resources: &'a Resources) -> Self {
        Self {
            requests: resources,
            limits: resources,
        }
    }
}

/// The same as the init container, but it stays.
fn sidecar<'a>(injection: &'a Injection<'_>, deadline: &'a str) -> OurContainer<'a> {
    OurContainer {
        name: REFRESH_CONTAINER,
        args: Some(["--refresh"]),
        restart_policy: Some("Always"),
        resources: Bounds::of(&injection.policy.refresh_resources),
        ..container(injection, deadline)
    }
}

fn container<'a>(injection: &'a Injection<'_>, deadline: &'a str) -> OurContainer<'a> {
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
    OurContainer {
        name: INIT_CONTAINER,
        image: &policy.image,
        image_pull_policy: &policy.image_pull_policy,
        args: None,
        restart_policy: None,
        env,
        resources: Bounds::of(&policy.resources),
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
