//! Who asks, and how their request ends: log, audit and the pod's owner are told, also where nobody waits any more.

use std::sync::OnceLock;

use axum::response::Response;

use super::Service;
use super::problem::Answer;
use super::request_id::RequestId;
use crate::attest::{Denied, Grant, PodRef};
use crate::events::{Notice, reason};

/// The outcome where the connection was closed before there was an answer.
pub(super) const HUNG_UP: &str = "hung-up";

/// What is proven of the asker so far; it outlives the work on their request, which may be broken off anywhere.
#[derive(Default)]
pub(super) struct Asker {
    pod: OnceLock<PodRef>,
    grant: OnceLock<Grant>,
}

impl Asker {
    /// Keeps what attestation found out.
    pub(super) fn attested(&self, found: Result<Grant, Denied>) -> Result<&Grant, Answer> {
        match found {
            Ok(grant) => {
                self.pod.get_or_init(|| grant.pod.clone());
                Ok(self.grant.get_or_init(|| grant))
            }
            Err(Denied { refusal, pod }) => {
                if let Some(pod) = pod {
                    self.pod.get_or_init(|| pod);
                }
                Err((&refusal).into())
            }
        }
    }
}

/// Sees a request to its end, in time or not; `form` is how a refusal is written to who asked.
pub(super) async fn attend(
    service: &Service,
    id: &RequestId,
    asker: &Asker,
    work: impl Future<Output = Result<Response, Answer>>,
    form: fn(Answer, &RequestId) -> Response,
) -> Response {
    let mut open = Open {
        service,
        id,
        asker,
        answered: false,
    };
    let limit = service.request_limit;
    let served = tokio::time::timeout(limit, work).await;
    open.answered = true;
    match served.unwrap_or_else(|_| Err(Answer::timeout(limit))) {
        Ok(response) => response,
        Err(answer) => {
            open.tell(answer.reason, &answer.detail);
            form(answer, id)
        }
    }
}

/// A request that is not answered yet. Dropped so, it is one whose asker hung up.
struct Open<'a> {
    service: &'a Service,
    id: &'a RequestId,
    asker: &'a Asker,
    answered: bool,
}

impl Open<'_> {
    /// Tells that it comes to nothing.
    fn tell(&self, slug: &'static str, detail: &str) {
        let (service, id) = (self.service, self.id.as_str());
        let (pod, grant) = (self.asker.pod.get(), self.asker.grant.get());
        tracing::info!(request = id, reason = slug, %detail, "refused");
        service.audit.refused(id, pod, grant, slug);
        if let Some(pod) = pod {
            service.events.record(Notice {
                pod: pod.clone(),
                warning: true,
                reason: reason(slug),
                message: detail.into(),
            });
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.tell(
                HUNG_UP,
                "the connection was closed before there was an answer: Hadoop is slow, or the pod ended",
            );
        }
    }
}
