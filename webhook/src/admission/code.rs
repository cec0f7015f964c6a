//! What a workload runs: what is compared before and after a change, and what must not stand in it.

use kube2hadoop_stamp::names;
use serde_json::{Map, Value, json};

use crate::identity::Mutator;
use crate::kinds::{Kind, at, at_mut};

/// Set by `kubectl rollout restart`; it changes when the code runs, not the code.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Where pods run, and when: not what they run.
const SCHEDULING: [&str; 4] = ["nodeSelector", "tolerations", "affinity", "schedulingGates"];

/// What the object runs, without our keys and without the mark of a restart; for a mutator also without what it may
/// change.
pub(super) fn code(object: &Value, kind: &Kind, mutator: Option<&Mutator>) -> Value {
    if kind.has_an_operator() {
        whole(object, kind, mutator)
    } else {
        templates(object, kind, mutator)
    }
}

/// An operator may run what stands anywhere: main files, arguments, entry points.
fn whole(object: &Value, kind: &Kind, mutator: Option<&Mutator>) -> Value {
    let mut code = object.clone();
    for spot in kind.spots(object) {
        if let Some(mutator) = mutator {
            relax(&mut code, &spot.template, &spot.metadata, mutator);
        }
        strip(&mut code, &spot.metadata, spot.metadata != spot.template);
    }
    for path in &kind.not_code {
        path.remove(&mut code);
    }
    if let Value::Object(fields) = &mut code {
        fields.retain(|key, _| !matches!(&**key, "apiVersion" | "kind" | "metadata" | "status"));
    }
    let places = kind.also_code.iter().flat_map(|path| path.places(object));
    let also: Vec<_> = places.filter_map(|place| at(object, &place)).collect();
    json!([code, also])
}

/// What steps gave that others run, and where it stands.
pub(super) fn outputs<'a>(object: &'a Value, kind: &Kind) -> Vec<(Vec<String>, Option<&'a Value>)> {
    let places = kind.outputs.iter().flat_map(|path| path.places(object));
    let found = places.map(|place| (at(object, &place), place));
    found.map(|(value, place)| (place, value)).collect()
}

fn templates(object: &Value, kind: &Kind, mutator: Option<&Mutator>) -> Value {
    let spots = kind.spots(object).into_iter();
    let templates = spots.filter_map(|spot| {
        let mut template = at(object, &spot.template)?.clone();
        let metadata = spot.metadata.get(spot.template.len()..)?;
        if let Some(mutator) = mutator {
            relax(&mut template, &[], metadata, mutator);
        }
        strip(&mut template, metadata, true);
        Some(template)
    });
    templates.collect()
}

/// Takes off what a mutator may change. Whether the pods ask for a token at all is not its business.
fn relax(root: &mut Value, template: &[String], metadata: &[String], mutator: &Mutator) {
    if let Some(Value::Object(template)) = at_mut(root, template) {
        template.retain(|key, _| !SCHEDULING.contains(&&**key));
        if let Some(Value::Object(spec)) = template.get_mut("spec") {
            spec.retain(|key, _| !SCHEDULING.contains(&&**key));
        }
    }
    let Some(metadata) = at_mut(root, metadata) else {
        return;
    };
    if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
        labels.retain(|key, _| key == names::INJECT_LABEL);
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| !mutator.may_change(key));
    }
}

/// Takes off what is ours. An empty map and none are the same code.
fn strip(root: &mut Value, metadata: &[String], own_map: bool) {
    let Some(Value::Object(fields)) = at_mut(root, metadata) else {
        return;
    };
    if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
        annotations.retain(|key, _| !names::OWN_KEYS.contains(&&**key) && key != RESTARTED_AT);
    }
    if let Some(Value::Object(labels)) = fields.get_mut("labels") {
        labels.retain(|key, _| !names::OWN_KEYS.contains(&&**key));
    }
    for key in ["annotations", "labels", "creationTimestamp"] {
        if fields.get(key).is_some_and(is_empty) {
            fields.remove(key);
        }
    }
    let Some((last, parents)) = metadata
        .split_last()
        .filter(|_| own_map && fields.is_empty())
    else {
        return;
    };
    if let Some(Value::Object(parent)) = at_mut(root, parents) {
        parent.remove(last);
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// What would let the author of a custom resource write somebody else's stamp, or owner, on its operator's pods.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Smuggled {
    #[error(
        "«{0}» stands where Kube2Hadoop writes nothing: remove it, for nobody writes these keys themselves"
    )]
    Key(String),
    #[error(
        "«{0}» would let this object write other metadata on its pods than it shows: remove it"
    )]
    Refused(String),
    #[error(
        "the annotation «{0}» has a placeholder in its key, and could become one of Kube2Hadoop's: write the key out"
    )]
    Placeholder(String),
    #[error(
        "ownerReferences in a template would say that its pods are another object's: remove them"
    )]
    Owners,
}

/// Looks through all of it. JSON's depth is bounded by the parser.
pub(super) fn smuggled(code: &Value, kind: &Kind) -> Option<Smuggled> {
    match code {
        Value::String(text) => named(text, kind),
        Value::Array(items) => items.iter().find_map(|item| smuggled(item, kind)),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            named(key, kind)
                .or_else(|| field(key, value))
                .or_else(|| smuggled(value, kind))
        }),
        _ => None,
    }
}

fn named(text: &str, kind: &Kind) -> Option<Smuggled> {
    let refused = kind.refused.iter().find(|word| text.contains(&***word));
    if names::OWN_KEYS.iter().any(|key| text.contains(key)) {
        Some(Smuggled::Key(text.chars().take(120).collect()))
    } else {
        refused.cloned().map(Smuggled::Refused)
    }
}

fn field(key: &str, value: &Value) -> Option<Smuggled> {
    match (key, value) {
        ("ownerReferences", value) if !value.is_null() => Some(Smuggled::Owners),
        ("annotations", Value::Object(entries)) => {
            let placeholder = entries.keys().find(|key| key.contains("{{"))?;
            Some(Smuggled::Placeholder(
                placeholder.chars().take(120).collect(),
            ))
        }
        _ => None,
    }
}

/// A key that refers to another object with code in it.
pub(super) fn elsewhere<'a>(code: &Value, kind: &'a Kind) -> Option<&'a str> {
    if kind.code_elsewhere.is_empty() {
        return None;
    }
    match code {
        Value::Array(items) => items.iter().find_map(|item| elsewhere(item, kind)),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let listed = kind.code_elsewhere.iter().find(|listed| *listed == key);
            let here = listed.filter(|_| !value.is_null()).map(String::as_str);
            here.or_else(|| elsewhere(value, kind))
        }),
        _ => None,
    }
}
