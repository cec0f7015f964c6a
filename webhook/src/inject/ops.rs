//! JSON patch operations (RFC 6902), in the order in which they are applied.

use json_patch::jsonptr::Token;
use serde::Serialize;
use serde::ser::{Error as _, SerializeMap as _, Serializer};
use serde_json::Value;

/// A patch in the making, written as it grows: a tree of JSON values in between would cost as much as all the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ops {
    /// An array that is not closed yet; empty where nothing was added.
    text: Vec<u8>,
    /// Why one could not be written; the patch is then none.
    broken: Option<String>,
}

impl Ops {
    /// Adds a value, or replaces a map's entry.
    pub fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: impl Serialize) {
        self.write("add", path, Some(&value));
    }

    /// Replaces a value that is there.
    pub fn replace<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: impl Serialize) {
        self.write("replace", path, Some(&value));
    }

    /// Takes a value away that is there.
    pub fn remove<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        self.write::<Value>("remove", path, None);
    }

    /// Appends to the array at `path`, which is made where it is missing.
    pub fn append(&mut self, path: &[&str], exists: bool, values: &[impl Serialize]) {
        if values.is_empty() {
            return;
        }
        if !exists {
            return self.add(path.iter().copied(), values);
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
            return self.add(path.iter().copied(), Entries(entries));
        }
        for (key, value) in entries {
            self.add(path.iter().copied().chain([*key]), value);
        }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.broken.is_none()
    }

    /// The patch as JSON.
    ///
    /// # Errors
    /// None in practice: all values are plain data.
    pub fn into_json(mut self) -> Result<Vec<u8>, serde_json::Error> {
        if let Some(reason) = self.broken {
            return Err(serde_json::Error::custom(reason));
        }
        if self.text.is_empty() {
            self.text.push(b'[');
        }
        self.text.push(b']');
        Ok(self.text)
    }

    fn write<'a, T: Serialize>(
        &mut self,
        op: &'static str,
        path: impl IntoIterator<Item = &'a str>,
        value: Option<&T>,
    ) {
        match self.text.last() {
            None => {
                self.text.reserve(6 * 1024); // a pod's patch, with the CA and the stamp
                self.text.push(b'[');
            }
            Some(_) => self.text.push(b','),
        }
        self.text.extend_from_slice(br#"{"op":""#);
        self.text.extend_from_slice(op.as_bytes());
        self.text.extend_from_slice(br#"","path":"#);
        self.json(&pointer(path));
        if let Some(value) = value {
            self.text.extend_from_slice(br#","value":"#);
            self.json(value);
        }
        self.text.push(b'}');
    }

    fn json(&mut self, value: &impl Serialize) {
        if let Err(error) = serde_json::to_writer(&mut self.text, value) {
            self.broken = Some(error.to_string());
        }
    }
}

/// A JSON object of these entries.
struct Entries<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A JSON pointer; the tokens are escaped (RFC 6901).
fn pointer<'a>(path: impl IntoIterator<Item = &'a str>) -> String {
    let mut pointer = String::with_capacity(64);
    for token in path {
        pointer.push('/');
        pointer.push_str(Token::new(token).encoded());
    }
    pointer
}

#[cfg(test)]
impl Ops {
    /// As those read it who apply it.
    pub(crate) fn patch(&self) -> json_patch::Patch {
        serde_json::from_slice(&self.clone().into_json().unwrap()).unwrap()
    }
}
