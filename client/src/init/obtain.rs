use std::thread;
use std::time::{Duration, Instant};

use kube2hadoop_client::contract::TokenResponse;

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
    let mut tries = 0;
    loop {
        tries += 1;
        let remaining = settings.deadline.saturating_sub(start.elapsed());
        let failure = match ask(settings, exchange, remaining) {
            Ok(answer) => return Ok(answer),
            Err(failure) if failure.is_retryable() => failure,
            Err(failure) => return Err(failure),
        };
        let wait = backoff.next(exchange.random(), failure.retry_after());
        let elapsed = start.elapsed();
        // To wait for a try that cannot be made any more would only hide the reason for longer.
        if elapsed + wait >= settings.deadline {
            let source = Box::new(failure);
            return Err(Failure::Deadline {
                tries,
                elapsed,
                source,
            });
        }
        report::log(&format!(
            "try {tries}: {failure}; next in {} ms",
            wait.as_millis()
        ));
        thread::sleep(wait);
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
