//! One JSON line for everything that is done for someone; never a token or a password.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// `issued` or `refused`; `renewed`, `cancelled`, `lost`, `will-be-lost`, `ends-soon` or `cancel-given-up`.
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

/// Where the lines go: standard output, so that they stay apart from the log.
#[derive(Clone)]
pub struct Audit {
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    clock: Clock,
}

impl Audit {
    #[must_use]
    pub fn to(out: impl Write + Send + 'static, clock: Clock) -> Self {
        Self {
            out: Arc::new(Mutex::new(Box::new(out))),
            clock,
        }
    }

    /// A token was handed out.
    pub fn issued(&self, request_id: &str, grant: &Grant, service: &ServiceName, sequence: i32) {
        self.write(&Line {
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
        self.write(&Line {
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
        self.write(&Line {
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

    fn write(&self, line: &Line<'_>) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
            tracing::error!(%error, "an audit line could not be written");
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
