//! A NameNode that takes ten seconds for each answer, and pods that wait by the thousand.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use kube2hadoop_stamp::HadoopUser;
use tokio::time::{Instant, sleep};

use super::*;
use crate::config::HadoopLimits;
use crate::issue::pressure::{Busy, Pressure};
use crate::issue::{IssueFailure, Issued};
use crate::service::ServiceName;

pub(super) const TEN_SECONDS: Duration = Duration::from_secs(10);
/// As the init container's own.
const DEADLINE: Duration = Duration::from_secs(120);

pub(super) struct SlowNameNode {
    services: Vec<ServiceName>,
    conf: BTreeMap<FileName, FileContent>,
    pressure: Pressure,
    calls: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl SlowNameNode {
    fn new(limits: HadoopLimits) -> Arc<Self> {
        Arc::new(Self {
            services: vec!["ns1".parse().unwrap()],
            conf: conf(),
            pressure: Pressure::new(limits),
            calls: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }
}

impl Issuer for SlowNameNode {
    fn services(&self) -> &[ServiceName] {
        &self.services
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.conf
    }

    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        let busy = |Busy { retry_after }| IssueFailure::Busy {
            service: service.clone(),
            seconds: retry_after.as_secs(),
        };
        async move {
            let _place = self.pressure.turn(user).await.map_err(busy)?;
            self.calls.fetch_add(1, Ordering::SeqCst);
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            sleep(TEN_SECONDS).await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(issued(service))
        }
        .boxed()
    }
}

pub(super) fn slow(limits: HadoopLimits) -> (Arc<SlowNameNode>, Bench) {
    let namenode = SlowNameNode::new(limits);
    let bench = bench_with(Arc::clone(&namenode) as Arc<dyn Issuer>, 1024, 4096);
    (namenode, bench)
}

/// Asks as the init container does; after how long it was served.
async fn insist(bench: &Bench, bearer: String) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        let answer = bench.ask(&bearer, "{}").await;
        if answer.status() == StatusCode::OK {
            return Some(began.elapsed());
        }
        assert!(matches!(answer.status().as_u16(), 429 | 503));
        let wait = answer.headers()["retry-after"].to_str().unwrap();
        sleep(Duration::from_secs(wait.parse().unwrap())).await;
    }
    None
}

/// Watches for ever that no more wait than that.
async fn stays_bounded(namenode: &SlowNameNode, most: usize) {
    loop {
        let waiting = namenode.pressure.waiting();
        assert!(waiting <= most, "{waiting} wait");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pods_of_a_job_wait_for_one_call() {
    let (namenode, bench) = slow(HadoopLimits::default());
    let pods = join_all((0..1000).map(|_| insist(&bench, "alice.1".into()))).await;
    assert_eq!(namenode.calls.load(Ordering::SeqCst), 1);
    let soon = |served: &Option<Duration>| served.is_some_and(|it| it <= TEN_SECONDS);
    assert!(pods.iter().all(soon));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_of_one_user_do_not_starve_another_users() {
    let limits = HadoopLimits {
        queue: 500,
        ..HadoopLimits::default()
    };
    let (namenode, bench) = slow(limits);
    let flood = join_all((0..1000).map(|job| insist(&bench, format!("alice.{job}"))));
    let others = async {
        sleep(Duration::from_secs(3)).await;
        assert!(
            namenode.pressure.waiting() >= limits.queue,
            "the queue is full"
        );
        join_all((0..5).map(|job| insist(&bench, format!("bob.{job}")))).await
    };
    let (flood, others) = tokio::select! {
        both = async { tokio::join!(flood, others) } => both,
        () = stays_bounded(&namenode, limits.queue + 8) => unreachable!(),
    };
    for served in others {
        let served = served.unwrap();
        assert!(served <= 3 * TEN_SECONDS, "after {served:?}");
    }
    // A NameNode that answers so many at a time does so twelve times until the deadline, and thrice in a last request.
    let served = flood.iter().flatten().count();
    let most = limits.concurrency * 15;
    assert!((most / 2..=most).contains(&served), "{served} of the flood");
    assert_eq!(
        namenode.most_at_once.load(Ordering::SeqCst),
        limits.concurrency
    );
}
