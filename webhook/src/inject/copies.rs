//! A pod made of one that we injected: what we put into that one is known by its names.

use kube2hadoop_stamp::names;

use super::containers::VARIABLES;
use super::{IDENTITY_VOLUME, INIT_CONTAINER, OUR_CONTAINERS, Ops, VOLUME};
use crate::pod::{Container, Pod, Spec};

const VOLUMES: [&str; 2] = [VOLUME, IDENTITY_VOLUME];

/// Is it such a copy? By its label, or, since `kubectl debug --copy-to` drops labels, by what no pod has by chance.
pub fn is_copy(pod: &Pod<'_>) -> bool {
    pod.metadata.label(names::INJECTED_LABEL).is_some() || has_ours(&pod.spec)
}

fn has_ours(spec: &Spec<'_>) -> bool {
    let volume = |name: &&str| {
        let mut all = spec.volumes.iter().flatten();
        all.any(|volume| &*volume.name == *name)
    };
    let mut init = spec.init_containers.iter().flatten();
    VOLUMES.iter().all(volume) && init.any(|container| &*container.name == INIT_CONTAINER)
}

/// Takes out of a copy all that fetches and shows a token: without a stamp it would fail, and the pod with it.
pub fn take_out(ops: &mut Ops, pod: &Pod<'_>) {
    if !is_copy(pod) {
        return;
    }
    let spec = &pod.spec;
    let init = spec.init_containers.as_deref().unwrap_or_default();
    for (list, containers) in [("initContainers", init), ("containers", &*spec.containers)] {
        for (at, container) in containers.iter().enumerate() {
            unequip(ops, [list, &at.to_string()], container);
        }
    }
    let ours = |container: &Container<'_>| OUR_CONTAINERS.contains(&&*container.name);
    remove(ops, &["spec", "initContainers"], init, ours);
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    remove(ops, &["spec", "volumes"], volumes, |volume| {
        VOLUMES.contains(&&*volume.name)
    });
}

fn unequip(ops: &mut Ops, [list, at]: [&str; 2], container: &Container<'_>) {
    if OUR_CONTAINERS.contains(&&*container.name) {
        return;
    }
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    remove(ops, &["spec", list, at, "volumeMounts"], mounts, |mount| {
        VOLUMES.contains(&&*mount.name)
    });
    let env = container.env.as_deref().unwrap_or_default();
    remove(ops, &["spec", list, at, "env"], env, |env| {
        let is =
            |(name, value): (&str, &str)| &*env.name == name && env.value.as_deref() == Some(value);
        VARIABLES.into_iter().any(is)
    });
}

/// From the last to the first, so that each index is still one of the pod as it came.
fn remove<T>(ops: &mut Ops, path: &[&str], items: &[T], goes: impl Fn(&T) -> bool) {
    for (at, _) in items
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, item)| goes(item))
    {
        ops.remove(path.iter().copied().chain([at.to_string().as_str()]));
    }
}
