//! The mount and the variables in the pod's own containers.

use kube2hadoop_client::container::{CONF_PATH, CREDENTIALS_PATH, DIRECTORY};
use kube2hadoop_stamp::names;
use serde::Serialize;

use super::written::Written;
use super::{
    Conflict, IDENTITY_VOLUME, INIT_CONTAINER, Injection, KRB5_CONF, KRB5_CONF_FILE,
    OUR_CONTAINERS, Ops, VOLUME, users,
};
use crate::pod::{Container, Mount, Spec};

pub(super) const VARIABLES: [(&str, &str); 2] = [
    ("HADOOP_TOKEN_FILE_LOCATION", CREDENTIALS_PATH),
    ("HADOOP_CONF_DIR", CONF_PATH),
];

/// What the pod's own containers are given.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    token: Written,
    krb5_conf: Written,
    /// In the order of [`VARIABLES`].
    variables: [Written; 2],
}

impl Fixed {
    pub(super) fn new() -> Self {
        let krb5_conf = OurMount {
            sub_path: Some(KRB5_CONF_FILE),
            ..OurMount::new(VOLUME, KRB5_CONF, true)
        };
        Self {
            token: Written::of(&OurMount::new(VOLUME, DIRECTORY, true)),
            krb5_conf: Written::of(&krb5_conf),
            variables: VARIABLES.map(|(name, value)| Written::of(&Variable { name, value })),
        }
    }
}

pub(super) fn add(
    ops: &mut Ops,
    injection: &Injection<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Conflict> {
    let spec = &injection.pod.spec;
    let fixed = &injection.policy.fixed().containers;
    let chosen = chosen(injection)?;
    let mut equipped = Vec::new();
    let lists = [
        ("initContainers", spec.init_containers.as_deref()),
        ("containers", Some(&*spec.containers)),
    ];
    for (list, containers) in lists {
        let early = early(containers.unwrap_or_default());
        for (at, container) in containers.unwrap_or_default().iter().enumerate() {
            if OUR_CONTAINERS.contains(&&*container.name) {
                continue;
            }
            let named = chosen
                .as_ref()
                .is_none_or(|names| names.contains(&&*container.name));
            let present = Present::of(container, named && injection.names_are_ours())?;
            if named && at >= early {
                let path = ["spec", list, &at.to_string()];
                let mounts = present.missing(injection.policy.krb5_conf, fixed);
                let variables = unset(container, fixed, warnings);
                equip(ops, path, container, &mounts, &variables);
                equipped.push(container);
            }
        }
    }
    warnings.extend(users::nameless(spec, &equipped));
    if chosen.is_some() && spec.share_process_namespace == Some(true) {
        warnings.push(
            "kube2hadoop: with shareProcessNamespace every container can read the others' token, \
             whatever kube2hadoop.io/containers says"
                .to_owned(),
        );
    }
    Ok(())
}

/// How many containers of the list start before there is a token, where another webhook put them ahead of ours. The
/// kubelet would make a directory of the krb5.conf that they mount, and ours could write no file there.
fn early(containers: &[Container<'_>]) -> usize {
    let ours = |container: &Container<'_>| &*container.name == INIT_CONTAINER;
    containers.iter().position(ours).unwrap_or(0)
}

/// The containers that the annotation names; none where all see the token.
fn chosen<'a>(injection: &'a Injection<'_>) -> Result<Option<Vec<&'a str>>, Conflict> {
    let Some(list) = injection.pod.metadata.annotation(names::CONTAINERS) else {
        return Ok(None);
    };
    let chosen: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    for name in &chosen {
        if !all(&injection.pod.spec).any(|container| &&*container.name == name) {
            return Err(Conflict::NoSuchContainer(name.chars().take(63).collect()));
        }
    }
    Ok(Some(chosen))
}

/// Init containers, then containers.
pub(super) fn all<'a>(spec: &'a Spec<'a>) -> impl Iterator<Item = &'a Container<'a>> {
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
}

fn equip(
    ops: &mut Ops,
    [spec, list, at]: [&str; 3],
    container: &Container<'_>,
    mounts: &[&Written],
    variables: &[&Written],
) {
    let volume_mounts = [spec, list, at, "volumeMounts"];
    ops.append(&volume_mounts, container.volume_mounts.is_some(), mounts);
    let env = [spec, list, at, "env"];
    ops.append(&env, container.env.is_some(), variables);
}

/// The variables that a container does not set itself.
fn unset<'a>(
    container: &Container<'_>,
    fixed: &'a Fixed,
    warnings: &mut Vec<String>,
) -> Vec<&'a Written> {
    VARIABLES
        .iter()
        .zip(&fixed.variables)
        .filter(|((name, value), _)| is_unset(container, name, value, warnings))
        .map(|(_, written)| written)
        .collect()
}

/// A variable that we set.
#[derive(Serialize)]
pub(super) struct Variable<V> {
    pub(super) name: &'static str,
    pub(super) value: V,
}

/// A mount of ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OurMount {
    pub(super) name: &'static str,
    pub(super) mount_path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_path: Option<&'static str>,
    pub(super) read_only: bool,
}

impl OurMount {
    pub(super) fn new(name: &'static str, mount_path: &'static str, read_only: bool) -> Self {
        Self {
            name,
            mount_path,
            sub_path: None,
            read_only,
        }
    }
}

/// Which of our mounts a container has already.
#[derive(Default)]
struct Present {
    token: bool,
    /// Ours, or the container's own.
    krb5_conf: bool,
}

impl Present {
    /// A container may have our volumes from us only: a request could otherwise mount the volumes that are about to
    /// come, writable, or the pod's identity.
    fn of(container: &Container<'_>, from_us: bool) -> Result<Self, Conflict> {
        let mut present = Self::default();
        for mount in container.volume_mounts.iter().flatten() {
            let path = mount.mount_path.trim_end_matches('/');
            let name: &str = &mount.name;
            let inside = path
                .strip_prefix(DIRECTORY)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if name == VOLUME && from_us && is_ours(mount, DIRECTORY, "") {
                present.token = true;
            } else if name == VOLUME && from_us && is_ours(mount, KRB5_CONF, KRB5_CONF_FILE) {
                present.krb5_conf = true;
            } else if name == VOLUME || name == IDENTITY_VOLUME || inside {
                return Err(Conflict::MountPath {
                    container: container.name.to_string(),
                    path: path.to_owned(),
                });
            } else if path == KRB5_CONF || path == "/etc" {
                present.krb5_conf = true;
            }
        }
        Ok(present)
    }

    fn missing<'a>(&self, krb5_conf: bool, fixed: &'a Fixed) -> Vec<&'a Written> {
        let token = (!self.token).then_some(&fixed.token);
        let krb5_conf = (krb5_conf && !self.krb5_conf).then_some(&fixed.krb5_conf);
        token.into_iter().chain(krb5_conf).collect()
    }
}

fn is_ours(mount: &Mount<'_>, path: &str, sub_path: &str) -> bool {
    &*mount.mount_path == path
        && mount.read_only == Some(true)
        && mount.sub_path.as_deref().unwrap_or_default() == sub_path
        && mount
            .sub_path_expr
            .as_deref()
            .unwrap_or_default()
            .is_empty()
}

/// A user's own value stays, and a warning says so.
fn is_unset(
    container: &Container<'_>,
    name: &str,
    value: &str,
    warnings: &mut Vec<String>,
) -> bool {
    let set = container
        .env
        .iter()
        .flatten()
        .find(|env| &*env.name == name);
    if let Some(own) = set
        && own.value.as_deref() != Some(value)
    {
        warnings.push(format!(
            "kube2hadoop: container {} sets {name} itself, and it stays as it is",
            container.name
        ));
    }
    set.is_none()
}
