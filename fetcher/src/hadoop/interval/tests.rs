use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use kube2hadoop_stamp::HadoopUser;

use super::*;
use crate::hadoop::Issued;

const HOUR: u64 = 3_600_000;
const DATES: Dates = Dates {
    issued: 1_700_000_000_000,
    max: 1_700_000_000_000 + 168 * HOUR,
};

/// A server of this interval in hours; none while it is away.
struct Server {
    hours: Mutex<Option<u64>>,
    renewals: AtomicUsize,
    interval: Interval,
}

impl Server {
    fn of_hours(hours: u64) -> Self {
        Self {
            hours: Mutex::new(Some(hours)),
            renewals: AtomicUsize::new(0),
            interval: Interval::assumed(Duration::from_secs(24 * 3600)),
        }
    }

    fn restarts_with(&self, hours: Option<u64>) {
        *self.hours.lock().unwrap() = hours;
    }

    /// In how many hours a new token ends.
    async fn issue(&self) -> u64 {
        let token = Token::new(vec![1].into(), vec![2].into(), "k", "s").unwrap();
        let expiry = self.interval.expiry(self, &token, DATES).await;
        (expiry - DATES.issued) / HOUR
    }

    fn renewals(&self) -> usize {
        self.renewals.load(Ordering::SeqCst)
    }
}

impl TokenService for Server {
    fn name(&self) -> &str {
        "ns1"
    }

    fn issue<'a>(&'a self, _user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        unreachable!("only renewals tell")
    }

    fn renew<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        let away = HadoopError::Unreachable {
            service: "ns1".into(),
            tried: String::new(),
        };
        let hours = self.hours.lock().unwrap().ok_or(away);
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(DATES.issued + 5 + hours? * HOUR)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        unreachable!("only renewals tell")
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_the_operator_cuts_is_learnt_within_the_hour_by_one_renewal() {
    let server = Server::of_hours(24);
    assert_eq!(server.issue().await, 24);
    server.restarts_with(Some(1));
    assert_eq!((server.issue().await, server.renewals()), (24, 1));
    tokio::time::sleep(BELIEVED).await;
    let many = join_all((0..20).map(|_| server.issue())).await;
    assert_eq!(many.iter().filter(|hours| **hours == 1).count(), 1);
    assert_eq!((server.issue().await, server.renewals()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_was_learnt_is_believed_while_nobody_says_otherwise() {
    let server = Server::of_hours(6);
    assert_eq!(server.issue().await, 6);
    server.restarts_with(None);
    tokio::time::sleep(BELIEVED).await;
    for renewals in [2, 2] {
        assert_eq!((server.issue().await, server.renewals()), (6, renewals));
    }
    server.restarts_with(Some(1));
    tokio::time::sleep(LEARNING).await;
    assert_eq!((server.issue().await, server.renewals()), (1, 3));
}
