//! A pod: stamped, injected, skipped or refused.

use kube2hadoop_stamp::{ObjectName, PodClaims, names};

use super::{AdmissionError, Asked, Context, Decision, Outcome, Scope, UNCLEAR, asked};
use crate::identity::{Facts, Identity, Nobody, Owned, Subject, decide};
use crate::inject::{Injection, Notes, Ops, is_copy, note_legacy, strip, strip_legacy, take_out};
use crate::pod::Pod;
use crate::review::{Answer, Object, Operation, Request};

const MIRROR: &str = "kubernetes.io/config.mirror";
const OS: &str = "kubernetes.io/os";
/// How old a stamp of ours may be that another call of the same admission made, in seconds.
const REINVOCATION: u64 = 30;

pub(super) fn admit(
    request: &Request<'_>,
    context: &Context<'_>,
) -> Result<Decision, AdmissionError> {
    if request.operation != Operation::Create {
        // A pod's identity is settled at its creation, and a guard keeps it so.
        return Ok(Decision::new(Outcome::Untouched, Answer::default()));
    }
    let pod = match request.object.as_ref() {
        Some(Object::Pod(pod)) => pod,
        Some(Object::Other(_)) => return Err(AdmissionError::NoPod),
        None => return Err(AdmissionError::NoObject),
    };
    let admission = Admission {
        request,
        context,
        namespace: request
            .namespace
            .as_deref()
            .ok_or(AdmissionError::NoNamespace)?,
        pod,
    };
    admission.decide()
}

struct Admission<'a> {
    request: &'a Request<'a>,
    context: &'a Context<'a>,
    namespace: &'a str,
    pod: &'a Pod<'a>,
}

impl Admission<'_> {
    fn decide(&self) -> Result<Decision, AdmissionError> {
        let asked = asked(
            self.pod.metadata.label(names::INJECT_LABEL),
            self.context.scope,
        );
        match asked {
            Asked::No => return Ok(self.stripped()),
            Asked::Unclear => return Ok(Decision::denied(&UNCLEAR)),
            Asked::ByNamespace | Asked::ByOwnLabel | Asked::ByLegacyLabel => {}
        }
        if let Some(reason) = unsupported(self.pod) {
            return Ok(self.skipped(reason));
        }
        match self.identity() {
            Ok(identity) if asked == Asked::ByLegacyLabel => self.stamped(&identity),
            Ok(identity) => self.injected(&identity),
            Err(nobody) if asked == Asked::ByOwnLabel => Ok(Decision::denied(&nobody)),
            Err(nobody) => Ok(self.skipped(&self.said_first(nobody).to_string())),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            namespace: self.namespace,
            service_account: self.pod.spec.service_account(),
            group: "",
            kind: "Pod",
            run_as: self.pod.metadata.annotation(names::RUN_AS),
        }
    }

    fn identity(&self) -> Result<Identity, Nobody> {
        let (policy, keys) = (self.context.policy, self.context.keys);
        let username = &*self.request.user_info.username;
        let subject = self.subject();
        let stamp = self.pod.metadata.annotation(names::STAMP);
        let trusted = policy.identity.trusts(username, "", "Pod");
        // Only a controller's pod carries a stamp that means anything; others' are not even looked at.
        let template = stamp
            .filter(|_| trusted)
            .and_then(|stamp| keys.verifying.verify_template(stamp, &policy.issuer).ok());
        let facts = Facts {
            username,
            from_pod: self.request.user_info.is_pod(),
            caller_pod: self.context.caller.pod.as_ref(),
            template: template.as_ref(),
            owned: policy.identity.owned(username, &self.pod.metadata),
            service_account_in_scope: self.context.caller.service_account_in_scope,
            namespace_run_as: self.context.caller.namespace_run_as.as_deref(),
            namespace_unread: self.context.caller.namespace_unread,
            authority: self.context.caller.authority.as_ref(),
        };
        let decided = decide(&policy.identity, &subject, &facts);
        match (decided, self.earlier().filter(|_| trusted)) {
            // The first call replaced the template's stamp by the pod's, which embeds the origin.
            (Err(Nobody::UnstampedTemplate), Some(earlier)) => from_earlier(earlier, facts.owned),
            (decided, _) => decided,
        }
    }

    /// The reason of an earlier call of this same admission, which took the stamp off that it was about.
    fn said_first(&self, nobody: Nobody) -> Nobody {
        if nobody != Nobody::UnstampedTemplate {
            return nobody;
        }
        let deny = &self.context.policy.identity.deny;
        let said = self.pod.metadata.annotation(names::SKIPPED);
        said.and_then(|said| Nobody::of_a_stamp(said, deny))
            .unwrap_or(nobody)
    }

    /// The stamp that an earlier call of this same admission made.
    fn earlier(&self) -> Option<PodClaims> {
        let stamp = self.pod.metadata.annotation(names::STAMP)?;
        let claims = self
            .context
            .keys
            .verifying
            .verify_pod(stamp, &self.context.policy.issuer)
            .ok()?;
        let fits = claims.ns == self.namespace
            && claims.sa == self.pod.spec.service_account()
            && claims.pod == self.name()
            && self.context.now.abs_diff(claims.iat) <= REINVOCATION;
        fits.then_some(claims)
    }

    fn name(&self) -> ObjectName {
        let requested = self.request.name.as_deref();
        self.pod.metadata.object_name(requested)
    }

    /// The stamp, and whether it is the one that the pod carries.
    fn stamp(&self, identity: &Identity) -> Result<(String, bool), AdmissionError> {
        let Context {
            policy, keys, now, ..
        } = *self.context;
        let claims = identity.pod_claims(&policy.issuer, &self.subject(), self.name(), now);
        // Kept byte for byte only if this very request would be stamped alike.
        let kept = self.earlier().is_some_and(|earlier| {
            PodClaims {
                iat: earlier.iat,
                ..claims.clone()
            } == earlier
        });
        let stamp = match self.pod.metadata.annotation(names::STAMP).filter(|_| kept) {
            Some(stamp) => stamp.to_owned(),
            None => keys.signing.sign_pod(&claims)?,
        };
        Ok((stamp, kept))
    }

    /// A pod that brings what fetches its token.
    fn stamped(&self, identity: &Identity) -> Result<Decision, AdmissionError> {
        let (stamp, _) = self.stamp(identity)?;
        let mut ops = Ops::default();
        let notes = Notes {
            user: identity.user.as_str(),
            submitter: &identity.submitter,
            stamp: &stamp,
        };
        if let Err(conflict) = note_legacy(&mut ops, &self.pod.metadata, &notes) {
            return Ok(Decision::denied(&conflict));
        }
        let answer = Answer {
            patch: ops,
            ..Answer::default()
        };
        Ok(self.decided(Outcome::Stamped, answer, identity))
    }

    fn injected(&self, identity: &Identity) -> Result<Decision, AdmissionError> {
        let Context { policy, keys, .. } = *self.context;
        let (stamp, kept) = self.stamp(identity)?;
        let whole = kept.then(|| self.request.whole_object()).flatten();
        let injection = Injection {
            pod: self.pod,
            policy: &policy.inject,
            ca: policy.inject.fetcher_ca.as_ref().unwrap_or(&keys.ca),
            notes: Notes {
                user: identity.user.as_str(),
                submitter: &identity.submitter,
                stamp: &stamp,
            },
            reinvoked: whole.as_ref(),
            copied: !kept && is_copy(self.pod),
        };
        let injected = match injection.patch() {
            Ok(injected) => injected,
            Err(conflict) => return Ok(Decision::denied(&conflict)),
        };
        let answer = Answer {
            patch: injected.patch,
            warnings: injected.warnings,
            ..Answer::default()
        };
        Ok(self.decided(Outcome::Injected, answer, identity))
    }

    fn decided(&self, outcome: Outcome, answer: Answer, identity: &Identity) -> Decision {
        let brought = self.pod.metadata.annotation(names::STAMP);
        let decision = Decision::new(outcome, answer).of(identity);
        decision.resting_on(brought, self.context.keys)
    }

    fn stripped(&self) -> Decision {
        let mut ops = Ops::default();
        strip(&mut ops, &self.pod.metadata, None);
        take_out(&mut ops, self.pod);
        let outcome = if ops.is_empty() {
            Outcome::Untouched
        } else {
            Outcome::Stripped
        };
        Decision::new(
            outcome,
            Answer {
                patch: ops,
                ..Answer::default()
            },
        )
    }

    fn skipped(&self, reason: &str) -> Decision {
        let mut ops = Ops::default();
        strip(&mut ops, &self.pod.metadata, Some(reason));
        take_out(&mut ops, self.pod);
        if self.context.scope == Scope::Legacy {
            strip_legacy(&mut ops, &self.pod.metadata);
        }
        let warnings = vec![format!(
            "kube2hadoop: the pod starts without a Hadoop token: {reason}"
        )];
        let answer = Answer {
            patch: ops,
            warnings,
            audit: [("skipped", reason.to_owned())].into(),
            ..Answer::default()
        };
        Decision::new(Outcome::Skipped, answer)
    }
}

/// A controller's pod under reinvocation: the origin must still be what controls it.
fn from_earlier(earlier: PodClaims, owned: Option<Owned<'_>>) -> Result<Identity, Nobody> {
    let origin = earlier
        .origin
        .filter(|origin| owned.is_some_and(|owned| crate::identity::fits(origin, &owned)));
    let origin = origin.ok_or(Nobody::OtherOrigin)?;
    Ok(Identity {
        user: earlier.sub,
        submitter: earlier.submitter,
        origin: Some(origin),
        job: earlier.job,
        rule: crate::identity::Rule::Template,
        grant: None,
    })
}

/// Why this pod cannot be helped.
fn unsupported(pod: &Pod<'_>) -> Option<&'static str> {
    let windows = |name: Option<&str>| name == Some("windows");
    let selected = pod
        .spec
        .node_selector
        .as_ref()
        .and_then(|selector| selector.get(OS));
    if pod.metadata.annotation(MIRROR).is_some() {
        Some("a mirror pod is made by its node, and has no service account token")
    } else if windows(pod.spec.os.as_ref().map(|os| &*os.name)) || windows(selected) {
        Some("Windows pods are not supported")
    } else {
        None
    }
}
