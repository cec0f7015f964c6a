//! Admission as a function: a request, the policy, the keys and the facts in; an answer out.

pub mod asks;
mod code;
mod connect;
mod pod;
mod template;
mod workload;

use kube2hadoop_stamp::{PodClaims, SigningKey, StampError, VerifyingKeys};

use crate::identity::{Authority, Identity, IdentityPolicy, Rule};
use crate::inject::{InjectPolicy, Pem};
use crate::kinds::Kinds;
use crate::review::{Answer, Operation, Request};

pub use connect::{Connect, Target, is_way_in};

/// By which entry of the webhook configuration the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The namespace is labelled.
    Namespace,
    /// It has the label of linkedin/kube2hadoop: its pods bring an init container of their own, and want the stamp only.
    Legacy,
    /// It is not: only what the object itself carries can ask for injection.
    Object,
}

/// What the configuration says.
#[derive(Debug)]
pub struct Policy {
    pub identity: IdentityPolicy,
    pub inject: InjectPolicy,
    /// `iss` of our stamps.
    pub issuer: String,
    /// How far a pod's creation may be from the `iat` of its stamp.
    pub stamp_window_seconds: u64,
    pub unmapped_update: UnmappedUpdate,
    /// The kinds whose templates are stamped.
    pub kinds: Kinds,
    /// Of others' connections into stamped pods.
    pub connect: Connect,
}

/// What becomes of an update by nobody that would take a valid stamp away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnmappedUpdate {
    #[default]
    Deny,
    Drop,
}

/// The keys at this moment, and the CA that pods are told to trust.
#[derive(Debug)]
pub struct Keys {
    pub signing: SigningKey,
    pub verifying: VerifyingKeys,
    pub ca: Pem,
}

/// What adapters found out about who asks.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The verified stamp of the pod whose credential this is.
    pub pod: Option<PodClaims>,
    /// The namespace of the asking service account is in scope.
    pub service_account_in_scope: bool,
    /// The user that the object's namespace asks for by default.
    pub namespace_run_as: Option<String>,
    /// Whether it asks for one is not known.
    pub namespace_unread: bool,
    /// What is known about the right to run as somebody else.
    pub authority: Option<Authority>,
    /// What is connected to.
    pub target: Option<Target>,
}

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub policy: &'a Policy,
    pub keys: &'a Keys,
    pub scope: Scope,
    pub caller: &'a Caller,
    /// Seconds since 1970.
    pub now: u64,
}

/// Why there is no answer to a request that could be read.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    #[error("the request has no object")]
    NoObject,
    #[error(
        "the request is about a pod, and its object is none: apiVersion and kind must come first"
    )]
    NoPod,
    #[error("the request has no namespace")]
    NoNamespace,
    #[error("the object cannot be read: {0}")]
    Object(#[from] serde_json::Error),
    #[error("failed to sign")]
    Sign(#[from] StampError),
}

impl AdmissionError {
    /// The HTTP status: the request is at fault, except where signing fails.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoObject | Self::NoPod | Self::NoNamespace | Self::Object(_) => 400,
            Self::Sign(_) => 500,
        }
    }
}

/// What was decided, in words of a bounded set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing of ours.
    Untouched,
    Stripped,
    Skipped,
    Injected,
    Stamped,
    Kept,
    /// Let through, with a word.
    Warned,
    Denied,
}

/// The answer, and what audit and metrics want to know.
#[derive(Debug)]
pub struct Decision {
    pub answer: Answer,
    pub outcome: Outcome,
    pub user: Option<String>,
    pub rule: Option<Rule>,
    /// Which key signed the template's stamp that it rests on.
    pub template_key: Option<String>,
}

impl Decision {
    fn new(outcome: Outcome, answer: Answer) -> Self {
        Self {
            answer,
            outcome,
            user: None,
            rule: None,
            template_key: None,
        }
    }

    /// Names who it is and by which rule, for audit, metrics and the API server's audit log.
    fn of(mut self, identity: &Identity) -> Self {
        self.user = Some(identity.user.to_string());
        self.rule = Some(identity.rule);
        self.answer.audit.insert("user", identity.user.to_string());
        self.answer.audit.insert("rule", identity.why());
        self.answer.warnings.extend(identity.notice());
        self
    }

    /// Names the key of a template's stamp, where that decided.
    fn resting_on(mut self, stamp: Option<&str>, keys: &Keys) -> Self {
        let stamp = stamp.filter(|_| self.rule == Some(Rule::Template));
        let signer = stamp.and_then(|stamp| keys.verifying.template_signer(stamp));
        self.template_key = signer.map(str::to_owned);
        self
    }

    fn denied(reason: &dyn std::fmt::Display) -> Self {
        Self::new(
            Outcome::Denied,
            Answer::deny(format!("kube2hadoop: {reason}")),
        )
    }
}

/// Decides on one request.
///
/// # Errors
/// A request without object or namespace, or whose object is malformed where it is read.
pub fn admit(request: &Request<'_>, context: &Context<'_>) -> Result<Decision, AdmissionError> {
    if request.operation == Operation::Connect {
        return Ok(connect::admit(request, context));
    }
    let subresource = request
        .sub_resource
        .as_deref()
        .is_some_and(|name| !name.is_empty());
    if subresource || !matches!(request.operation, Operation::Create | Operation::Update) {
        return Ok(Decision::new(Outcome::Untouched, Answer::default()));
    }
    if request.kind.group.is_empty() && &*request.kind.kind == "Pod" {
        return pod::admit(request, context);
    }
    let kinds = &context.policy.kinds;
    match kinds.find(&request.kind.group, &request.kind.kind) {
        Some(kind) => workload::admit(request, context, kind),
        None => Ok(Decision::new(Outcome::Untouched, Answer::default())),
    }
}

/// How a pod or a template asks for injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    /// Covered by its namespace's label only.
    ByNamespace,
    ByOwnLabel,
    /// Covered by its namespace's label of old: for a stamp.
    ByLegacyLabel,
    /// The label's value is neither `enabled` nor `disabled`.
    Unclear,
}

fn asked(label: Option<&str>, scope: Scope) -> Asked {
    match label {
        Some("enabled") => Asked::ByOwnLabel,
        Some("disabled") => Asked::No,
        Some(_) => Asked::Unclear,
        None => match scope {
            Scope::Namespace => Asked::ByNamespace,
            Scope::Legacy => Asked::ByLegacyLabel,
            Scope::Object => Asked::No,
        },
    }
}

const UNCLEAR: &str = "label kube2hadoop.io/inject must be «enabled» or «disabled»";

#[cfg(test)]
mod tests;
