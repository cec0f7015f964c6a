//! What is written on a pod or a template, and what is taken off it.

use kube2hadoop_stamp::names;

use super::{ANNOTATIONS_LIMIT, Conflict, Ops};
use crate::pod::Metadata;

const ANNOTATIONS: [&str; 2] = ["metadata", "annotations"];
const LABELS: [&str; 2] = ["metadata", "labels"];

/// User, submitter and stamp, as they stand in the annotations.
#[derive(Clone, Copy, Debug)]
pub struct Notes<'a> {
    pub user: &'a str,
    pub submitter: &'a str,
    pub stamp: &'a str,
}

impl<'a> Notes<'a> {
    fn annotations(&self) -> [(&'static str, &'a str); 3] {
        [
            (names::USER, self.user),
            (names::SUBMITTER, self.submitter),
            (names::STAMP, self.stamp),
        ]
    }
}

/// Writes the notes and the label `injected` onto a pod; what else was under our keys goes.
pub(super) fn note(
    ops: &mut Ops,
    metadata: &Metadata<'_>,
    notes: &Notes<'_>,
) -> Result<(), Conflict> {
    write(ops, metadata, &notes.annotations())
}

/// Does the same to a pod of legacy mode, with the user once more where linkedin/kube2hadoop's users look for it.
///
/// # Errors
/// Too many bytes of annotations.
pub fn note_legacy(
    ops: &mut Ops,
    metadata: &Metadata<'_>,
    notes: &Notes<'_>,
) -> Result<(), Conflict> {
    let [user, submitter, stamp] = notes.annotations();
    let wanted = [user, submitter, stamp, (names::LEGACY_USER, notes.user)];
    write(ops, metadata, &wanted)
}

/// Takes off what a request says of its user in legacy mode's own way.
pub fn strip_legacy(ops: &mut Ops, metadata: &Metadata<'_>) {
    if metadata.annotation(names::LEGACY_USER).is_some() {
        ops.remove(ANNOTATIONS.into_iter().chain([names::LEGACY_USER]));
    }
}

fn write(ops: &mut Ops, metadata: &Metadata<'_>, wanted: &[(&str, &str)]) -> Result<(), Conflict> {
    let others = metadata.annotations.iter().flat_map(|all| all.iter());
    check_size(others, wanted)?;
    let own = |key: &str| wanted.iter().any(|(wanted, _)| *wanted == key);
    take_off(ops, metadata, own, |key| key == names::INJECTED_LABEL);
    let missing: Vec<_> = wanted
        .iter()
        .copied()
        .filter(|(key, value)| metadata.annotation(key) != Some(value))
        .collect();
    ops.entries(&ANNOTATIONS, metadata.annotations.is_some(), &missing);
    if metadata.label(names::INJECTED_LABEL) != Some("true") {
        let label = [(names::INJECTED_LABEL, "true")];
        ops.entries(&LABELS, metadata.labels.is_some(), &label);
    }
    Ok(())
}

/// Refuses annotations that the API server would refuse without naming us.
///
/// # Errors
/// Too many bytes in all, with ours.
pub fn check_size<'a>(
    present: impl Iterator<Item = (&'a str, &'a str)>,
    wanted: &[(&str, &str)],
) -> Result<(), Conflict> {
    let others = present.filter(|(key, _)| !names::OWN_KEYS.contains(key));
    let bytes = |(key, value): (&str, &str)| key.len() + value.len();
    let size = others.map(bytes).sum::<usize>() + wanted.iter().copied().map(bytes).sum::<usize>();
    if size > ANNOTATIONS_LIMIT {
        Err(Conflict::Annotations(size))
    } else {
        Ok(())
    }
}

/// Takes our keys off an object, and writes why nothing was injected where there is a reason.
pub fn strip(ops: &mut Ops, metadata: &Metadata<'_>, skipped: Option<&str>) {
    take_off(
        ops,
        metadata,
        |key| key == names::SKIPPED && skipped.is_some(),
        |_| false,
    );
    if let Some(reason) =
        skipped.filter(|reason| metadata.annotation(names::SKIPPED) != Some(reason))
    {
        let entry = [(names::SKIPPED, reason)];
        ops.entries(&ANNOTATIONS, metadata.annotations.is_some(), &entry);
    }
}

/// Removes our keys, be they annotations or labels, but for those that stay.
fn take_off(
    ops: &mut Ops,
    metadata: &Metadata<'_>,
    annotation_stays: impl Fn(&str) -> bool,
    label_stays: impl Fn(&str) -> bool,
) {
    for key in names::OWN_KEYS {
        if metadata.annotation(key).is_some() && !annotation_stays(key) {
            ops.remove(ANNOTATIONS.into_iter().chain([key]));
        }
        if metadata.label(key).is_some() && !label_stays(key) {
            ops.remove(LABELS.into_iter().chain([key]));
        }
    }
}
