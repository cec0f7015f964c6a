//! Which pod a request of legacy mode says it comes from.

use thiserror::Error;

/// A namespace and a pod name that Kubernetes could have given out: they become part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodName {
    namespace: String,
    name: String,
}

/// What is no name of a pod.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{field} is missing or no name that Kubernetes gives out: want {field}=…, as metadata has it"
)]
pub struct InvalidPodName {
    field: &'static str,
}

impl PodName {
    /// Checks both as Kubernetes does (RFC 1123: labels of lower case letters, digits and dashes, dots between them).
    ///
    /// # Errors
    /// [`InvalidPodName`] with the parameter that is wrong.
    pub fn parse(namespace: &str, name: &str) -> Result<Self, InvalidPodName> {
        if !is_label(namespace) {
            return Err(InvalidPodName { field: "namespace" });
        }
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(InvalidPodName { field: "pod-name" });
        }
        Ok(Self {
            namespace: namespace.into(),
            name: name.into(),
        })
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_kubernetes_gives_out_reach_the_api_server() {
        assert!(PodName::parse("team-a", "web-0.x9").is_ok());
        for name in [
            "",
            "a/b",
            "..",
            "a..b",
            "../secrets/x",
            "A",
            "a?b",
            "a%2f",
            "-a",
            "a-",
        ] {
            let error = PodName::parse("team-a", name).unwrap_err();
            assert_eq!(error.field, "pod-name", "{name}");
            assert!(PodName::parse(name, "web-0").is_err(), "{name}");
        }
        assert!(PodName::parse("a.b", "web-0").is_err());
        assert!(PodName::parse("team-a", &"a".repeat(64)).is_err());
    }
}
