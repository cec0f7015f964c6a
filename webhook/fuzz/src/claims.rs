//! Claims of stamps that exist in the fuzzed world.

use kube2hadoop_stamp::{ObjectName, Origin, PodClaims, TemplateClaims};

use crate::people::{ISSUER, NAMESPACE, NOW};

/// Of the Job `etl`.
pub(crate) fn of_job(user: &str) -> TemplateClaims {
    TemplateClaims {
        iss: ISSUER.into(),
        ns: NAMESPACE.into(),
        sa: "default".into(),
        sub: user.parse().unwrap(),
        submitter: format!("{user}@example.com"),
        origin: Origin {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            name: ObjectName::Name("etl".into()),
        },
        job: None,
    }
}

/// Of a pod of that name, a moment ago, which the job controller made of [`of_job`].
pub(crate) fn of_pod(user: &str, name: &str) -> PodClaims {
    let of_job = of_job(user);
    PodClaims {
        iss: of_job.iss,
        ns: of_job.ns,
        sa: of_job.sa,
        sub: of_job.sub,
        submitter: of_job.submitter,
        pod: ObjectName::Name(name.into()),
        origin: Some(of_job.origin),
        job: None,
        iat: NOW - 5,
    }
}
