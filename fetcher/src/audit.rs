//! One JSON line for everything that is done for someone; never a token or a password.

use std::io::Write;

use kube2hadoop_runtime::audit::AuditLog;
use serde::Serialize;

use crate::attest::{Grant, PodRef};
use crate::clock::{Clock, timestamp};
use crate::ledger::Key;
use crate::service::ServiceName;

/// One line of the audit log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    time: String,
    /// `issued` or `refused`; `obtained`, `renewed`, `cancelled`, `lost`, `will-be-lost`, `ends-soon` or `cancel-given-up`.
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<Pod<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<Who<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Pod<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
}

#[derive(Debug, Serialize)]
struct Who<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<&'a str>,
    job: &'a str,
}

/// Writes each line before what it tells of is answered.
#[derive(Clone)]
pub struct Audit {
    log: AuditLog,
    clock: Clock,
}

impl Audit {
    /// Lines to this log, with the time of this clock.
    #[must_use]
    pub fn to(out: impl Write + Send + 'static, clock: Clock) -> Self {
        Self {
            log: AuditLog::to(out),
            clock,
        }
    }

    /// Hadoop issued a token, to be handed out to the pods of the job; perhaps none of them waits for it any more.
    pub fn obtained(&self, key: &Key, sequence: i32) {
        self.upkeep("obtained", key, Some(sequence), None);
    }

    /// A token was handed out.
    pub fn issued(&self, request_id: &str, grant: &Grant, service: &ServiceName, sequence: i32) {
        self.log.write(&Line {
            service: Some(service.as_str()),
            sequence_number: Some(sequence),
            who: Some(who(grant)),
            ..self.line("issued", Some(request_id), Some(&grant.pod))
        });
    }

    /// A request got nothing; `reason` is the problem's slug.
    pub fn refused(
        &self,
        request_id: &str,
        pod: Option<&PodRef>,
        grant: Option<&Grant>,
        reason: &str,
    ) {
        self.log.write(&Line {
            who: grant.map(who),
            reason: Some(reason),
            ..self.line("refused", Some(request_id), pod)
        });
    }

    /// Something was done about a token that nobody asked for just now.
    pub fn upkeep(
        &self,
        event: &'static str,
        key: &Key,
        sequence: Option<i32>,
        reason: Option<&str>,
    ) {
        self.log.write(&Line {
            service: Some(key.service.as_str()),
            sequence_number: sequence,
            who: Some(Who {
                user: key.user.as_str(),
                submitter: None,
                job: key.job.as_str(),
            }),
            reason,
            ..self.line(event, None, None)
        });
    }

    fn line<'a>(
        &self,
        event: &'static str,
        request_id: Option<&'a str>,
        pod: Option<&'a PodRef>,
    ) -> Line<'a> {
        Line {
            time: timestamp(self.clock.now_millis()).to_string(),
            event,
            request_id,
            pod: pod.map(|pod| Pod {
                namespace: &pod.namespace,
                name: &pod.name,
                uid: &pod.uid,
            }),
            who: None,
            service: None,
            sequence_number: None,
            reason: None,
        }
    }
}

fn who(grant: &Grant) -> Who<'_> {
    Who {
        user: grant.user.as_str(),
        submitter: Some(&grant.submitter),
        job: grant.job.as_str(),
    }
}
