use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use kube2hadoop_client::contract::{Timestamp, TokenResponse};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;

use super::deposit::deposit;
use super::exchange::Exchange;
use super::failure::Failure;
use super::obtain::obtain;
use super::report;
use super::settings::Settings;

/// A fetcher whose clock is off shall not be asked without a pause.
const SHORTEST: Duration = Duration::from_secs(30);
/// So long an interval is as good as none, and keeps the sum of times in range.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Keeps the files fresh. A failure ends the process: the kubelet starts the sidecar again, with its
/// own backoff, and shows the termination message meanwhile. The old file stays in place.
pub(super) fn forever() -> Result<(), Failure> {
    exit_when_terminated();
    let settings = Settings::from_env()?;
    let exchange = Exchange::new(&settings);
    loop {
        let answer = obtain(&settings, &exchange)?;
        deposit(&settings, &answer)?;
        report::log(&report::written(&answer));
        let pause = pause(&answer, Timestamp::now());
        drop(answer);
        report::log(&format!("next refresh in {} s", pause.as_secs()));
        thread::sleep(pause);
    }
}

fn pause(answer: &TokenResponse, now: Timestamp) -> Duration {
    answer.refresh_at.since(now).clamp(SHORTEST, LONGEST)
}

/// The first process of a container ignores SIGTERM unless it asks for it, and the pod would hang for
/// its whole grace period. Every write is atomic, so the process may end anywhere.
pub(super) fn exit_when_terminated() {
    let always = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        if register_conditional_shutdown(signal, 128 + signal, always.clone()).is_err() {
            report::log("signals cannot be handled; the pod will end late");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause_before(refresh_at: u64) -> Duration {
        let answer = TokenResponse {
            credentials: Vec::new().into(),
            conf: [].into(),
            user: "alice".to_owned(),
            expires_at: Timestamp::from_unix_seconds(0),
            refresh_at: Timestamp::from_unix_seconds(refresh_at),
        };
        pause(&answer, Timestamp::from_unix_seconds(1_000_000))
    }

    #[test]
    fn waits_until_the_time_given_but_neither_too_short_nor_for_ever() {
        assert_eq!(pause_before(1_003_600), Duration::from_secs(3600));
        assert_eq!(pause_before(0), SHORTEST);
        assert_eq!(pause_before(u64::MAX), LONGEST);
    }
}
