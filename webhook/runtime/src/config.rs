//! Configuration files: YAML, read whole, refused with file and line.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The exit code of a process whose configuration cannot be used: EX_USAGE of sysexits.h.
pub const EXIT_CODE: u8 = 64;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Parse {
        path: PathBuf,
        source: serde_yaml_ng::Error,
    },
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// Reads it whole.
    ///
    /// # Errors
    /// A file that is not there, or cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content. The types refuse unknown fields; the error names the line.
    ///
    /// # Errors
    /// A content that does not fit the type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        serde_yaml_ng::from_str(&self.text).map_err(|source| ConfigError::Parse {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code, reason = "only the errors matter here")]
        listen: std::net::SocketAddr,
    }

    fn error_of(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sample.yaml");
        std::fs::write(&path, text).unwrap();
        let file = File::read(&path).unwrap();
        file.parse::<Sample>().unwrap_err().to_string()
    }

    #[test]
    fn the_error_names_file_and_line() {
        let error = error_of("# a comment\nlisten: nowhere\n");
        assert!(
            error.contains("sample.yaml") && error.contains("line 2"),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let error = error_of("listne: 127.0.0.1:1\n");
        assert!(error.contains("listne"), "{error}");
    }
}
