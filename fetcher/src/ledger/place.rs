//! Where a key's record stands in the shared ledger.

use aws_lc_rs::digest::{SHA256, digest};

use super::Key;
use crate::issue::Issued;

/// The place of one record. A key has one that all replicas know; what newer tokens have replaced, and running
/// pods still hold, stands aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub key: Key,
    name: String,
}

impl Place {
    /// Where who asks for the key's tokens looks.
    #[must_use]
    pub fn current(key: &Key) -> Self {
        Self {
            name: format!("token-{}", hash_of(key)),
            key: key.clone(),
        }
    }

    /// Where tokens stand that nobody gets any more: the same place for the same tokens.
    #[must_use]
    pub fn aside(key: &Key, issued: &Issued) -> Self {
        let identifiers: Vec<u8> = issued
            .distinct()
            .iter()
            .flat_map(|token| token.identifier().expose().to_vec())
            .collect();
        let tokens: String = hex(&identifiers).chars().take(12).collect();
        Self {
            name: format!("token-{}-{tokens}", hash_of(key)),
            key: key.clone(),
        }
    }

    /// A place as it was found; none if the name is no name of this key's places.
    #[must_use]
    pub fn found(key: Key, name: &str) -> Option<Self> {
        let rest = name.strip_prefix("token-")?.strip_prefix(&hash_of(&key))?;
        (rest.is_empty() || rest.starts_with('-')).then(|| Self {
            key,
            name: name.to_owned(),
        })
    }

    /// The name of the Secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn hash_of(key: &Key) -> String {
    hash(&[key.job.as_str(), key.user.as_str(), key.service.as_str()])
}

/// Forty hexadecimal digits of SHA-256; parts are set apart by NUL, which none may contain.
pub(super) fn hash(parts: &[&str]) -> String {
    hex(parts.join("\0").as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let sum = digest(&SHA256, bytes);
    sum.as_ref()
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{issued, key};
    use super::*;

    #[test]
    fn a_place_is_found_again_by_its_key_only() {
        let (alice, bob) = (
            key("team/Job.batch/a", "alice"),
            key("team/Job.batch/a", "bob"),
        );
        let aside = Place::aside(&alice, &issued(0, 1));
        for place in [Place::current(&alice), aside.clone()] {
            assert_eq!(
                Place::found(alice.clone(), place.name()),
                Some(place.clone())
            );
            assert_eq!(Place::found(bob.clone(), place.name()), None);
            assert!(place.name().len() <= 63);
        }
        assert_ne!(aside, Place::current(&alice));
    }
}
