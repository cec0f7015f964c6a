//! The name of a Hadoop service that issues tokens, as users write it in the `services` annotation.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A configured Hadoop service: a name service of hdfs-site.xml, the host of another file system, `yarn` or `kms`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(String);

/// A text that names no service.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no service name: use 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct InvalidServiceName(String);

impl ServiceName {
    /// The name as the configuration and the contract write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;

    fn from_str(text: &str) -> Result<Self, InvalidServiceName> {
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        // The name goes into messages and logs: a hostile one is cut before it is quoted.
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(InvalidServiceName(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["ns1", "kms", "Prod_HDFS.eu-1", &"a".repeat(64)] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a,b", "ns1/x", "é", &"a".repeat(65)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }
}
