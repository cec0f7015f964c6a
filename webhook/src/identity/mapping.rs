//! From Kubernetes user names to Hadoop users: ordered, anchored rules.

use kube2hadoop_stamp::{HadoopUser, InvalidUser};
use regex::Regex;
use serde::Deserialize;

/// One rule: user names that match become the user of the template.
#[derive(Debug, Deserialize)]
#[serde(try_from = "MappingConfig")]
pub struct Mapping {
    pattern: Regex,
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingConfig {
    #[serde(rename = "match")]
    pattern: String,
    user: String,
}

/// Why a pattern is refused when the configuration is read.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error(
        "«{0}» is not anchored: begin it with ^ and end it with $, or it matches parts of names"
    )]
    NotAnchored(String),
    #[error("«{pattern}» is no regular expression: {source}")]
    Pattern {
        pattern: String,
        source: Box<regex::Error>,
    },
    #[error("mapping «{pattern}» has no group named {group}, which its user «{user}» names")]
    Group {
        pattern: String,
        group: String,
        user: String,
    },
}

impl TryFrom<MappingConfig> for Mapping {
    type Error = MappingError;

    fn try_from(config: MappingConfig) -> Result<Self, MappingError> {
        let MappingConfig { pattern, user } = config;
        let compiled = anchored(&pattern)?;
        for group in groups(&user) {
            if !compiled.capture_names().flatten().any(|name| name == group) {
                return Err(MappingError::Group {
                    pattern,
                    group: group.to_owned(),
                    user: user.clone(),
                });
            }
        }
        Ok(Self {
            pattern: compiled,
            user,
        })
    }
}

/// A pattern that matches whole names only.
pub(super) fn anchored(pattern: &str) -> Result<Regex, MappingError> {
    if !pattern.starts_with('^') || !pattern.ends_with('$') || pattern.ends_with("\\$") {
        return Err(MappingError::NotAnchored(pattern.to_owned()));
    }
    // The group makes `^a$|b` match whole names only, too.
    Regex::new(&format!("^(?:{pattern})$")).map_err(|source| MappingError::Pattern {
        pattern: pattern.to_owned(),
        source: Box::new(source),
    })
}

/// The names in `${name}`.
fn groups(template: &str) -> impl Iterator<Item = &str> {
    template
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

impl Mapping {
    /// The Hadoop user of this Kubernetes user name; none where the rule does not match, an error where it makes
    /// a name that Hadoop must not see.
    pub fn apply(&self, username: &str) -> Option<Result<HadoopUser, InvalidUser>> {
        let captures = self.pattern.captures(username)?;
        let mut user = String::new();
        captures.expand(&self.user, &mut user);
        Some(user.parse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, user: &str) -> Result<Mapping, MappingError> {
        MappingConfig {
            pattern: pattern.into(),
            user: user.into(),
        }
        .try_into()
    }

    #[test]
    fn named_groups_make_the_user() {
        let rule = rule(r"^(?<name>[a-z]+)@example\.com$", "${name}").unwrap();
        assert_eq!(
            rule.apply("alice@example.com").unwrap().unwrap().as_str(),
            "alice"
        );
        assert!(rule.apply("alice@example.com.evil.org").is_none());
        assert!(rule.apply("x alice@example.com").is_none());
        assert!(rule.apply("alice@example.com\n").is_none());
    }

    #[test]
    fn a_rule_that_matches_parts_is_refused() {
        for pattern in ["alice", "^alice", "alice$", r"^alice\$"] {
            assert!(
                matches!(rule(pattern, "a"), Err(MappingError::NotAnchored(_))),
                "{pattern}"
            );
        }
        let either = rule("^a$|^b$", "x").unwrap();
        assert!(either.apply("a").is_some() && either.apply("ab").is_none());
        assert!(rule("^a|b$", "x").unwrap().apply("axxx").is_none());
    }

    #[test]
    fn a_group_that_is_not_there_is_refused() {
        assert!(matches!(
            rule("^a$", "${name}"),
            Err(MappingError::Group { .. })
        ));
        assert!(matches!(
            rule("^($", "a"),
            Err(MappingError::Pattern { .. })
        ));
    }

    #[test]
    fn what_hadoop_must_not_see_is_an_error() {
        assert!(
            rule("^(?<name>.*)$", "${name}")
                .unwrap()
                .apply("a b/../c")
                .unwrap()
                .is_err()
        );
    }
}
