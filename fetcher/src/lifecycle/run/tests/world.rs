//! A ledger, a Hadoop and a cluster in memory, on the tests' own time.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};

use futures::FutureExt;
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::events::Waiting;
use crate::hadoop::TokenService;
use crate::ledger::store::InMemory;
use crate::lifecycle::metrics::StateLabel;
use crate::metrics::{OutcomeLabel, ReasonLabel};

mod hadoop;
mod ledger;
mod process;
mod replica;

pub(super) use hadoop::Hadoop;
use ledger::Board;
pub(super) use ledger::{Ledger, Pods};
pub(super) use process::Process;
pub(super) use replica::Replica;

pub(super) const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;
const START: u64 = 1_700_000_000_000;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Views {
    pods: Arc<Pods>,
    ledger: Arc<Ledger>,
}

impl Sources for Views {
    fn pods(&self) -> BoxStream<'static, Sighting<LivePod>> {
        self.pods.0.watch()
    }

    fn entries(&self) -> BoxStream<'static, Sighting<Entry>> {
        self.ledger.board.watch()
    }
}

pub(super) struct World {
    pub(super) hadoop: Arc<Hadoop>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) pods: Arc<Pods>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) metrics: crate::lifecycle::metrics::Upkeep,
    events: Recorder,
    notices: Mutex<Waiting>,
    paper: Paper,
    deny: watch::Sender<DenyList>,
    clock: Clock,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(DAY, 0)
    }

    /// A world whose Hadoop wants tokens renewed in this interval, and whose clock is so far ahead of ours.
    pub(super) fn with(interval: u64, ahead: i64) -> Self {
        let began = Instant::now();
        let passed = move || u64::try_from(began.elapsed().as_millis()).unwrap();
        let clock = Clock::from_fn(move || START + passed());
        let metrics = Metrics::new(&mut Registry::default());
        let (events, notices) = Recorder::new(metrics.clone());
        Self {
            hadoop: Arc::new(Hadoop {
                tokens: Mutex::default(),
                renewals: AtomicUsize::new(0),
                down: AtomicBool::new(false),
                issued: AtomicI32::new(0),
                slow: AtomicU64::new(0),
                interval,
                ahead,
                clock: clock.clone(),
            }),
            ledger: Arc::new(Ledger {
                store: InMemory::default(),
                board: Board::new(),
                entered: Mutex::default(),
                down: AtomicBool::new(false),
                conflicts: AtomicUsize::new(0),
                writes: AtomicUsize::new(0),
            }),
            pods: Arc::new(Pods(Board::new())),
            shelf: Arc::new(Shelf::default()),
            metrics: metrics.upkeep,
            events,
            notices: Mutex::new(notices),
            paper: Paper::default(),
            deny: watch::channel(DenyList::default()).0,
            clock,
        }
    }

    /// The operator's deny list, from now on.
    pub(super) fn denies(&self, user: &str) {
        self.deny.send_replace(DenyList::default().and(user));
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.now_millis()
    }

    pub(super) async fn issue(&self, key: &Key) -> Place {
        let issued = Arc::new(self.hadoop.issue(&key.user).await.unwrap());
        let place = Place::current(key);
        self.ledger
            .put(&place, Record::Held(issued), None)
            .await
            .unwrap();
        place
    }

    /// Runs a replica while the story lasts, then asks it to stop.
    pub(super) async fn run_during(&self, story: impl Future<Output = ()>) {
        let (trigger, shutdown) = Shutdown::new();
        let leases = Arc::new(Arc::clone(&self.shelf));
        // A long lease: days of simulated elections would take minutes.
        let elector = Elector::new(leases, "me".into(), Duration::from_secs(3600));
        let lifecycle = self.lifecycle(
            Arc::clone(&self.ledger) as _,
            Arc::clone(&self.hadoop) as _,
            &self.clock,
        );
        let replica = run(Arc::new(lifecycle), elector, shutdown);
        let told = async {
            story.await;
            trigger.request();
        };
        tokio::join!(replica, told);
    }

    fn lifecycle(
        &self,
        store: Arc<dyn Store>,
        service: Arc<dyn TokenService>,
        clock: &Clock,
    ) -> Lifecycle {
        Lifecycle {
            doer: Doer {
                store,
                services: BTreeMap::from([("ns1".parse().unwrap(), service)]),
                clock: clock.clone(),
            },
            herald: Herald {
                metrics: self.metrics.clone(),
                audit: self.audit(),
                events: self.events.clone(),
                refreshed_at: 0.5,
            },
            sources: Box::new(Views {
                pods: Arc::clone(&self.pods),
                ledger: Arc::clone(&self.ledger),
            }),
            terms: Terms {
                renew_fraction: 0.7,
                renew_spread: 0.2,
                grace: 60_000,
                claim: 60_000,
            },
            deny: self.deny.subscribe(),
            concurrency: 2,
            pace: Duration::from_millis(10),
        }
    }

    fn audit(&self) -> Audit {
        Audit::to(self.paper.clone(), self.clock.clone())
    }

    pub(super) fn audited(&self) -> String {
        String::from_utf8(self.paper.0.lock().unwrap().clone()).unwrap()
    }

    /// How many renewals came to this, as the metric counts.
    pub(super) fn renewals(&self, outcome: &'static str) -> u64 {
        let label = OutcomeLabel { outcome };
        self.metrics.renewals.get_or_create(&label).get()
    }

    /// How many cancellations came to this, as the metric counts.
    pub(super) fn cancellations(&self, outcome: &'static str) -> u64 {
        let label = OutcomeLabel { outcome };
        self.metrics.cancellations.get_or_create(&label).get()
    }

    /// How many records were in this state when the metric was last counted.
    pub(super) fn records(&self, state: &'static str) -> i64 {
        self.metrics
            .records
            .get_or_create(&StateLabel { state })
            .get()
    }

    /// How often tokens ended under running pods for this reason, as the metric counts.
    pub(super) fn endings(&self, reason: &'static str) -> u64 {
        let label = ReasonLabel { reason };
        self.metrics.endings.get_or_create(&label).get()
    }

    pub(super) fn noticed(&self) -> Vec<String> {
        let mut notices = self.notices.lock().unwrap();
        std::iter::from_fn(|| notices.next().now_or_never().flatten())
            .map(|notice| notice.reason)
            .collect()
    }
}
