//! The hosts of one service: the one that answered last is asked first.

use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::{Method, StatusCode};
use futures::future::join_all;
use serde::de::IgnoredAny;

use super::HadoopError;
use super::caller::Caller;
use super::http::{Host, Request};
use super::product::Product;
use super::remote::{self, Answer, Asked};

/// NameNodes of a name service, ResourceManagers, or the KMS of one key provider.
pub(super) struct Hosts {
    service: String,
    product: Product,
    hosts: Vec<Host>,
    active: AtomicUsize,
}

impl Hosts {
    pub(super) fn new(service: impl Into<String>, product: Product, hosts: Vec<Host>) -> Self {
        Self {
            service: service.into(),
            product,
            hosts,
            active: AtomicUsize::new(0),
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn product(&self) -> Product {
        self.product
    }

    /// Asks one host after the other until one decides. `also` says what else is worth another host.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        user: Option<&str>,
        also: fn(&HadoopError) -> bool,
    ) -> Result<(Answer, &Host), HadoopError> {
        let first = self.active.load(Ordering::Relaxed);
        let mut failed = Vec::new();
        for index in (0..self.hosts.len()).map(|offset| (first + offset) % self.hosts.len()) {
            let Some(host) = self.hosts.get(index) else {
                continue;
            };
            match self.ask(caller, host, request, user).await {
                Err(error) if error.next_host() || also(&error) => {
                    failed.push((host.base().to_owned(), error));
                }
                // No host was asked.
                Err(error @ HadoopError::Kerberos(_)) => return Err(error),
                decided => {
                    self.active.store(index, Ordering::Relaxed);
                    return decided.map(|answer| (answer, host));
                }
            }
        }
        Err(self.sum_up(failed))
    }

    async fn ask(
        &self,
        caller: &Caller,
        host: &Host,
        request: &Request<'_>,
        user: Option<&str>,
    ) -> Result<Answer, HadoopError> {
        let answer = caller.http.call(host, request).await?;
        if answer.status == StatusCode::OK && !remote::is_standby_manager(&answer) {
            // A stranger that answers 200 to everything must not pass for the active one.
            if is_json(request.method(), &answer) {
                let _: IgnoredAny = remote::json(&answer, host.base())?;
            }
            return Ok(answer);
        }
        if self.product == Product::HttpFs && request.cancels() && remote::is_gone(&answer) {
            return Err(HadoopError::Unknown {
                service: self.service.clone(),
                message: answer.status.to_string(),
                perhaps_a_stranger: false,
            });
        }
        let asked = Asked {
            service: &self.service,
            product: self.product,
            host: host.base(),
            principal: &caller.principal,
            user,
        };
        Err(match request.is_by_token() {
            true => remote::refused_use(&answer, asked),
            false => remote::failure(&answer, asked),
        })
    }

    /// What each host answers, whatever the others do.
    pub(super) async fn each(
        &self,
        caller: &Caller,
        request: &Request<'_>,
    ) -> Vec<(&Host, Result<Answer, HadoopError>)> {
        let asked = self.hosts.iter().map(|host| async move {
            let answer = self.ask(caller, host, request, None).await;
            (host, answer)
        });
        join_all(asked).await
    }

    /// One error for all: the one that says most.
    fn sum_up(&self, mut failed: Vec<(String, HadoopError)>) -> HadoopError {
        if self.product == Product::Kms {
            let knows = |error: &HadoopError| error.lost() && !error.perhaps_a_stranger();
            if let Some(index) = failed.iter().position(|(_, error)| knows(error)) {
                return failed.swap_remove(index).1;
            }
            // Strangers to a token say nothing for the one that issued it, which gave no answer.
            if failed.iter().any(|(_, error)| !error.lost()) {
                failed.retain(|(_, error)| !error.lost());
            }
        }
        let says_most = |error: &HadoopError| {
            !matches!(
                error,
                HadoopError::Unreachable { .. } | HadoopError::AllStandby { .. }
            )
        };
        if let Some(index) = failed.iter().position(|(_, error)| says_most(error)) {
            return failed.swap_remove(index).1;
        }
        let service = self.service.clone();
        if !failed.is_empty()
            && failed
                .iter()
                .all(|(_, it)| matches!(it, HadoopError::AllStandby { .. }))
        {
            return HadoopError::AllStandby { service };
        }
        let tried = failed.into_iter().map(|(host, error)| match error {
            HadoopError::Unreachable { tried, .. } => tried,
            _ => format!("{host}: standby"),
        });
        HadoopError::Unreachable {
            service,
            tried: tried.collect::<Vec<_>>().join("; "),
        }
    }
}

/// What we read is JSON, and so is what a change answers, if anything; OPTIONS describes a server to people.
fn is_json(method: &Method, answer: &Answer) -> bool {
    match *method {
        Method::GET => true,
        Method::OPTIONS => false,
        _ => !answer.body.is_empty(),
    }
}
