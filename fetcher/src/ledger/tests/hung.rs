//! A NameNode that keeps silent: whoever waits for it leaves the API server in peace, and not for ever.

use std::time::Duration;

use tokio::time::sleep;

use super::*;
use crate::config::HadoopLimits;
use crate::issue::pressure::Pressure;
use crate::ledger::record::Versioned;
use crate::ledger::store::{StoreError, Written};

const JOBS: usize = 500;
/// When our client gives up on a host.
const SILENCE: Duration = Duration::from_secs(15);

/// Under pressure as the real one, and never answers.
struct Hung {
    pressure: Pressure,
    conf: BTreeMap<FileName, FileContent>,
}

impl Issuer for Hung {
    fn services(&self) -> &[ServiceName] {
        &[]
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.conf
    }

    fn turn<'a>(
        &'a self,
        user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Option<pressure::Place>, IssueFailure>> {
        let busy = |busy: pressure::Busy| IssueFailure::Busy {
            service: service.clone(),
            seconds: busy.retry_after.as_secs(),
        };
        let turn = self.pressure.turn(user);
        async move { turn.await.map(Some).map_err(busy) }.boxed()
    }

    fn issue<'a>(
        &'a self,
        _user: &'a HadoopUser,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        async move {
            sleep(SILENCE).await;
            let silent = HadoopError::Unreachable {
                service: service.to_string(),
                tried: "no answer in time".into(),
            };
            Err(silent.into())
        }
        .boxed()
    }
}

/// Counts what it is asked.
#[derive(Default)]
struct Counting {
    store: InMemory,
    operations: AtomicUsize,
}

impl Counting {
    fn asked(&self) -> &InMemory {
        self.operations.fetch_add(1, Ordering::SeqCst);
        &self.store
    }
}

impl Store for Counting {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        self.asked().get(place)
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        self.asked().put(place, record, version)
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.asked().delete(place, version)
    }
}

/// Of a process of its own.
fn replica(store: &Arc<Counting>) -> Arc<Ledger> {
    let limits = HadoopLimits {
        per_user_per_second: HadoopLimits::default().per_second,
        ..HadoopLimits::default()
    };
    let issuer = Arc::new(Hung {
        pressure: Pressure::new(limits),
        conf: BTreeMap::new(),
    });
    let sharing = Sharing::through(Arc::clone(store) as Arc<dyn Store>);
    let start = tokio::time::Instant::now();
    let clock = Clock::from_fn(move || {
        1_000 * HOUR + u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
    });
    let rules = Rules {
        capacity: 2 * JOBS,
        ..RULES
    };
    Arc::new(Ledger::new(issuer, sharing, rules, clock, unread()))
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_silent_namenode_leaves_the_api_server_in_peace() {
    let store = Arc::new(Counting::default());
    let replicas = [replica(&store), replica(&store)];
    let asks = replicas.iter().flat_map(|replica| {
        (0..JOBS).map(|job| {
            let replica = Arc::clone(replica);
            let key = key(&format!("team/Job.batch/j{job}"), "alice");
            tokio::spawn(async move { replica.tokens(&key).await })
        })
    });
    let asks: Vec<_> = asks.collect();
    let seconds = 30;
    sleep(Duration::from_secs(seconds)).await;
    let operations = store.operations.load(Ordering::SeqCst) as f64 / seconds as f64;
    // Of the thousand who ask, only so many as Hadoop is called at a time write and look.
    assert!(operations < 150.0, "{operations} operations in a second");

    let all = tokio::time::timeout(Duration::from_secs(30), join_all(asks)).await;
    let reasons: BTreeSet<_> = all
        .unwrap()
        .into_iter()
        .map(|ask| ask.unwrap().unwrap_err().reason())
        .collect();
    assert!(reasons.contains("hadoop-busy") && reasons.contains("hadoop-unreachable"));
}
