//! A ledger, a Hadoop and a cluster in memory, on the tests' own time.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::{BoxFuture, pending};
use futures::stream;
use kube2hadoop_client::credentials::{Identifier, Token};
use kube2hadoop_stamp::HadoopUser;
use tokio::sync::mpsc;

use super::*;
use crate::clock::Clock;
use crate::events::Notice;
use crate::hadoop::{HadoopError, Issued, TokenService};
use crate::ledger::record::{State, Versioned};
use crate::ledger::store::{InMemory, StoreError, Written};

pub(super) const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;
const START: u64 = 1_700_000_000_000;

/// Where the process dies: the effect is there, and nobody hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    AfterRenew,
    AfterCancel,
    AfterPut,
    AfterDelete,
}

#[derive(Default)]
struct Fate {
    planned: Mutex<Option<Crash>>,
    struck: AtomicBool,
}

impl Fate {
    async fn meet(&self, here: Crash) {
        let met = {
            let mut planned = self.planned.lock().unwrap();
            let met = *planned == Some(here);
            if met {
                *planned = None;
            }
            met
        };
        if met {
            self.struck.store(true, Ordering::SeqCst);
            pending::<()>().await;
        }
    }
}

/// Token number → until when it works.
pub(super) struct Hadoop {
    tokens: Mutex<BTreeMap<i32, u64>>,
    pub(super) renewals: AtomicUsize,
    pub(super) down: AtomicBool,
    clock: Clock,
    fate: Arc<Fate>,
}

impl Hadoop {
    pub(super) fn known(&self) -> usize {
        self.tokens.lock().unwrap().len()
    }

    pub(super) fn alive(&self, now: u64) -> usize {
        self.tokens
            .lock()
            .unwrap()
            .values()
            .filter(|until| now < **until)
            .count()
    }

    pub(super) fn forget(&self) {
        self.tokens.lock().unwrap().clear();
    }

    fn answer(&self) -> Result<(), HadoopError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(HadoopError::AllStandby {
                service: "ns1".into(),
            });
        }
        Ok(())
    }

    fn renewed(&self, token: &Token) -> Result<u64, HadoopError> {
        self.answer()?;
        let identifier = token.parse_identifier().unwrap();
        let mut tokens = self.tokens.lock().unwrap();
        let until = tokens
            .get_mut(&identifier.sequence_number)
            .ok_or(HadoopError::Unknown {
                service: "ns1".into(),
                message: "Renewal request for unknown token".into(),
            })?;
        let most = u64::try_from(identifier.max_date).unwrap();
        *until = (self.clock.now_millis() + DAY).min(most);
        self.renewals.fetch_add(1, Ordering::SeqCst);
        Ok(*until)
    }

    fn cancelled(&self, token: &Token) -> Result<(), HadoopError> {
        self.answer()?;
        let number = token.parse_identifier().unwrap().sequence_number;
        self.tokens.lock().unwrap().remove(&number);
        Ok(())
    }
}

impl TokenService for Hadoop {
    fn name(&self) -> &str {
        "ns1"
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        let mut tokens = self.tokens.lock().unwrap();
        let now = self.clock.now_millis();
        let number = i32::try_from(tokens.len()).unwrap() + 1;
        tokens.insert(number, now + DAY);
        let identifier = Identifier {
            owner: user.to_string(),
            renewer: "k2h".into(),
            real_user: String::new(),
            issue_date: i64::try_from(now).unwrap(),
            max_date: i64::try_from(now + 7 * DAY).unwrap(),
            sequence_number: number,
            master_key_id: 1,
        };
        let (bytes, password) = (identifier.to_bytes(), b"secret".to_vec());
        let token = Token::new(
            bytes.into(),
            password.into(),
            "HDFS_DELEGATION_TOKEN",
            "ha-hdfs:ns1",
        );
        let issued = Issued {
            tokens: vec![("ha-hdfs:ns1".into(), token.unwrap())],
            issued_at: now,
            renewed_at: now,
            expires_at: now + DAY,
            max_date: now + 7 * DAY,
            sequence_number: number,
        };
        async { Ok(issued) }.boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async move {
            let until = self.renewed(token)?;
            self.fate.meet(Crash::AfterRenew).await;
            Ok(until)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            self.cancelled(token)?;
            self.fate.meet(Crash::AfterCancel).await;
            Ok(())
        }
        .boxed()
    }
}

/// Who watches is told of everything from the list on.
struct Board<T> {
    now: Mutex<HashMap<String, T>>,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Sighting<T>>>>,
}

impl<T: Clone + Send + 'static> Board<T> {
    fn new() -> Self {
        Self {
            now: Mutex::default(),
            watchers: Mutex::default(),
        }
    }

    fn set(&self, id: &str, item: T) {
        self.now.lock().unwrap().insert(id.into(), item.clone());
        self.tell(&Sighting::Seen(item));
    }

    fn remove(&self, id: &str) {
        self.now.lock().unwrap().remove(id);
        self.tell(&Sighting::Gone(id.into()));
    }

    fn tell(&self, sighting: &Sighting<T>) {
        let mut watchers = self.watchers.lock().unwrap();
        watchers.retain(|watcher| watcher.send(sighting.clone()).is_ok());
    }

    fn watch(&self) -> BoxStream<'static, Sighting<T>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut list = vec![Sighting::Restart];
        list.extend(
            self.now
                .lock()
                .unwrap()
                .values()
                .cloned()
                .map(Sighting::Seen),
        );
        list.push(Sighting::Complete);
        self.watchers.lock().unwrap().push(sender);
        let news = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|sighting| (sighting, receiver))
        });
        stream::iter(list).chain(news).boxed()
    }
}

pub(super) struct Pods(Board<LivePod>);

impl Pods {
    pub(super) fn set(&self, pods: Vec<LivePod>) {
        for pod in pods {
            self.0.set(&pod.pod.uid.clone(), pod);
        }
    }

    pub(super) fn end(&self, uid: &str) {
        self.0.remove(uid);
    }
}

pub(super) struct Ledger {
    store: InMemory,
    board: Board<Entry>,
    fate: Arc<Fate>,
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.board.now.lock().unwrap().len()
    }
}

impl Store for Ledger {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        self.store.get(place)
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        async move {
            let state = State::of(&record);
            let written = self.store.put(place, record, version).await?;
            if let Written::Yes(version) = &written {
                let entry = Entry {
                    place: place.clone(),
                    version: version.clone(),
                    state,
                };
                self.board.set(place.name(), entry);
                self.fate.meet(Crash::AfterPut).await;
            }
            Ok(written)
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.store.delete(place, version).await?;
            if self.store.get(place).await?.is_none() {
                self.board.remove(place.name());
                self.fate.meet(Crash::AfterDelete).await;
            }
            Ok(())
        }
        .boxed()
    }
}

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
    notices: Mutex<mpsc::Receiver<Notice>>,
    paper: Paper,
    clock: Clock,
    fate: Arc<Fate>,
}

impl World {
    pub(super) fn new() -> Self {
        let began = Instant::now();
        let passed = move || u64::try_from(began.elapsed().as_millis()).unwrap();
        let clock = Clock::from_fn(move || START + passed());
        let fate = Arc::new(Fate::default());
        let metrics = Metrics::new(&mut Registry::default());
        let (events, notices) = Recorder::new(metrics.clone());
        Self {
            hadoop: Arc::new(Hadoop {
                tokens: Mutex::default(),
                renewals: AtomicUsize::new(0),
                down: AtomicBool::new(false),
                clock: clock.clone(),
                fate: Arc::clone(&fate),
            }),
            ledger: Arc::new(Ledger {
                store: InMemory::default(),
                board: Board::new(),
                fate: Arc::clone(&fate),
            }),
            pods: Arc::new(Pods(Board::new())),
            shelf: Arc::new(Shelf::default()),
            metrics: metrics.upkeep,
            events,
            notices: Mutex::new(notices),
            paper: Paper::default(),
            clock,
            fate,
        }
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

    pub(super) fn plan_crash(&self, crash: Crash) {
        *self.fate.planned.lock().unwrap() = Some(crash);
    }

    pub(super) fn crashed(&self) -> bool {
        self.fate.struck.load(Ordering::SeqCst)
    }

    /// Runs a replica while the story lasts, then asks it to stop.
    pub(super) async fn run_during(&self, story: impl Future<Output = ()>) {
        let (trigger, shutdown) = Shutdown::new();
        let leases = Arc::new(Arc::clone(&self.shelf));
        // A long lease: days of simulated elections would take minutes.
        let elector = Elector::new(leases, "me".into(), Duration::from_secs(3600));
        let replica = run(Arc::new(self.lifecycle()), elector, shutdown);
        let told = async {
            story.await;
            trigger.request();
        };
        tokio::join!(replica, told);
    }

    fn lifecycle(&self) -> Lifecycle {
        let service: Arc<dyn TokenService> = Arc::clone(&self.hadoop) as _;
        Lifecycle {
            doer: Doer {
                store: Arc::clone(&self.ledger) as _,
                services: BTreeMap::from([("ns1".parse().unwrap(), service)]),
                clock: self.clock.clone(),
            },
            herald: Herald {
                metrics: self.metrics.clone(),
                audit: Audit::to(self.paper.clone(), self.clock.clone()),
                events: self.events.clone(),
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
            deny: DenyList::from(vec!["eve".parse().unwrap()]),
            concurrency: 2,
            pace: Duration::from_millis(10),
        }
    }

    pub(super) fn audited(&self) -> String {
        String::from_utf8(self.paper.0.lock().unwrap().clone()).unwrap()
    }

    pub(super) fn noticed(&self) -> Vec<String> {
        let mut notices = self.notices.lock().unwrap();
        std::iter::from_fn(|| notices.try_recv().ok())
            .map(|notice| notice.reason)
            .collect()
    }
}
