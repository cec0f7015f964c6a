//! What a KDC that keeps silent may cost: one wait, which all share, not one for each request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube2hadoop_client::contract::Timestamp;
use tokio::time::{Instant, timeout};

use super::spnego::{Exchange, Negotiate, SpnegoError};
use crate::clock::{Clock, timestamp};

/// How long no KDC is asked after one kept us waiting in vain. Who comes again finds one that is back soon enough.
const PAUSE: Duration = Duration::from_secs(5);
/// A KDC that refuses at once holds nobody up.
const LONG: Duration = Duration::from_secs(1);

/// How long Kerberos may take, and when it last took longer.
pub(super) struct Patience {
    limit: Duration,
    clock: Clock,
    silent: Mutex<Option<Silent>>,
}

#[derive(Clone, Copy)]
struct Silent {
    at: Timestamp,
    until: Instant,
}

impl Patience {
    /// `limit` is for one exchange.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            clock: Clock::system(),
            silent: Mutex::default(),
        }
    }

    /// Begins an exchange, unless no KDC has answered a moment ago.
    pub(super) async fn start(
        &self,
        negotiate: &dyn Negotiate,
        host: &str,
    ) -> Result<Box<dyn Exchange>, SpnegoError> {
        let silent = *self.silent();
        if let Some(Silent { at, .. }) = silent.filter(|it| Instant::now() < it.until) {
            return Err(SpnegoError::Silent(at));
        }
        let asked = Instant::now();
        let started = timeout(self.limit, negotiate.start(host)).await;
        let started = started.unwrap_or(Err(SpnegoError::Timeout));
        let in_vain = match &started {
            Err(SpnegoError::Timeout) => true,
            Err(SpnegoError::KdcUnreachable(_)) => asked.elapsed() > LONG,
            _ => false,
        };
        *self.silent() = in_vain.then(|| Silent {
            at: timestamp(self.clock.now_millis()),
            until: Instant::now() + PAUSE,
        });
        started
    }

    fn silent(&self) -> MutexGuard<'_, Option<Silent>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{BoxFuture, FutureExt, join_all};
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A KDC that says this after a while; how often it was asked.
    struct Kdc {
        after: Duration,
        says: fn() -> SpnegoError,
        asked: Mutex<u32>,
    }

    impl Kdc {
        fn new(after: Duration, says: fn() -> SpnegoError) -> Self {
            let asked = Mutex::new(0);
            Self { after, says, asked }
        }

        fn asked(&self) -> u32 {
            *self.asked.lock().unwrap()
        }
    }

    impl Negotiate for Kdc {
        fn start<'a>(
            &'a self,
            _: &'a str,
        ) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
            *self.asked.lock().unwrap() += 1;
            async move {
                sleep(self.after).await;
                Err((self.says)())
            }
            .boxed()
        }
    }

    fn unreachable() -> SpnegoError {
        SpnegoError::KdcUnreachable("x".into())
    }

    async fn error(patience: &Patience, kdc: &Kdc) -> SpnegoError {
        patience.start(kdc, "nn.test").await.err().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn after_one_wait_in_vain_nobody_waits_for_a_while() {
        let (patience, kdc) = (Patience::new(LIMIT), Kdc::new(LIMIT * 9, unreachable));
        let first = error(&patience, &kdc).await;
        assert!(matches!(first, SpnegoError::Timeout), "{first}");
        let began = Instant::now();
        for late in join_all((0..100).map(|_| error(&patience, &kdc))).await {
            assert!(matches!(late, SpnegoError::Silent(_)), "{late}");
        }
        assert_eq!((began.elapsed(), kdc.asked()), (Duration::ZERO, 1));
        sleep(PAUSE).await;
        error(&patience, &kdc).await;
        assert_eq!(kdc.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_library_that_gives_up_early_has_waited_too() {
        let (patience, kdc) = (Patience::new(LIMIT), Kdc::new(LONG * 2, unreachable));
        error(&patience, &kdc).await;
        error(&patience, &kdc).await;
        assert_eq!(kdc.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_at_once_is_asked_each_time() {
        for says in [unreachable, || SpnegoError::ClockSkew("x".into())] {
            let (patience, kdc) = (Patience::new(LIMIT), Kdc::new(Duration::ZERO, says));
            error(&patience, &kdc).await;
            error(&patience, &kdc).await;
            assert_eq!(kdc.asked(), 2);
        }
    }
}
