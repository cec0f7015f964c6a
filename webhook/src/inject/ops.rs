//! JSON patch operations, in the order in which they are applied.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value, json};

/// A patch in the making.
#[derive(Debug, Default)]
pub struct Ops(Vec<PatchOperation>);

impl Ops {
    /// Adds a value, or replaces a map's entry.
    pub fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: Value) {
        self.0.push(PatchOperation::Add(AddOperation {
            path: pointer(path),
            value,
        }));
    }

    pub fn replace<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: Value) {
        self.0.push(PatchOperation::Replace(ReplaceOperation {
            path: pointer(path),
            value,
        }));
    }

    pub fn remove<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        self.0.push(PatchOperation::Remove(RemoveOperation {
            path: pointer(path),
        }));
    }

    /// Appends to the array at `path`, which is made where it is missing.
    pub fn append(&mut self, path: &[&str], exists: bool, values: Vec<Value>) {
        if values.is_empty() {
            return;
        }
        if !exists {
            return self.add(path.iter().copied(), Value::Array(values));
        }
        for value in values {
            self.add(path.iter().copied().chain(["-"]), value);
        }
    }

    /// Sets entries of the map at `path`, which is made where it is missing.
    pub fn entries(&mut self, path: &[&str], exists: bool, entries: &[(&str, &str)]) {
        if entries.is_empty() {
            return;
        }
        if !exists {
            let map: Map<_, _> = entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect();
            return self.add(path.iter().copied(), Value::Object(map));
        }
        for (key, value) in entries {
            self.add(path.iter().copied().chain([*key]), json!(value));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patch.
    pub fn into_patch(self) -> Patch {
        Patch(self.0)
    }
}

/// A JSON pointer; the tokens are escaped (RFC 6901).
fn pointer<'a>(path: impl IntoIterator<Item = &'a str>) -> PointerBuf {
    PointerBuf::from_tokens(path)
}
