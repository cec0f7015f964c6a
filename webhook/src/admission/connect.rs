//! Exec, attach, port-forward and proxy into a pod: whoever is in it has its tokens.

use serde::Deserialize;

use super::{Caller, Context, Decision, Outcome};
use crate::identity::IdentityPolicy;
use crate::review::{Answer, Request};

/// What becomes of a connection into somebody else's stamped pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Connect {
    Allow,
    #[default]
    Warn,
    Deny,
}

/// What the pod is that somebody connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It has no stamp, or is not there.
    Free,
    /// It acts in Hadoop as `user`, for `submitter`.
    Stamped { user: String, submitter: String },
    /// It could not be read in time.
    Unknown,
}

/// The ways into a pod.
pub fn is_way_in(sub_resource: &str) -> bool {
    matches!(sub_resource, "exec" | "attach" | "portforward" | "proxy")
}

pub(super) fn admit(request: &Request<'_>, context: &Context<'_>) -> Decision {
    let untouched = Decision::new(Outcome::Untouched, Answer::default());
    let way = request.sub_resource.as_deref().unwrap_or_default();
    if !context
        .caller
        .is_kept_out(request, &context.policy.identity)
    {
        return untouched;
    }
    let reason = match &context.caller.target {
        Some(Target::Stamped { user, submitter }) => format!(
            "this pod acts in Hadoop as {user} for {submitter}, and so could whoever enters it by {way}"
        ),
        _ => format!(
            "whose pod this is could not be found out in time, and {way} enters it: try again"
        ),
    };
    match context.policy.connect {
        Connect::Allow => untouched,
        Connect::Warn => {
            let answer = Answer {
                warnings: vec![format!("kube2hadoop: {reason}")],
                ..Answer::default()
            };
            Decision::new(Outcome::Warned, answer)
        }
        Connect::Deny => Decision::denied(&reason),
    }
}

impl Caller {
    /// Would entering the pod make the caller somebody else? Not the submitter, nor a person who is mapped to its
    /// Hadoop user, nor a pod that runs as it.
    pub fn is_kept_out(&self, request: &Request<'_>, policy: &IdentityPolicy) -> bool {
        let (user, submitter) = match &self.target {
            Some(Target::Stamped { user, submitter }) => (user, submitter),
            Some(Target::Unknown) => return true,
            Some(Target::Free) | None => return false,
        };
        if request.user_info.is_pod() {
            let pod = self.pod.as_ref();
            return pod.is_none_or(|pod| pod.sub.as_str() != user);
        }
        let username = &*request.user_info.username;
        let same = policy
            .person(username)
            .is_some_and(|own| own.as_str() == user);
        username != submitter && !same
    }
}
