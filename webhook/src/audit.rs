//! One line for every decision that is about somebody: who, what, by which rule. Never an object, never a key.

use kube2hadoop_client::contract::Timestamp;
use kube2hadoop_runtime::audit::AuditLog;
use serde::Serialize;

use crate::admission::{Decision, Outcome};
use crate::metrics::name;
use crate::review::Request;

/// One line of the audit log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: Timestamp,
    event: &'static str,
    outcome: &'static str,
    uid: &'a str,
    submitter: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'a str>,
    /// Why a pod starts without a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
    dry_run: bool,
}

/// Writes the line; `now` in Unix seconds. What is none of our business is not told.
pub(crate) fn line(log: &AuditLog, now: u64, request: &Request<'_>, decision: &Decision) {
    if decision.outcome == Outcome::Untouched {
        return;
    }
    let audited = |key| decision.answer.audit.get(key).map(String::as_str);
    log.write(&Line {
        time: Timestamp::from_unix_seconds(now),
        event: "admission",
        outcome: name(decision.outcome),
        uid: &request.uid,
        submitter: &request.user_info.username,
        namespace: request.namespace.as_deref(),
        kind: &request.kind.kind,
        sub_resource: request.sub_resource.as_deref(),
        name: request.name.as_deref(),
        user: decision.user.as_deref(),
        rule: audited("rule"),
        denied: decision.answer.denied.as_deref(),
        skipped: audited("skipped"),
        dry_run: request.dry_run.unwrap_or_default(),
    });
}
