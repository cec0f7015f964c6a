//! The mount and the variables in the pod's own containers.

use kube2hadoop_stamp::names;
use serde_json::{Value, json};

use super::{
    CONF_DIRECTORY, Conflict, DIRECTORY, INIT_CONTAINER, Injection, Ops, TOKEN_FILE, VOLUME,
};
use crate::pod::{Container, Spec};

const VARIABLES: [(&str, &str); 2] = [
    ("HADOOP_TOKEN_FILE_LOCATION", TOKEN_FILE),
    ("HADOOP_CONF_DIR", CONF_DIRECTORY),
];

pub(super) fn add(
    ops: &mut Ops,
    injection: &Injection<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Conflict> {
    let spec = &injection.pod.spec;
    let chosen = chosen(injection)?;
    let lists = [
        ("initContainers", spec.init_containers.as_deref()),
        ("containers", Some(&*spec.containers)),
    ];
    for (list, containers) in lists {
        for (at, container) in containers.unwrap_or_default().iter().enumerate() {
            let named = chosen
                .as_ref()
                .is_none_or(|names| names.contains(&&*container.name));
            if named && &*container.name != INIT_CONTAINER {
                equip(ops, ["spec", list, &at.to_string()], container, warnings)?;
            }
        }
    }
    Ok(())
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
    path: [&str; 3],
    container: &Container<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Conflict> {
    let [spec, list, at] = path;
    if mount_is_missing(container)? {
        let mount = json!({"name": VOLUME, "mountPath": DIRECTORY, "readOnly": true});
        ops.append(
            &[spec, list, at, "volumeMounts"],
            container.volume_mounts.is_some(),
            vec![mount],
        );
    }
    let variables: Vec<Value> = VARIABLES
        .into_iter()
        .filter(|(name, value)| is_unset(container, name, value, warnings))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    ops.append(&[spec, list, at, "env"], container.env.is_some(), variables);
    Ok(())
}

fn mount_is_missing(container: &Container<'_>) -> Result<bool, Conflict> {
    for mount in container.volume_mounts.iter().flatten() {
        let path = mount.mount_path.trim_end_matches('/');
        let ours = &*mount.name == VOLUME;
        if ours && path == DIRECTORY {
            return Ok(false);
        }
        let inside = path
            .strip_prefix(DIRECTORY)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if inside {
            return Err(Conflict::MountPath {
                container: container.name.to_string(),
                path: path.to_owned(),
            });
        }
    }
    Ok(true)
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
