use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, pending};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;

use super::*;
use crate::hadoop::HadoopError;
use crate::issue::tests::issued;

/// What a service says, and how often it was asked.
struct Service {
    says: Option<Result<bool, HadoopError>>,
    takes: Duration,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Service {
    fn new(says: Option<Result<bool, HadoopError>>) -> Self {
        Self {
            says,
            takes: Duration::ZERO,
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn answer(&self) -> Result<bool, HadoopError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match &self.says {
            Some(said) => said.clone(),
            None => pending().await,
        }
    }
}

impl TokenService for Service {
    fn name(&self) -> &str {
        "ns1"
    }

    fn issue<'a>(&'a self, _user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        unreachable!("a check issues nothing")
    }

    fn renew<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        unreachable!("a check renews nothing")
    }

    fn cancel<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        unreachable!("a check cancels nothing")
    }

    fn is_known<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        self.answer().boxed()
    }
}

#[tokio::test]
async fn only_a_certain_no_is_a_no() {
    let standby = HadoopError::AllStandby {
        service: "ns1".into(),
    };
    for (says, verdict) in [
        (Ok(true), Verdict::Known),
        (Ok(false), Verdict::Unknown),
        (Err(standby), Verdict::Undecided),
    ] {
        let service = Service::new(Some(says));
        assert_eq!(
            Checks::default().verdict(&service, &issued(1)).await,
            verdict
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_is_waited_for_once_and_then_left_alone_for_a_while() {
    let (checks, service, issued) = (Checks::default(), Service::new(None), issued(1));
    for waits in [PATIENCE, Duration::ZERO, Duration::ZERO] {
        let began = Instant::now();
        assert_eq!(checks.verdict(&service, &issued).await, Verdict::Undecided);
        assert_eq!(began.elapsed(), waits);
    }
    assert_eq!(service.asked(), 1);
    tokio::time::sleep(PAUSE).await;
    checks.verdict(&service, &issued).await;
    assert_eq!(service.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_jobs_at_once_press_hadoop_no_harder() {
    let mut service = Service::new(Some(Ok(true)));
    service.takes = Duration::from_millis(5);
    let (checks, issued) = (Checks::default(), issued(1));
    let all = join_all((0..1000).map(|_| checks.verdict(&service, &issued))).await;
    assert!(all.iter().all(|verdict| *verdict == Verdict::Known));
    assert_eq!(service.most_at_once.load(Ordering::SeqCst), AT_A_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_a_slow_hadoop_cannot_answer_in_time_does_not_count_as_its_silence() {
    let mut service = Service::new(Some(Ok(true)));
    service.takes = PATIENCE / 2;
    let (checks, issued) = (Checks::default(), issued(1));
    let all = join_all((0..4 * AT_A_TIME).map(|_| checks.verdict(&service, &issued))).await;
    assert!(all.contains(&Verdict::Known) && all.contains(&Verdict::Undecided));
    assert_eq!(checks.verdict(&service, &issued).await, Verdict::Known);
}
