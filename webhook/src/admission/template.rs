//! One pod template of a workload, as JSON: what it says, and what is written on it.

use std::collections::BTreeMap;

use kube2hadoop_stamp::names;
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::inject::{Conflict, Ops, check_size};

/// Set by `kubectl rollout restart`; it changes when the code runs, not the code.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// A template and where it stands in its workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template<'a> {
    value: &'a Value,
    pointer: &'a str,
}

impl<'a> Template<'a> {
    pub(super) fn at(object: &'a Value, pointer: &'a str) -> Option<Self> {
        object
            .pointer(pointer)
            .filter(|value| value.is_object())
            .map(|value| Self { value, pointer })
    }

    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.value.pointer("/metadata/labels")?.get(key)?.as_str()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.value
            .pointer("/metadata/annotations")?
            .get(key)?
            .as_str()
    }

    /// Service account of the template's pods; the API server's default is `default`.
    pub(super) fn service_account(&self) -> &'a str {
        let name = self
            .value
            .pointer("/spec/serviceAccountName")
            .and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// What runs: the template without our keys and without the mark of a restart.
    fn code(&self) -> Value {
        let mut code = self.value.clone();
        for (map, keys) in [
            (
                "/metadata/annotations",
                [names::OWN_KEYS.as_slice(), &[RESTARTED_AT]].concat(),
            ),
            ("/metadata/labels", vec![names::INJECTED_LABEL]),
        ] {
            let Some(Value::Object(entries)) = code.pointer_mut(map) else {
                continue;
            };
            for key in keys {
                entries.remove(key);
            }
        }
        // An empty map and none are the same code.
        if let Some(Value::Object(metadata)) = code.pointer_mut("/metadata") {
            metadata.retain(|_, value| {
                !value.as_object().is_some_and(Map::is_empty) && !value.is_null()
            });
        }
        code
    }

    pub(super) fn runs_the_same_as(&self, other: &Template<'_>) -> bool {
        self.code() == other.code()
    }

    /// Writes who it is, and takes off what else was under our keys.
    pub(super) fn note(
        &self,
        ops: &mut Ops,
        identity: &Identity,
        stamp: &str,
    ) -> Result<(), Conflict> {
        let wanted = [
            (names::USER, identity.user.as_str()),
            (names::SUBMITTER, &*identity.submitter),
            (names::STAMP, stamp),
        ];
        let present = self
            .value
            .pointer("/metadata/annotations")
            .and_then(Value::as_object);
        let present = present.into_iter().flatten();
        let present = present.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        check_size(present, &wanted)?;
        self.write(ops, &BTreeMap::from(wanted));
        self.unlabel(ops);
        Ok(())
    }

    /// Takes off all that is under our keys.
    pub(super) fn strip(&self, ops: &mut Ops) {
        self.write(ops, &BTreeMap::new());
        self.unlabel(ops);
    }

    /// Brings our keys back to what they are in the old template.
    pub(super) fn restore(&self, ops: &mut Ops, old: &Template<'_>) {
        let own = names::OWN_KEYS.into_iter();
        self.write(
            ops,
            &own.filter_map(|key| Some((key, old.annotation(key)?)))
                .collect(),
        );
        if old.label(names::INJECTED_LABEL).is_none() {
            self.unlabel(ops);
        }
    }

    /// Makes the annotations under our keys be exactly these.
    fn write(&self, ops: &mut Ops, wanted: &BTreeMap<&str, &str>) {
        let mut path = self.metadata();
        self.prepare(ops, &path, !wanted.is_empty());
        path.push("annotations");
        let missing: Vec<(&str, &str)> = wanted
            .iter()
            .filter(|(key, value)| self.annotation(key) != Some(value))
            .map(|(key, value)| (*key, *value))
            .collect();
        ops.entries(&path, self.has("/metadata/annotations"), &missing);
        for key in names::OWN_KEYS {
            if self.annotation(key).is_some() && !wanted.contains_key(key) {
                ops.remove(path.iter().copied().chain([key]));
            }
        }
    }

    fn metadata(&self) -> Vec<&'a str> {
        self.pointer
            .split('/')
            .skip(1)
            .chain(["metadata"])
            .collect()
    }

    fn prepare(&self, ops: &mut Ops, metadata: &[&str], needed: bool) {
        if needed && !self.has("/metadata") {
            ops.add(metadata.iter().copied(), Value::Object(Map::new()));
        }
    }

    fn unlabel(&self, ops: &mut Ops) {
        if self.label(names::INJECTED_LABEL).is_some() {
            let label = ["labels", names::INJECTED_LABEL];
            ops.remove(self.metadata().into_iter().chain(label));
        }
    }

    fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(Value::is_object)
    }
}
