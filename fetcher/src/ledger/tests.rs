use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::future::join_all;
use kube2hadoop_client::contract::{FileContent, FileName};
use kube2hadoop_client::credentials::Token;
use tokio::sync::Semaphore;

use super::place::Place;
use super::record::Record;
use super::store::{InMemory, Store};
use super::*;
use crate::hadoop::HadoopError;
use crate::issue::pressure;

mod api_server;
mod cancelled;
mod hung;
mod renewed;
mod replicas;
mod set_back;

const HOUR: u64 = 3_600_000;
const RULES: Rules = Rules {
    min_life_fraction: 0.5,
    capacity: 32,
    failure_millis: 2_000,
    renewed: false,
};

/// Counts issues, and holds each back until it is let go.
struct Hadoop {
    issues: AtomicUsize,
    checks: AtomicUsize,
    cancelled: Mutex<BTreeSet<i32>>,
    let_go: Semaphore,
    failing: std::sync::atomic::AtomicBool,
    now: Arc<AtomicU64>,
    services: Vec<ServiceName>,
    conf: BTreeMap<FileName, FileContent>,
}

impl Hadoop {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            issues: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            cancelled: Mutex::default(),
            let_go: Semaphore::new(Semaphore::MAX_PERMITS),
            failing: false.into(),
            now: Arc::new(AtomicU64::new(1_000 * HOUR)),
            services: vec!["ns1".parse().unwrap()],
            conf: BTreeMap::new(),
        })
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Clock::from_fn(move || now.load(Ordering::SeqCst))
    }

    /// By the wall clock, and by ours.
    async fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    /// Its wall clock is set back, and so much time passes by ours.
    async fn set_back(&self, hours: u64, pass: u64) {
        self.now.fetch_sub(hours * HOUR, Ordering::SeqCst);
        tokio::time::advance(Duration::from_millis(pass)).await;
    }

    fn count(&self) -> usize {
        self.issues.load(Ordering::SeqCst)
    }

    /// How often it was asked whether it knows a token.
    fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }

    /// As any pod can that has the token.
    fn cancel(&self, number: i32) {
        self.cancelled.lock().unwrap().insert(number);
    }

    fn ledger(self: &Arc<Self>, sharing: Sharing) -> Ledger {
        Ledger::new(
            Arc::clone(self) as Arc<dyn Issuer>,
            sharing,
            RULES,
            self.clock(),
            unread(),
        )
    }
}

/// An audit log that no test here looks at.
fn unread() -> Audit {
    Audit::to(std::io::sink(), Clock::system())
}

impl Issuer for Hadoop {
    fn services(&self) -> &[ServiceName] {
        &self.services
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.conf
    }

    fn turn<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Option<pressure::Place>, IssueFailure>> {
        let busy = || IssueFailure::Busy {
            service: service.clone(),
            seconds: 7,
        };
        let turn = match user.as_str() {
            "busy" => Err(busy()),
            _ => Ok(None),
        };
        std::future::ready(turn).boxed()
    }

    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        _service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        async move {
            let sequence = self.issues.fetch_add(1, Ordering::SeqCst) + 1;
            self.let_go.acquire().await.unwrap().forget();
            assert!(user.as_str() != "panics", "as the test wants it");
            if self.failing.load(Ordering::SeqCst) {
                return Err(HadoopError::AllStandby {
                    service: "ns1".into(),
                }
                .into());
            }
            let now = self.now.load(Ordering::SeqCst);
            Ok(issued(now, i32::try_from(sequence).unwrap()))
        }
        .boxed()
    }

    fn knows<'a>(&'a self, _service: &'a ServiceName, issued: &'a Issued) -> BoxFuture<'a, bool> {
        async move {
            self.checks.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let cancelled = self.cancelled.lock().unwrap();
            !cancelled.contains(&issued.sequence_number)
        }
        .boxed()
    }
}

pub(super) fn issued(now: u64, sequence_number: i32) -> Issued {
    let token = Token::new(
        sequence_number.to_be_bytes().to_vec().into(),
        vec![2].into(),
        "HDFS_DELEGATION_TOKEN",
        "ha-hdfs:ns1",
    )
    .unwrap();
    Issued {
        tokens: vec![("ha-hdfs:ns1".into(), token)],
        issued_at: now,
        renewed_at: now,
        expires_at: now + 24 * HOUR,
        max_date: now + 168 * HOUR,
        sequence_number,
    }
}

pub(super) fn key(job: &str, user: &str) -> Key {
    Key {
        job: serde_json::from_value(job.into()).unwrap(),
        user: user.parse().unwrap(),
        service: "ns1".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_thousand_who_wait_cost_one_issue() {
    let hadoop = Hadoop::new();
    hadoop.let_go.forget_permits(Semaphore::MAX_PERMITS);
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    let waiting = join_all((0..1000).map(|_| ledger.tokens(&job)));
    let release = async {
        tokio::task::yield_now().await;
        hadoop.let_go.add_permits(1);
    };
    let (held, ()) = tokio::join!(waiting, release);
    assert_eq!(hadoop.count(), 1);
    assert!(
        held.iter()
            .all(|one| one.as_ref().unwrap().sequence_number == 1)
    );
}

#[tokio::test]
async fn jobs_and_users_do_not_share() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    for key in [
        key("team/Job.batch/a", "alice"),
        key("team/Job.batch/b", "alice"),
        key("team/Job.batch/a", "bob"),
    ] {
        ledger.tokens(&key).await.unwrap();
        ledger.tokens(&key).await.unwrap();
    }
    assert_eq!(hadoop.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_worn_token_is_replaced() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    ledger.tokens(&job).await.unwrap();
    hadoop.pass(12 * HOUR - 1).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 1);
    hadoop.pass(1).await;
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_soon_forgotten() {
    let hadoop = Hadoop::new();
    hadoop.failing.store(true, Ordering::SeqCst);
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    let all = join_all((0..10).map(|_| ledger.tokens(&job))).await;
    assert!(
        all.iter()
            .all(|one| one.as_ref().unwrap_err().reason() == "hadoop-standby")
    );
    assert!(ledger.tokens(&job).await.is_err());
    assert_eq!(hadoop.count(), 1);
    hadoop.failing.store(false, Ordering::SeqCst);
    hadoop.pass(2_000).await;
    assert!(ledger.tokens(&job).await.is_ok());
}

#[tokio::test]
async fn who_hangs_up_does_not_fail_the_others() {
    let hadoop = Hadoop::new();
    hadoop.let_go.forget_permits(Semaphore::MAX_PERMITS);
    let ledger = hadoop.ledger(Sharing::alone());
    let job = key("team/Job.batch/a", "alice");
    let mut first = Box::pin(ledger.tokens(&job));
    assert!(futures::poll!(&mut first).is_pending());
    let second = ledger.tokens(&job);
    drop(first);
    hadoop.let_go.add_permits(1);
    assert_eq!(second.await.unwrap().sequence_number, 1);
}

#[tokio::test]
async fn a_panic_fails_one_issue_and_blocks_no_key() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    assert!(
        ledger
            .tokens(&key("team/Job.batch/a", "panics"))
            .await
            .is_err()
    );
    assert!(ledger.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_ledger_stays_within_its_capacity() {
    let hadoop = Hadoop::new();
    let ledger = hadoop.ledger(Sharing::alone());
    for number in 0..100 {
        ledger
            .tokens(&key(&format!("team/Job.batch/j{number}"), "alice"))
            .await
            .unwrap();
        hadoop.pass(1).await;
        assert!(ledger.len() <= RULES.capacity);
    }
    ledger
        .tokens(&key("team/Job.batch/j99", "alice"))
        .await
        .unwrap();
    assert_eq!(hadoop.count(), 100, "the newest are kept");
    hadoop.pass(24 * HOUR).await;
    ledger
        .tokens(&key("team/Job.batch/late", "alice"))
        .await
        .unwrap();
    assert!(ledger.len() <= RULES.capacity);
}

#[tokio::test(start_paused = true)]
async fn replicas_share_one_issue() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let replicas: Vec<_> = (0..3)
        .map(|_| hadoop.ledger(Sharing::through(Arc::clone(&store) as Arc<dyn Store>)))
        .collect();
    let job = key("team/Job.batch/a", "alice");
    let held = join_all(replicas.iter().map(|replica| replica.tokens(&job))).await;
    assert_eq!(hadoop.count(), 1);
    assert!(
        held.iter()
            .all(|one| one.as_ref().unwrap().sequence_number == 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_a_dead_replica_is_taken_over() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let job = key("team/Job.batch/a", "alice");
    let since = hadoop.now.load(Ordering::SeqCst);
    store
        .put(
            &place::Place::current(&job),
            record::Record::Claimed { since },
            None,
        )
        .await
        .unwrap();
    hadoop.pass(30_000).await;
    let ledger = hadoop.ledger(Sharing::through(store));
    assert_eq!(ledger.tokens(&job).await.unwrap().sequence_number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_issue_gives_the_claim_back() {
    let hadoop = Hadoop::new();
    hadoop.failing.store(true, Ordering::SeqCst);
    let store = Arc::new(InMemory::default());
    let job = key("team/Job.batch/a", "alice");
    let ledger = hadoop.ledger(Sharing::through(Arc::clone(&store) as Arc<dyn Store>));
    assert!(ledger.tokens(&job).await.is_err());
    assert!(
        store
            .get(&place::Place::current(&job))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn who_is_turned_away_leaves_no_claim_and_gets_what_is_held() {
    let hadoop = Hadoop::new();
    let store = Arc::new(InMemory::default());
    let ledger = hadoop.ledger(Sharing::through(Arc::clone(&store) as Arc<dyn Store>));
    let key = key("team/Job.batch/a", "busy");
    let refused = ledger.tokens(&key).await;
    assert!(matches!(
        refused,
        Err(IssueFailure::Busy { seconds: 7, .. })
    ));
    let place = Place::current(&key);
    assert!(store.get(&place).await.unwrap().is_none());

    // Another replica had a place.
    let held = Record::Held(Arc::new(issued(hadoop.now.load(Ordering::SeqCst), 5)));
    store.put(&place, held, None).await.unwrap();
    let other = hadoop.ledger(Sharing::through(store));
    assert_eq!(other.tokens(&key).await.unwrap().sequence_number, 5);
    assert_eq!(hadoop.issues.load(Ordering::SeqCst), 0);
}
