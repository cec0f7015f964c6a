//! The sidecar: the same, again and again, before the tokens end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use kube2hadoop_client::contract::{Timestamp, TokenResponse};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;

use super::deposit::{self, deposit};
use super::exchange::Exchange;
use super::failure::Failure;
use super::obtain::obtain;
use super::report;
use super::settings::Settings;

/// A fetcher whose clock is off shall not be asked without a pause.
const SHORTEST: Duration = Duration::from_secs(30);
/// Tokens can be cancelled early: the fetcher asks Hadoop before it hands them out again, and gives new ones to who asks.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// Between the rounds of tries that all failed; doubled each time, up to the last.
const FIRST_REST: Duration = Duration::from_secs(30);
const LAST_REST: Duration = Duration::from_secs(600);

/// Keeps the files fresh, for ever. A failure does not end it: a sidecar that restarts makes its pod unready, and
/// takes a service out of work that has good tokens still. The old files stay in place.
pub(super) fn forever() -> Result<(), Failure> {
    exit_when_terminated(Ended::AsPlanned);
    let settings = Settings::from_env()?;
    let mut exchange = Exchange::new(&settings);
    if deposit::is_there(&settings) {
        // The init container has just written them, in every pod of the job at once.
        rest(
            "found the tokens",
            SHORTEST + part(SHORTEST, exchange.random()),
        );
    }
    let mut failures = 0;
    loop {
        match once(&settings, &exchange) {
            Ok(answer) => {
                failures = 0;
                let pause = pause(&answer, Timestamp::now(), exchange.random());
                let written = report::written(&answer);
                // Not kept while it sleeps.
                drop(answer);
                rest(&written, pause);
                // The answer may have said whom to trust from now on.
                exchange = Exchange::new(&settings);
            }
            Err(failure) => {
                failures += 1;
                let said = report::sentence(&failure);
                rest(&said, after_failures(failures, exchange.random()));
            }
        }
    }
}

fn once(settings: &Settings, exchange: &Exchange) -> Result<TokenResponse, Failure> {
    let answer = obtain(settings, exchange)?;
    deposit(settings, &answer)?;
    Ok(answer)
}

fn rest(said: &str, pause: Duration) {
    report::log(&format!("{said}; next refresh in {} s", pause.as_secs()));
    thread::sleep(pause);
}

/// The pods of a job got their tokens together: they come for new ones up to a tenth later than they may, and long
/// before the old ones end.
fn pause(answer: &TokenResponse, now: Timestamp, random: u64) -> Duration {
    let wait = answer.refresh_at.since(now).clamp(SHORTEST, LONGEST);
    let spare = answer.expires_at.since(answer.refresh_at) / 2;
    wait + part((wait / 10).min(spare), random)
}

fn after_failures(failures: u32, random: u64) -> Duration {
    let doubled = FIRST_REST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let rest = doubled.min(LAST_REST);
    rest / 2 + part(rest / 2, random)
}

/// Between nothing and the whole; `random` is any number.
fn part(whole: Duration, random: u64) -> Duration {
    whole.mul_f64(random as f64 / u64::MAX as f64)
}

/// What being told to end means to who started us.
#[derive(Clone, Copy)]
pub(super) enum Ended {
    /// The init container had not done its work.
    Early,
    /// A sidecar is always ended by a signal: that is its success.
    AsPlanned,
}

/// The first process of a container ignores SIGTERM unless it asks for it, and the pod would hang for
/// its whole grace period. Every write is atomic, so the process may end anywhere.
pub(super) fn exit_when_terminated(ended: Ended) {
    let always = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        let code = match ended {
            Ended::Early => 128 + signal,
            Ended::AsPlanned => 0,
        };
        if register_conditional_shutdown(signal, code, always.clone()).is_err() {
            report::log("signals cannot be handled; the pod will end late");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn pause_before(refresh_at: u64, expires_at: u64, random: u64) -> Duration {
        let answer = TokenResponse {
            credentials: Vec::new().into(),
            conf: [].into(),
            user: "alice".to_owned(),
            expires_at: Timestamp::from_unix_seconds(expires_at),
            refresh_at: Timestamp::from_unix_seconds(refresh_at),
            ca: None,
        };
        pause(&answer, Timestamp::from_unix_seconds(NOW), random)
    }

    #[test]
    fn waits_until_the_time_given_but_neither_too_short_nor_for_ever() {
        let pause_before = |refresh_at| pause_before(refresh_at, u64::MAX, 0);
        assert_eq!(pause_before(NOW + 3600), Duration::from_secs(3600));
        assert_eq!(pause_before(0), SHORTEST);
        assert_eq!(pause_before(u64::MAX), LONGEST);
    }

    #[test]
    fn the_pods_of_a_job_do_not_come_back_at_once_nor_too_late() {
        let latest = |expires_at| pause_before(NOW + 1000, NOW + expires_at, u64::MAX);
        assert_eq!(latest(9999), Duration::from_secs(1100));
        assert_eq!(latest(1100), Duration::from_secs(1050));
        assert_eq!(latest(0), Duration::from_secs(1000));
    }

    #[test]
    fn rests_after_failures_grow_up_to_the_last() {
        let rests = |random| [1, 2, 5, 6, 99].map(|it| after_failures(it, random).as_secs());
        assert_eq!(rests(u64::MAX), [30, 60, 480, 600, 600]);
        assert_eq!(rests(0), [15, 30, 240, 300, 300]);
    }
}
