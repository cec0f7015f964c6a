//! Operators that the administrator trusts: what they make, and how it says where it comes from.

use serde::Deserialize;

use super::origin::{Called, Owned};
use crate::pod::Metadata;

const OUR_PREFIX: &str = kube2hadoop_stamp::names::PREFIX;

/// A kind, as `Kind` or `Kind.group`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct KindName {
    kind: String,
    group: String,
    /// With a slash, as in `apiVersion`; the version counts for nothing.
    api_version: String,
}

/// A name that no object has: a resource's, perhaps.
#[derive(Debug, thiserror::Error)]
#[error("«{0}» is no kind: want Kind, or Kind.group, as in Pod and Job.batch")]
pub(super) struct InvalidKind(String);

impl TryFrom<String> for KindName {
    type Error = InvalidKind;

    fn try_from(text: String) -> Result<Self, InvalidKind> {
        let (kind, group) = text.split_once('.').unwrap_or((&text, ""));
        let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let of_group = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if !is_kind || !group.bytes().all(of_group) || text.ends_with('.') {
            return Err(InvalidKind(text));
        }
        Ok(Self::new(kind, group))
    }
}

impl KindName {
    pub(super) fn new(kind: &str, group: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            group: group.to_owned(),
            api_version: format!("{group}/"),
        }
    }

    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group == group
    }
}

/// Why an entry is refused when the configuration is read.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("name an operator by either user or serviceAccount")]
    Who,
    #[error("«{0}» is no service account: want namespace/name")]
    ServiceAccount(String),
    #[error("{0} serves no kinds, so its entry does nothing: name them")]
    NoKinds(String),
    #[error("«{0}» is Kube2Hadoop's own, and no other may change it: remove it from annotations")]
    OwnKey(String),
}

fn username(user: Option<String>, account: Option<String>) -> Result<String, OperatorError> {
    match (user, account) {
        (Some(user), None) if !user.is_empty() => Ok(user),
        (None, Some(account)) => match account.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Ok(format!("system:serviceaccount:{namespace}:{name}"))
            }
            _ => Err(OperatorError::ServiceAccount(account)),
        },
        _ => Err(OperatorError::Who),
    }
}

/// One operator. Whoever can act as it can be anyone whose template they can read: mind its namespace.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "OperatorConfig")]
pub struct Operator {
    user: String,
    kinds: Vec<KindName>,
    /// Empty: whatever the controlling owner reference names.
    origins: Vec<OriginRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OperatorConfig {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    service_account: Option<String>,
    kinds: Vec<KindName>,
    #[serde(default)]
    origins: Vec<OriginRule>,
}

/// What objects of an operator may come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginRule {
    kind: KindName,
    /// The label whose value is the origin's whole name; none: the only owner reference of the kind names it.
    #[serde(default)]
    label: Option<String>,
}

impl TryFrom<OperatorConfig> for Operator {
    type Error = OperatorError;

    fn try_from(config: OperatorConfig) -> Result<Self, OperatorError> {
        let user = username(config.user, config.service_account)?;
        if config.kinds.is_empty() {
            return Err(OperatorError::NoKinds(user));
        }
        Ok(Self {
            user,
            kinds: config.kinds,
            origins: config.origins,
        })
    }
}

impl OriginRule {
    fn owned<'a>(&'a self, metadata: &'a Metadata<'a>) -> Option<Owned<'a>> {
        let Some(label) = &self.label else {
            return Owned::only(metadata, &self.kind.group, &self.kind.kind);
        };
        let name = metadata.label(label).filter(|name| !name.is_empty())?;
        Some(Owned {
            api_version: &self.kind.api_version,
            kind: &self.kind.kind,
            name: Called::Name(name),
            labels: metadata.labels.as_ref(),
        })
    }
}

/// All of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Operators(Vec<Operator>);

impl Operators {
    /// Is this user trusted to make objects of this kind from stamped templates?
    pub fn serve(&self, username: &str, group: &str, kind: &str) -> bool {
        let mut all = self.0.iter().filter(|operator| operator.user == username);
        all.any(|operator| operator.kinds.iter().any(|served| served.is(group, kind)))
    }

    /// What an object that this user made says of where it comes from.
    pub fn owned<'a>(&'a self, username: &str, metadata: &'a Metadata<'a>) -> Option<Owned<'a>> {
        let operators = self.0.iter().filter(|operator| operator.user == username);
        let mut rules = operators.flat_map(|operator| &operator.origins).peekable();
        if rules.peek().is_none() {
            return Owned::of(metadata);
        }
        rules.find_map(|rule| rule.owned(metadata))
    }
}

/// Who may change where a workload's pods are scheduled, labels and some annotations, and take nobody's stamp away.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MutatorConfig")]
pub struct Mutator {
    user: String,
    annotations: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MutatorConfig {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    service_account: Option<String>,
    #[serde(default)]
    annotations: Vec<String>,
}

impl TryFrom<MutatorConfig> for Mutator {
    type Error = OperatorError;

    fn try_from(config: MutatorConfig) -> Result<Self, OperatorError> {
        let mut keys = config.annotations.iter();
        if let Some(own) = keys.find(|key| key.starts_with(OUR_PREFIX)) {
            return Err(OperatorError::OwnKey(own.clone()));
        }
        Ok(Self {
            user: username(config.user, config.service_account)?,
            annotations: config.annotations,
        })
    }
}

impl Mutator {
    pub(super) fn is(&self, username: &str) -> bool {
        self.user == username
    }

    /// May it change this annotation of a template?
    pub fn may_change(&self, annotation: &str) -> bool {
        self.annotations.iter().any(|listed| listed == annotation)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(entry: Value) -> String {
        serde_json::from_value::<Operator>(entry)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_operator_serves_its_kinds_only() {
        let entries =
            json!([{"serviceAccount": "ray/operator", "kinds": ["Pod", "RayCluster.ray.io"]}]);
        let operators: Operators = serde_json::from_value(entries).unwrap();
        let user = "system:serviceaccount:ray:operator";
        assert!(operators.serve(user, "", "Pod") && operators.serve(user, "ray.io", "RayCluster"));
        assert!(!operators.serve(user, "batch", "Job"));
        assert!(!operators.serve(user, "evil.org", "RayCluster"));
        assert!(!operators.serve("system:serviceaccount:team:operator", "", "Pod"));
    }

    #[test]
    fn where_an_object_comes_from_is_said_by_owner_or_by_label() {
        let entries = json!([{"user": "lws", "kinds": ["StatefulSet.apps"], "origins": [
            {"kind": "LeaderWorkerSet.leaderworkerset.x-k8s.io", "label": "lws/name"}, {"kind": "Other.x"}]}]);
        let operators: Operators = serde_json::from_value(entries).unwrap();
        let name = |metadata: Value| {
            let text = metadata.to_string();
            let metadata: Metadata<'_> = serde_json::from_str(&text).unwrap();
            let owned = operators.owned("lws", &metadata)?;
            match owned.name {
                Called::Name(name) => Some(format!("{} {name}", owned.kind)),
                Called::GenerateName(_) => None,
            }
        };
        let owner =
            |kind| json!([{"apiVersion": "x/v1", "kind": kind, "name": "o", "controller": true}]);
        let by_label = name(json!({"labels": {"lws/name": "a"}, "ownerReferences": owner("Pod")}));
        assert_eq!(by_label.as_deref(), Some("LeaderWorkerSet a"));
        assert_eq!(
            name(json!({"ownerReferences": owner("Other")})).as_deref(),
            Some("Other o")
        );
        assert_eq!(name(json!({"ownerReferences": owner("Job")})), None);
        assert_eq!(name(json!({"labels": {"lws/name": ""}})), None);
        // Not every operator calls itself the controller. Two owners of the kind are none.
        let other = |name| json!({"apiVersion": "x/v1", "kind": "Other", "name": name});
        assert_eq!(
            name(json!({"ownerReferences": [other("a")]})).as_deref(),
            Some("Other a")
        );
        assert_eq!(
            name(json!({"ownerReferences": [other("a"), other("b")]})),
            None
        );
    }

    #[test]
    fn entries_that_say_too_little_or_too_much_are_refused() {
        assert!(error(json!({"kinds": ["Pod"]})).contains("either"));
        assert!(
            error(json!({"user": "a", "serviceAccount": "a/b", "kinds": ["Pod"]}))
                .contains("either")
        );
        assert!(error(json!({"serviceAccount": "a", "kinds": ["Pod"]})).contains("namespace/name"));
        assert!(error(json!({"user": "a", "kinds": []})).contains("serves no kinds"));
        for name in ["pods", "Pod.", "jobs.batch", "Job.Batch", "batch/Job", ""] {
            let wrong = error(json!({"user": "a", "kinds": [name]}));
            assert!(wrong.contains(&format!("«{name}» is no kind")), "{wrong}");
        }
        let own = json!({"user": "a", "annotations": ["kube2hadoop.io/stamp"]});
        let refused = serde_json::from_value::<Mutator>(own)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("own"));
    }
}
