//! What is written on a pod or a template, and what is taken off it.

use kube2hadoop_stamp::names;

use super::{ANNOTATIONS_LIMIT, Conflict, Ops};
use crate::pod::Metadata;

const ANNOTATIONS: [&str; 2] = ["metadata", "annotations"];
const LABELS: [&str; 2] = ["metadata", "labels"];
const ANNOTATION_KEYS: [&str; 4] = [names::USER, names::SUBMITTER, names::STAMP, names::SKIPPED];

/// User, submitter and stamp, as they stand in the annotations.
#[derive(Clone, Copy, Debug)]
pub struct Notes<'a> {
    pub user: &'a str,
    pub submitter: &'a str,
    pub stamp: &'a str,
}

/// Writes the notes and the label `injected` onto a pod; what else was under our keys goes.
pub(super) fn note(
    ops: &mut Ops,
    metadata: &Metadata<'_>,
    notes: &Notes<'_>,
) -> Result<(), Conflict> {
    let wanted = [
        (names::USER, notes.user),
        (names::SUBMITTER, notes.submitter),
        (names::STAMP, notes.stamp),
    ];
    let others = metadata.annotations.iter().flat_map(|all| all.iter());
    let others = others.filter(|(key, _)| !ANNOTATION_KEYS.contains(key));
    let size: usize = others
        .chain(wanted)
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > ANNOTATIONS_LIMIT {
        return Err(Conflict::Annotations(size));
    }
    if metadata.annotation(names::SKIPPED).is_some() {
        ops.remove(ANNOTATIONS.into_iter().chain([names::SKIPPED]));
    }
    let missing: Vec<_> = wanted
        .into_iter()
        .filter(|(key, value)| metadata.annotation(key) != Some(value))
        .collect();
    ops.entries(&ANNOTATIONS, metadata.annotations.is_some(), &missing);
    if metadata.label(names::INJECTED_LABEL) != Some("true") {
        ops.entries(
            &LABELS,
            metadata.labels.is_some(),
            &[(names::INJECTED_LABEL, "true")],
        );
    }
    Ok(())
}

/// Takes our keys off a pod, and writes why nothing was injected where there is a reason.
pub fn strip(ops: &mut Ops, metadata: &Metadata<'_>, skipped: Option<&str>) {
    for key in ANNOTATION_KEYS {
        let replaced = key == names::SKIPPED && skipped.is_some();
        if metadata.annotation(key).is_some() && !replaced {
            ops.remove(ANNOTATIONS.into_iter().chain([key]));
        }
    }
    if metadata.label(names::INJECTED_LABEL).is_some() {
        ops.remove(LABELS.into_iter().chain([names::INJECTED_LABEL]));
    }
    if let Some(reason) =
        skipped.filter(|reason| metadata.annotation(names::SKIPPED) != Some(reason))
    {
        ops.entries(
            &ANNOTATIONS,
            metadata.annotations.is_some(),
            &[(names::SKIPPED, reason)],
        );
    }
}
