//! One line for every decision that is about somebody: who, what, by which rule. Never an object, never a key.

use crate::admission::Decision;
use crate::admission::Outcome;
use crate::metrics::name;
use crate::review::Request;

/// Writes the line. What is none of our business is not told.
pub(crate) fn line(request: &Request<'_>, decision: &Decision) {
    if decision.outcome == Outcome::Untouched {
        return;
    }
    tracing::info!(
        target: "audit",
        uid = &*request.uid,
        submitter = &*request.user_info.username,
        namespace = request.namespace.as_deref(),
        kind = &*request.kind.kind,
        sub_resource = request.sub_resource.as_deref(),
        name = request.name.as_deref(),
        outcome = name(decision.outcome),
        user = decision.user.as_deref(),
        rule = decision.answer.audit.get("rule").map(String::as_str),
        denied = decision.answer.denied.as_deref(),
        dry_run = request.dry_run.unwrap_or_default(),
    );
}
