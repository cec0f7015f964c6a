//! A whole replica: it answers pods, and stands for election.

use super::process::{Process, Reached};
use super::*;
use crate::ledger::{self, Rules, Sharing};

/// One replica of the service.
pub(in crate::lifecycle::run::tests) struct Replica {
    pub(in crate::lifecycle::run::tests) process: Arc<Process>,
    ledger: ledger::Ledger,
    lifecycle: Arc<Lifecycle>,
    elector: Mutex<Option<Elector>>,
}

/// Long for what is decided here; days of elections in a moment's time would take minutes.
const LEASE: Duration = Duration::from_secs(120);

impl World {
    pub(in crate::lifecycle::run::tests) fn replica(
        &self,
        name: &str,
        process: Arc<Process>,
    ) -> Replica {
        self.replica_ahead(name, process, 0)
    }

    /// One whose clock is so many milliseconds ahead.
    pub(in crate::lifecycle::run::tests) fn replica_ahead(
        &self,
        name: &str,
        process: Arc<Process>,
        ahead: u64,
    ) -> Replica {
        let clock = self.clock.clone();
        let clock = Clock::from_fn(move || clock.now_millis() + ahead);
        let store: Arc<dyn Store> = Reached::by(&process, &self.ledger);
        let rules = Rules {
            min_life_fraction: 0.5,
            capacity: 100,
            failure_millis: 2_000,
            renewed: true,
        };
        let issuer = Reached::by(&process, &self.hadoop);
        let sharing = Sharing::through(Arc::clone(&store));
        let leases = Arc::new(Arc::clone(&self.shelf));
        let audit = self.audit();
        Replica {
            lifecycle: Arc::new(self.lifecycle(store, Reached::by(&process, &self.hadoop), &clock)),
            ledger: ledger::Ledger::new(issuer, sharing, rules, clock, audit),
            elector: Mutex::new(Some(Elector::new(leases, name.into(), LEASE))),
            process,
        }
    }
}

impl Replica {
    /// Runs until its process dies.
    pub(in crate::lifecycle::run::tests) async fn run(&self) {
        let elector = self.elector.lock().unwrap().take().unwrap();
        let (_trigger, shutdown) = Shutdown::new();
        tokio::select! {
            () = run(Arc::clone(&self.lifecycle), elector, shutdown) => {}
            () = self.process.died() => {}
        }
    }

    /// What a pod that asks here is answered: the number of its token, or nothing by a process that dies.
    pub(in crate::lifecycle::run::tests) async fn answer(&self, key: &Key) -> Option<i32> {
        tokio::select! {
            biased;
            () = self.process.died() => None,
            answer = self.ledger.tokens(key) => answer.ok().map(|issued| issued.sequence_number),
        }
    }
}
