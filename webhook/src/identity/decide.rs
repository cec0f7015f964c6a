//! The decision: the first rule that applies says who it is, and nothing falls through to a weaker one.

use std::fmt;

use kube2hadoop_stamp::{HadoopUser, JobId, ObjectName, Origin, PodClaims, TemplateClaims};

use super::IdentityPolicy;
use super::origin::{Owned, fits, resolved};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

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
    /// Something grants the user that the annotation asks for.
    pub run_as_granted: bool,
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

/// Nobody, or refused. The texts tell the person what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nobody {
    #[error(
        "the pod that asks has no valid stamp, so what it submits runs as nobody: label it for injection"
    )]
    UnstampedPod,
    #[error(
        "its template carries no valid stamp for this namespace and service account: update or recreate the workload"
    )]
    UnstampedTemplate,
    #[error(
        "its template's stamp is for another object: recreate the workload instead of copying its annotations"
    )]
    OtherOrigin,
    #[error(
        "no mapping rule knows the user «{0}»: ask the administrator to add one to identity.mappings"
    )]
    Unmapped(String),
    #[error(
        "mapping[{place}] makes no Hadoop user name of «{username}»: ask the administrator to correct it"
    )]
    BadName { place: usize, username: String },
    #[error(
        "«{0}» is a service account of a namespace in scope, and everybody who may edit there can act as it: \
         submit as yourself, or ask the administrator for identity.allowNamespaceEditors"
    )]
    ServiceAccountInScope(String),
    #[error(
        "its {0} refers to another object, and whoever may change that one would run code as its submitter: \
         write the code into this object"
    )]
    CodeElsewhere(String),
    #[error("run-as «{0}» is no Hadoop user name")]
    BadRunAs(String),
    #[error(
        "run-as {wanted} is not granted to {username}, who is {own}: remove the annotation kube2hadoop.io/run-as"
    )]
    RunAs {
        wanted: HadoopUser,
        username: String,
        own: HadoopUser,
    },
    #[error("the Hadoop user {0} is on the deny list, and nobody runs as it{asked}", asked = if *.1 { " (run-as)" } else { "" })]
    Denied(HadoopUser, bool),
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
    let trusted = policy
        .trusted_controllers
        .serve(facts.username, subject.group, subject.kind);
    // An operator is a pod itself; what it makes of a stamped workload is still that workload's.
    let identity = if facts.from_pod && (facts.caller_pod.is_some() || !trusted) {
        inherit(facts)?
    } else if trusted {
        // The annotation run-as came down from the template, whose stamp has answered it.
        return allowed(policy, from_template(subject, facts)?, false);
    } else {
        mapped(policy, facts)?
    };
    run_as(policy, subject, facts, identity)
}

fn inherit(facts: &Facts<'_>) -> Result<Identity, Nobody> {
    let caller = facts.caller_pod.ok_or(Nobody::UnstampedPod)?;
    Ok(Identity {
        user: caller.sub.clone(),
        submitter: caller.submitter.clone(),
        origin: None,
        job: caller.job.clone(),
        rule: Rule::Inherit,
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
    let owned = facts
        .owned
        .filter(|owned| fits(&claims.origin, owned))
        .ok_or(Nobody::OtherOrigin)?;
    Ok(Identity {
        user: claims.sub.clone(),
        submitter: claims.submitter.clone(),
        origin: Some(resolved(&claims.origin, &owned)),
        job: claims.job.clone(),
        rule: Rule::Template,
    })
}

fn mapped(policy: &IdentityPolicy, facts: &Facts<'_>) -> Result<Identity, Nobody> {
    let username = facts.username.to_owned();
    let found = policy
        .mappings
        .iter()
        .enumerate()
        .find_map(|(place, rule)| Some((place, rule.apply(facts.username)?)));
    let Some((place, user)) = found else {
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
        }),
        Err(_) => Err(Nobody::BadName { place, username }),
    }
}

fn run_as(
    policy: &IdentityPolicy,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
    own: Identity,
) -> Result<Identity, Nobody> {
    let Some(wanted) = subject.run_as else {
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
    if facts.run_as_granted {
        return Ok(Identity {
            user: wanted,
            ..own
        });
    }
    Err(Nobody::RunAs {
        wanted,
        username: facts.username.to_owned(),
        own: own.user,
    })
}

fn allowed(policy: &IdentityPolicy, identity: Identity, asked: bool) -> Result<Identity, Nobody> {
    if policy.deny.contains(&identity.user) {
        Err(Nobody::Denied(identity.user, asked))
    } else {
        Ok(identity)
    }
}

impl Identity {
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
