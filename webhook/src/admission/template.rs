//! One pod template of a workload, as JSON: what it says, and what is written on it.

use std::collections::BTreeMap;

use kube2hadoop_stamp::names;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::inject::{Conflict, Ops, check_size};
use crate::kinds::{Spot, at};
use crate::review::Entries;

/// A template and where it stands in its workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template<'a> {
    template: &'a Value,
    /// What holds labels and annotations.
    metadata: Option<&'a Value>,
    service_account: Option<&'a Value>,
    spot: &'a Spot,
}

impl<'a> Template<'a> {
    pub(super) fn at(object: &'a Value, spot: &'a Spot) -> Option<Self> {
        let template = at(object, &spot.template).filter(|value| value.is_object());
        template.map(|template| Self {
            template,
            metadata: at(object, &spot.metadata).filter(|value| value.is_object()),
            service_account: at(object, &spot.service_account),
            spot,
        })
    }

    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.metadata?.get("labels")?.get(key)?.as_str()
    }

    /// Labels of the template's pods.
    pub(super) fn labels(&self) -> Option<Entries<'a>> {
        Entries::deserialize(self.metadata?.get("labels")?).ok()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.metadata?.get("annotations")?.get(key)?.as_str()
    }

    /// Service account of the template's pods; the API server's default is `default`.
    pub(super) fn service_account(&self) -> &'a str {
        let name = self.service_account.and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).unwrap_or("default")
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
            .metadata
            .and_then(|metadata| metadata.get("annotations")?.as_object());
        let present = present.into_iter().flatten();
        let present = present.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        check_size(present, &wanted)?;
        self.write(ops, &BTreeMap::from(wanted));
        self.unlabel(ops, |_| false);
        Ok(())
    }

    /// Takes off all that is under our keys.
    pub(super) fn strip(&self, ops: &mut Ops) {
        self.write(ops, &BTreeMap::new());
        self.unlabel(ops, |_| false);
    }

    /// Brings our keys back to what they are in the old template.
    pub(super) fn restore(&self, ops: &mut Ops, old: &Template<'_>) {
        let own = names::OWN_KEYS.into_iter();
        self.write(
            ops,
            &own.filter_map(|key| Some((key, old.annotation(key)?)))
                .collect(),
        );
        self.unlabel(ops, |key| old.label(key).is_some());
    }

    /// Makes the annotations under our keys be exactly these.
    fn write(&self, ops: &mut Ops, wanted: &BTreeMap<&str, &str>) {
        let mut path = self.metadata();
        if !wanted.is_empty() {
            self.prepare(ops);
        }
        path.push("annotations");
        let missing: Vec<(&str, &str)> = wanted
            .iter()
            .filter(|(key, value)| self.annotation(key) != Some(value))
            .map(|(key, value)| (*key, *value))
            .collect();
        ops.entries(&path, self.has_annotations(), &missing);
        for key in names::OWN_KEYS {
            if self.annotation(key).is_some() && !wanted.contains_key(key) {
                ops.remove(path.iter().copied().chain([key]));
            }
        }
    }

    fn metadata(&self) -> Vec<&'a str> {
        self.spot.metadata.iter().map(String::as_str).collect()
    }

    /// Makes what is missing on the way to the metadata: a template need not have any.
    fn prepare(&self, ops: &mut Ops) {
        let (above, below) = self.spot.metadata.split_at(self.spot.template.len());
        let mut path: Vec<&str> = above.iter().map(String::as_str).collect();
        let mut here = Some(self.template);
        for field in below {
            path.push(field);
            here = here
                .and_then(|value| value.get(field))
                .filter(|value| value.is_object());
            if here.is_none() {
                ops.add(path.iter().copied(), Value::Object(Map::new()));
            }
        }
    }

    /// Takes our labels off, but for those that stay.
    fn unlabel(&self, ops: &mut Ops, stays: impl Fn(&str) -> bool) {
        for key in names::OWN_KEYS {
            if self.label(key).is_some() && !stays(key) {
                ops.remove(self.metadata().into_iter().chain(["labels", key]));
            }
        }
    }

    fn has_annotations(&self) -> bool {
        self.metadata
            .and_then(|metadata| metadata.get("annotations"))
            .is_some_and(Value::is_object)
    }
}
