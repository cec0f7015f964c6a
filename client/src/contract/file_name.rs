//! Names of configuration files, which must not lead out of their directory.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a name may not be used for a file in the configuration directory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "file name {0:?} is not allowed: use 1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
)]
pub struct FileNameError(String);

/// The name of a file in the configuration directory: no path, no hidden file, so nothing outside
/// the directory and no temporary file of the client's can be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// The name; no part of it is a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for FileName {
    type Error = FileNameError;

    fn try_from(name: &str) -> Result<Self, FileNameError> {
        Self::try_from(name.to_owned())
    }
}

impl TryFrom<String> for FileName {
    type Error = FileNameError;

    fn try_from(name: String) -> Result<Self, FileNameError> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if starts_well && name.len() <= 100 && name.chars().all(allowed) {
            return Ok(Self(name));
        }
        // It goes into a message: a name of a megabyte shall not.
        Err(FileNameError(name.chars().take(100).collect()))
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}
