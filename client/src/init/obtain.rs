//! Asks again for as long as it may help.

use std::thread;
use std::time::{Duration, Instant};

use kube2hadoop_client::contract::{CLIENT_PATIENCE, TokenResponse};

use super::backoff::Backoff;
use super::exchange::Exchange;
use super::failure::Failure;
use super::report;
use super::service_account::Bearer;
use super::settings::Settings;

/// Asks until there is an answer, a refusal, or no time left.
pub(super) fn obtain(settings: &Settings, exchange: &Exchange) -> Result<TokenResponse, Failure> {
    let start = Instant::now();
    let mut backoff = Backoff::default();
    let mut last = None;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let remaining = settings.deadline.saturating_sub(start.elapsed());
        let failure = match ask(settings, exchange, remaining) {
            Ok(answer) => return Ok(answer),
            Err(failure) if failure.is_retryable() => more_telling(last, failure, remaining),
            Err(failure) => return Err(failure),
        };
        let wait = backoff.next(exchange.random(), failure.retry_after());
        // To wait for a try that cannot be made any more would only hide the reason for longer.
        if start.elapsed().saturating_add(wait) >= settings.deadline {
            return Err(Failure::Deadline {
                attempt,
                elapsed: start.elapsed(),
                source: Box::new(failure),
            });
        }
        let millis = wait.as_millis();
        report::log(&format!("try {attempt}: {failure}; next in {millis} ms"));
        last = Some(failure);
        thread::sleep(wait);
    }
}

/// A try that the deadline cut short says nothing about the fetcher; what came before it does.
fn more_telling(last: Option<Failure>, failure: Failure, remaining: Duration) -> Failure {
    match (last, failure) {
        (Some(last), Failure::Timeout { .. }) if remaining < CLIENT_PATIENCE => last,
        (_, failure) => failure,
    }
}

fn ask(
    settings: &Settings,
    exchange: &Exchange,
    remaining: Duration,
) -> Result<TokenResponse, Failure> {
    let bearer = Bearer::read(&settings.token_path).map_err(|source| Failure::ServiceAccount {
        path: settings.token_path.clone(),
        source,
    })?;
    exchange.ask(&bearer, remaining)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(last: Option<Failure>, remaining: u64) -> String {
        let phase = "global".to_owned();
        let told = more_telling(
            last,
            Failure::Timeout { phase },
            Duration::from_secs(remaining),
        );
        told.to_string()
    }

    #[test]
    fn only_a_try_that_was_cut_short_gives_way_to_the_reason_before() {
        let untrusted = || {
            Some(Failure::Untrusted {
                reason: "x".to_owned(),
            })
        };
        let timeout = "it did not answer in time (global)";
        assert_eq!(told(untrusted(), 29), "its certificate is not trusted: x");
        assert_eq!(told(untrusted(), 30), timeout);
        assert_eq!(told(None, 29), timeout);
    }
}
