//! JSON that is written once for all pods: most of a patch is the same in each.

use std::ops::Deref;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// A value, as the text that stands for it in a patch.
#[derive(Clone, Debug)]
pub(super) struct Written(Result<Box<RawValue>, String>);

impl Written {
    /// A value that cannot be written, of which there is none in practice, breaks the patch that takes it.
    pub(super) fn of(value: &impl Serialize) -> Self {
        Self(to_raw_value(value).map_err(|error| error.to_string()))
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(json) => json.serialize(serializer),
            Err(reason) => Err(S::Error::custom(reason)),
        }
    }
}

/// Certificates in PEM, which every pod is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pem {
    text: String,
    written: Written,
}

impl From<String> for Pem {
    fn from(text: String) -> Self {
        let written = Written::of(&text);
        Self { text, written }
    }
}

impl Deref for Pem {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Serialize for Pem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}
