//! The keytab, read only to say what is wrong with it: libkrb5 has one text for all of it.
//!
//! MIT format, version 0x0502: big-endian records of principal, kvno and key.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// Why no key can be had from the keytab.
#[derive(Debug, Error)]
pub enum KeytabError {
    #[error("KRB5_CLIENT_KTNAME is not set: set it to the path of the keytab")]
    NotSet,
    #[error("KRB5_CLIENT_KTNAME is {0:?}: only keytab files can be used (FILE:/path or /path)")]
    NoFile(String),
    #[error("the keytab {0} does not exist: mount the Secret that holds it there")]
    Missing(PathBuf),
    #[error("the keytab {path} cannot be read: let our user read it")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{0} is no keytab of version 5.2: make it anew with ktutil or kadmin, and see that it was copied as binary"
    )]
    Corrupt(PathBuf),
    #[error("the keytab {0} holds no keys: export the principal's key into it")]
    Empty(PathBuf),
    #[error(
        "the keytab {path} has no key of {wanted}, only of {found}: give hadoop.principal one of these, or add the key"
    )]
    WrongPrincipal {
        path: PathBuf,
        wanted: String,
        found: String,
    },
}

/// Whose keys a keytab holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keytab {
    /// Principal → its highest key version.
    pub principals: BTreeMap<String, u32>,
}

impl Keytab {
    /// Reads the keytab that the value of KRB5_CLIENT_KTNAME names.
    ///
    /// # Errors
    /// Missing, unreadable, corrupt or empty.
    pub fn from_env_value(value: Option<&str>) -> Result<(PathBuf, Self), KeytabError> {
        let value = value
            .filter(|text| !text.is_empty())
            .ok_or(KeytabError::NotSet)?;
        let path = match value.split_once(':') {
            Some(("FILE" | "WRFILE", path)) => path,
            Some((kind, _)) if !kind.contains('/') => {
                return Err(KeytabError::NoFile(value.into()));
            }
            _ => value,
        };
        let path = PathBuf::from(path);
        let keytab = Self::read(&path)?;
        Ok((path, keytab))
    }

    /// Reads a keytab file.
    ///
    /// # Errors
    /// Missing, unreadable, corrupt or empty.
    pub fn read(path: &Path) -> Result<Self, KeytabError> {
        let bytes = Zeroizing::new(fs::read(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => KeytabError::Missing(path.into()),
            _ => KeytabError::Unreadable {
                path: path.into(),
                source,
            },
        })?);
        let keytab = Self::parse(&bytes).ok_or_else(|| KeytabError::Corrupt(path.into()))?;
        if keytab.principals.is_empty() {
            return Err(KeytabError::Empty(path.into()));
        }
        Ok(keytab)
    }

    /// Finds the newest key version of a principal.
    ///
    /// # Errors
    /// With the principals that are there.
    pub fn key_version(&self, path: &Path, principal: &str) -> Result<u32, KeytabError> {
        self.principals
            .get(principal)
            .copied()
            .ok_or_else(|| KeytabError::WrongPrincipal {
                path: path.into(),
                wanted: principal.into(),
                found: self
                    .principals
                    .keys()
                    .take(5)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[5, 2])?;
        let mut principals = BTreeMap::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            let (record, after) =
                after.split_at_checked(usize::try_from(length.unsigned_abs()).ok()?)?;
            rest = after;
            // A removed key leaves a hole of negative length; zeros fill the file's end.
            if length == 0 {
                break;
            }
            if length > 0 {
                let (principal, version) = entry(record)?;
                let newest = principals.entry(principal).or_insert(version);
                *newest = version.max(*newest);
            }
        }
        Some(Self { principals })
    }
}

fn entry(record: &[u8]) -> Option<(String, u32)> {
    let mut cursor = Cursor(record);
    let parts = cursor.u16()?;
    let realm = cursor.text()?;
    let name: Option<Vec<String>> = (0..parts).map(|_| cursor.text()).collect();
    let _name_type = cursor.take(4)?;
    let _timestamp = cursor.take(4)?;
    let short_version = u32::from(*cursor.take(1)?.first()?);
    let _encryption = cursor.u16()?;
    let key_length = cursor.u16()?;
    cursor.take(usize::from(key_length))?;
    // Versions above 255 stand in four more bytes.
    let long_version = cursor
        .0
        .first_chunk::<4>()
        .map(|bytes| u32::from_be_bytes(*bytes));
    let version = long_version
        .filter(|version| *version != 0)
        .unwrap_or(short_version);
    Some((format!("{}@{realm}", name?.join("/")), version))
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u16()?;
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests;
