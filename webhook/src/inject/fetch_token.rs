//! Our own containers: one fetches the token before anything else starts, one keeps it fresh where the pod asks.

use kube2hadoop_client::container::{self, DIRECTORY, IDENTITY_DIRECTORY};
use kube2hadoop_stamp::names;
use serde::Serialize;

use super::containers::{OurMount, Variable, all};
use super::resources::Bounds;
use super::users::user_and_mode;
use super::written::Written;
use super::{
    Conflict, IDENTITY_VOLUME, INIT_CONTAINER, InjectPolicy, Injection, Ops, Pem,
    REFRESH_CONTAINER, VOLUME,
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
    let fetch = init_container(injection);
    let refresh = refreshes(injection, warnings).then(|| sidecar(injection));
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
    if injection.differs(PATH, at, wanted) {
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

/// What our containers have alike in all pods.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    url: Written,
    deadline: Written,
    volume_mounts: Written,
}

impl Fixed {
    pub(super) fn of(policy: &InjectPolicy) -> Self {
        let variable = |name, value: &str| Written::of(&Variable { name, value });
        let deadline = policy.deadline_seconds.to_string();
        Self {
            url: variable(container::URL, &policy.fetcher_url),
            deadline: variable(container::DEADLINE, &deadline),
            volume_mounts: Written::of(&[
                OurMount::new(VOLUME, DIRECTORY, false),
                OurMount::new(IDENTITY_VOLUME, IDENTITY_DIRECTORY, true),
            ]),
        }
    }
}

/// A container of ours.
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
    env: Vec<OurVariable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Bounds<'a>>,
    security_context: SecurityContext,
    volume_mounts: &'a Written,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OurVariable<'a> {
    Fixed(&'a Written),
    Ca(Variable<&'a Pem>),
    OfThePod(Variable<&'a str>),
}

/// What the restricted Pod Security Standard asks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    run_as_user: i64,
    run_as_non_root: bool,
    read_only_root_filesystem: bool,
    allow_privilege_escalation: bool,
    capabilities: Capabilities,
    seccomp_profile: SeccompProfile,
}

#[derive(Serialize)]
struct Capabilities {
    drop: [&'static str; 1],
}

#[derive(Serialize)]
struct SeccompProfile {
    r#type: &'static str,
}

/// The same as the init container, but it stays.
fn sidecar<'a>(injection: &'a Injection<'_>) -> OurContainer<'a> {
    let resources = &injection.policy.refresh_resources;
    OurContainer {
        name: REFRESH_CONTAINER,
        args: Some(["--refresh"]),
        restart_policy: Some("Always"),
        resources: Bounds::beside_all(&injection.pod.spec, resources),
        ..init_container(injection)
    }
}

fn init_container<'a>(injection: &'a Injection<'_>) -> OurContainer<'a> {
    let policy = injection.policy;
    let fixed = &policy.fixed().fetch_token;
    let (user, mode) = user_and_mode(&injection.pod.spec);
    let of_the_pod = |name, value| OurVariable::OfThePod(Variable { name, value });
    let mut env = vec![
        OurVariable::Fixed(&fixed.url),
        OurVariable::Ca(Variable {
            name: container::CA,
            value: injection.ca,
        }),
        of_the_pod(container::FILE_MODE, mode),
        OurVariable::Fixed(&fixed.deadline),
    ];
    let services = injection.pod.metadata.annotation(names::SERVICES);
    env.extend(services.map(|services| of_the_pod(container::SERVICES, services)));
    OurContainer {
        name: INIT_CONTAINER,
        image: &policy.image,
        image_pull_policy: &policy.image_pull_policy,
        args: None,
        restart_policy: None,
        env,
        resources: Bounds::before_all(&injection.pod.spec, &policy.resources),
        security_context: security_context(user),
        volume_mounts: &fixed.volume_mounts,
    }
}

fn security_context(run_as_user: i64) -> SecurityContext {
    SecurityContext {
        run_as_user,
        run_as_non_root: true,
        read_only_root_filesystem: true,
        allow_privilege_escalation: false,
        capabilities: Capabilities { drop: ["ALL"] },
        seccomp_profile: SeccompProfile {
            r#type: "RuntimeDefault",
        },
    }
}
