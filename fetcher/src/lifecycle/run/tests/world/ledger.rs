//! A ledger and pods in memory, with watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::BoxFuture;
use futures::stream;
use tokio::sync::mpsc;

use super::*;
use crate::ledger::record::{State, Versioned};
use crate::ledger::store::{InMemory, StoreError, Written};

/// Who watches is told of everything from the list on.
pub(in crate::lifecycle::run::tests) struct Board<T> {
    now: Mutex<BTreeMap<String, T>>,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Sighting<T>>>>,
}

impl<T: Clone + Send + 'static> Board<T> {
    pub(in crate::lifecycle::run::tests) fn new() -> Self {
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

    pub(in crate::lifecycle::run::tests) fn watch(&self) -> BoxStream<'static, Sighting<T>> {
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

pub(in crate::lifecycle::run::tests) struct Pods(pub(super) Board<LivePod>);

impl Pods {
    pub(in crate::lifecycle::run::tests) fn set(&self, pods: Vec<LivePod>) {
        for pod in pods {
            self.0.set(&pod.pod.uid.clone(), pod);
        }
    }

    pub(in crate::lifecycle::run::tests) fn end(&self, uid: &str) {
        self.0.remove(uid);
    }
}

pub(in crate::lifecycle::run::tests) struct Ledger {
    pub(super) store: InMemory,
    pub(super) board: Board<Entry>,
    /// Hadoop's numbers of all tokens that ever stood here.
    pub(super) entered: Mutex<BTreeSet<i32>>,
    /// Nobody reaches it.
    pub(in crate::lifecycle::run::tests) down: AtomicBool,
    /// Of so many writes only the last is done; the others are answered as a conflict. 0 and 1: all are done.
    pub(in crate::lifecycle::run::tests) conflicts: AtomicUsize,
    pub(super) writes: AtomicUsize,
}

impl Ledger {
    pub(in crate::lifecycle::run::tests) fn len(&self) -> usize {
        self.board.now.lock().unwrap().len()
    }

    pub(in crate::lifecycle::run::tests) fn ever_held(&self, number: i32) -> bool {
        self.entered.lock().unwrap().contains(&number)
    }

    fn reach(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Slow { seconds: 5 });
        }
        Ok(())
    }

    /// Whether this write meets a conflict that is none of the record's.
    fn is_stormy(&self) -> bool {
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let conflicts = self.conflicts.load(Ordering::SeqCst).max(1);
        !write.is_multiple_of(conflicts)
    }
}

impl Store for Ledger {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        async {
            self.reach()?;
            self.store.get(place).await
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        async move {
            self.reach()?;
            if self.is_stormy() {
                return Ok(Written::No);
            }
            let (state, number) = (
                State::of(&record),
                record.issued().map(|it| it.sequence_number),
            );
            let written = self.store.put(place, record, version).await?;
            if let Written::Yes(version) = &written {
                self.entered.lock().unwrap().extend(number);
                let entry = Entry {
                    place: place.clone(),
                    version: version.clone(),
                    state,
                };
                self.board.set(place.name(), entry);
            }
            Ok(written)
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        async move {
            self.reach()?;
            if self.is_stormy() {
                return Ok(false);
            }
            let gone = self.store.delete(place, version).await?;
            if gone {
                self.board.remove(place.name());
            }
            Ok(gone)
        }
        .boxed()
    }
}
