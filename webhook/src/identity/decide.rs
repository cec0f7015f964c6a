//! The decision: the first rule that applies says who it is, and nothing falls through to a weaker one.

use std::fmt;

use kube2hadoop_stamp::{HadoopUser, JobId, ObjectName, Origin, PodClaims, TemplateClaims};

use super::IdentityPolicy;
use super::nobody::Nobody;
use super::origin::{Owned, fits, resolved};
use super::run_as::{Authority, Grant, Verdict};

pub(crate) const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// What is asked about: one pod, or one pod template.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub namespace: &'a str,
    pub service_account: &'a str,
    /// API group and kind of the object of the request.
    pub group: &'a str,
    pub kind: &'a str,
    /// The Hadoop user asked for by annotation.
    pub run_as: Option<&'a str>,
}

/// What is known about who asks. Adapters gather it; the decision only reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    pub username: &'a str,
    /// The credential is a pod's own.
    pub from_pod: bool,
    /// The verified stamp of that pod; none where it has no valid one, or was not looked at.
    pub caller_pod: Option<&'a PodClaims>,
    /// The verified stamp of the template that the object was made from.
    pub template: Option<&'a TemplateClaims>,
    /// What the object says of where it comes from.
    pub owned: Option<Owned<'a>>,
    /// The namespace of a service account that asks is in scope, so that its editors can act as it.
    pub service_account_in_scope: bool,
    /// The user that the object's namespace asks for by default.
    pub namespace_run_as: Option<&'a str>,
    /// Whether it asks for one is not known.
    pub namespace_unread: bool,
    /// What is known about the right to run as somebody else.
    pub authority: Option<&'a Authority>,
}

/// Somebody: the effective user, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: HadoopUser,
    /// The Kubernetes user name behind it.
    pub submitter: String,
    /// What the object was made from, with its real name.
    pub origin: Option<Origin>,
    /// The job that is inherited.
    pub job: Option<JobId>,
    pub rule: Rule,
    /// What let them run as another than the rule says.
    pub grant: Option<Grant>,
}

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A pod's own credential.
    Inherit,
    /// A trusted controller's object, by its template's stamp.
    Template,
    /// A mapping rule, by its place in the list.
    Mapping(usize),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => f.write_str("inherit"),
            Self::Template => f.write_str("template"),
            Self::Mapping(place) => write!(f, "mapping[{place}]"),
        }
    }
}

/// Who is behind this.
///
/// # Errors
/// Nobody, with the reason.
pub fn decide(
    policy: &IdentityPolicy,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
) -> Result<Identity, Nobody> {
    // No stamp of ours may be for where the API server does not show us what carries one.
    if policy.excluded_namespaces.contains(subject.namespace) {
        return Err(Nobody::NamespaceExcluded(subject.namespace.to_owned()));
    }
    let trusted = policy.trusts(facts.username, subject.group, subject.kind);
    // An operator is a pod itself; what it makes of a stamped workload is still that workload's.
    if facts.from_pod && (facts.caller_pod.is_some() || !trusted) {
        // What the namespace asks for has been answered for the pod that asks.
        run_as(policy, subject.run_as, facts, inherit(facts)?)
    } else if trusted {
        // The annotation run-as came down from the template, whose stamp has answered it.
        allowed(policy, from_template(subject, facts)?, false)
    } else {
        let own = mapped(policy, facts)?;
        let wanted = subject.run_as.or(facts.namespace_run_as);
        if wanted.is_none() && facts.namespace_unread {
            return Err(Nobody::NamespaceUnread);
        }
        run_as(policy, wanted, facts, own)
    }
}

fn inherit(facts: &Facts<'_>) -> Result<Identity, Nobody> {
    let caller = facts.caller_pod.ok_or(Nobody::UnstampedPod)?;
    Ok(Identity {
        user: caller.sub.clone(),
        submitter: caller.submitter.clone(),
        origin: None,
        job: caller.job.clone(),
        rule: Rule::Inherit,
        grant: None,
    })
}

fn from_template(subject: &Subject<'_>, facts: &Facts<'_>) -> Result<Identity, Nobody> {
    let fitting = |claims: &&TemplateClaims| {
        claims.ns == subject.namespace && claims.sa == subject.service_account
    };
    let claims = facts
        .template
        .filter(fitting)
        .ok_or(Nobody::UnstampedTemplate)?;
    let owned = facts.owned.filter(|owned| fits(&claims.origin, owned));
    let owned = owned.ok_or(Nobody::OtherOrigin)?;
    Ok(Identity {
        user: claims.sub.clone(),
        submitter: claims.submitter.clone(),
        origin: Some(resolved(&claims.origin, &owned)),
        job: claims.job.clone(),
        rule: Rule::Template,
        grant: None,
    })
}

fn mapped(policy: &IdentityPolicy, facts: &Facts<'_>) -> Result<Identity, Nobody> {
    let username = facts.username.to_owned();
    let Some((place, user)) = policy.mapped(facts.username) else {
        return Err(Nobody::Unmapped(username));
    };
    let guarded = facts.username.starts_with(SERVICE_ACCOUNT) && facts.service_account_in_scope;
    if guarded && !policy.allow_namespace_editors {
        return Err(Nobody::ServiceAccountInScope(username));
    }
    match user {
        Ok(user) => Ok(Identity {
            user,
            submitter: username,
            origin: None,
            job: None,
            rule: Rule::Mapping(place),
            grant: None,
        }),
        Err(_) => Err(Nobody::BadName { place, username }),
    }
}

fn run_as(
    policy: &IdentityPolicy,
    wanted: Option<&str>,
    facts: &Facts<'_>,
    own: Identity,
) -> Result<Identity, Nobody> {
    let Some(wanted) = wanted else {
        return allowed(policy, own, false);
    };
    let wanted: HadoopUser = wanted
        .parse()
        .map_err(|_| Nobody::BadRunAs(wanted.chars().take(80).collect()))?;
    if policy.deny.contains(&wanted) {
        return Err(Nobody::Denied(wanted, true));
    }
    if wanted == own.user {
        return allowed(policy, own, true);
    }
    granted(policy, wanted, facts, own)
}

/// Somebody else: only by an answer about that very user.
fn granted(
    policy: &IdentityPolicy,
    wanted: HadoopUser,
    facts: &Facts<'_>,
    own: Identity,
) -> Result<Identity, Nobody> {
    let by = policy.run_as.grants(&wanted);
    if by.is_empty() {
        return Err(Nobody::NotGrantable(wanted));
    }
    // A pod that asked has a service account, as which every editor of the namespace can act.
    let person = own.rule != Rule::Inherit;
    let authority = facts.authority.filter(|_| person);
    let authority = authority.filter(|authority| authority.user == wanted);
    let said = |grant: &&Grant, verdict| {
        // A role is given to the service account of one namespace; a group knows nothing of who can act as it.
        let counts = **grant != Grant::Ldap || !facts.service_account_in_scope;
        counts && authority.and_then(|authority| authority.said(**grant)) == Some(verdict)
    };
    if let Some(grant) = by.iter().find(|grant| said(grant, Verdict::Granted)) {
        return Ok(Identity {
            user: wanted,
            grant: Some(*grant),
            ..own
        });
    }
    match by.iter().find(|grant| said(grant, Verdict::Unknown)) {
        Some(silent) => Err(Nobody::RunAsUnknown {
            wanted,
            silent: *silent,
        }),
        None => Err(Nobody::RunAs {
            wanted,
            username: facts.username.to_owned(),
            own: own.user,
            by,
        }),
    }
}

fn allowed(policy: &IdentityPolicy, identity: Identity, asked: bool) -> Result<Identity, Nobody> {
    if policy.deny.contains(&identity.user) {
        Err(Nobody::Denied(identity.user, asked))
    } else {
        Ok(identity)
    }
}

impl Identity {
    /// The rule that decided, and what let them run as another.
    pub fn why(&self) -> String {
        match self.grant {
            Some(grant) => format!("{}, run-as by {grant}", self.rule),
            None => self.rule.to_string(),
        }
    }

    /// What a person should read before they find files of another owner.
    pub fn notice(&self) -> Option<String> {
        self.grant
            .map(|_| format!("kube2hadoop: this runs as {} ({})", self.user, self.why()))
    }

    /// The claims of a pod stamp.
    pub fn pod_claims(
        &self,
        iss: &str,
        subject: &Subject<'_>,
        pod: ObjectName,
        iat: u64,
    ) -> PodClaims {
        PodClaims {
            iss: iss.to_owned(),
            ns: subject.namespace.to_owned(),
            sa: subject.service_account.to_owned(),
            sub: self.user.clone(),
            submitter: self.submitter.clone(),
            pod,
            origin: self.origin.clone(),
            job: self.job.clone(),
            iat,
        }
    }

    /// The claims of a template stamp.
    pub fn template_claims(
        &self,
        iss: &str,
        subject: &Subject<'_>,
        origin: Origin,
    ) -> TemplateClaims {
        TemplateClaims {
            iss: iss.to_owned(),
            ns: subject.namespace.to_owned(),
            sa: subject.service_account.to_owned(),
            sub: self.user.clone(),
            submitter: self.submitter.clone(),
            origin,
            job: self.job.clone(),
        }
    }
}
