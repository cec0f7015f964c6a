//! Whose a workload's template is: by the stamp it had, by the one it brings, or by who asks.

use kube2hadoop_stamp::{Origin, TemplateClaims, names};

use super::Workload;
use crate::admission::Context;
use crate::admission::template::Template;
use crate::identity::{Called, Facts, Identity, Nobody, Owned, Rule, Subject, decide, fits};

impl Workload<'_> {
    pub(super) fn subject<'a>(&'a self, template: &Template<'a>) -> Subject<'a> {
        Subject {
            namespace: self.namespace,
            service_account: template.service_account(),
            group: &self.request.kind.group,
            kind: &self.request.kind.kind,
            run_as: template.annotation(names::RUN_AS),
        }
    }

    pub(super) fn identity(
        &self,
        subject: &Subject<'_>,
        template: &Template<'_>,
    ) -> Result<Identity, Nobody> {
        if let Some(key) = self.elsewhere {
            return Err(Nobody::CodeElsewhere(key.to_owned()));
        }
        let brought = self.verified(template);
        let here = self.origin();
        // Under reinvocation a Job of a CronJob carries the stamp with itself as origin.
        let itself = Owned {
            api_version: &here.api_version,
            kind: &here.kind,
            name: Called::from(&here.name),
            labels: None,
        };
        let brings_own = brought
            .as_ref()
            .is_some_and(|claims| fits(&claims.origin, &itself));
        let (policy, username) = (
            &self.context.policy.identity,
            &*self.request.user_info.username,
        );
        let facts = Facts {
            username,
            from_pod: self.request.user_info.is_pod(),
            caller_pod: self.context.caller.pod.as_ref(),
            template: brought.as_ref(),
            owned: match brings_own {
                true => Some(itself),
                false => policy.owned(username, &self.metadata),
            },
            service_account_in_scope: self.context.caller.service_account_in_scope,
            namespace_run_as: self.context.caller.namespace_run_as.as_deref(),
            namespace_unread: self.context.caller.namespace_unread,
            authority: self.context.caller.authority.as_ref(),
        };
        decide(policy, subject, &facts)
    }

    /// The template stamp that the object carries, if it verifies. [`decide`] uses it for trusted controllers only.
    pub(super) fn verified(&self, template: &Template<'_>) -> Option<TemplateClaims> {
        let Context { policy, keys, .. } = *self.context;
        keys.verifying
            .verify_template(template.annotation(names::STAMP)?, &policy.issuer)
            .ok()
    }

    /// The identity that the old template's stamp gives this workload, with the stamp.
    pub(super) fn valid(&self, old: &Template<'_>) -> Option<(Identity, String)> {
        let claims = self.verified(old)?;
        let here = Owned {
            api_version: &self.request.kind.api_version(),
            kind: &self.request.kind.kind,
            name: Called::Name(self.metadata.name.as_deref()?),
            // A ReplicaSet carries its Deployment's stamp.
            labels: self.metadata.labels.as_ref(),
        };
        let valid = claims.ns == self.namespace
            && claims.sa == old.service_account()
            && fits(&claims.origin, &here)
            && !self.context.policy.identity.deny.contains(&claims.sub);
        let identity = Identity {
            user: claims.sub,
            submitter: claims.submitter,
            origin: None,
            job: claims.job,
            rule: Rule::Template,
            grant: None,
        };
        valid.then(|| Some((identity, old.annotation(names::STAMP)?.to_owned())))?
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            api_version: self.request.kind.api_version(),
            kind: self.request.kind.kind.to_string(),
            name: self.metadata.object_name(self.request.name.as_deref()),
        }
    }
}
