//! A process that dies, and what it does while it lives.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use futures::future::{BoxFuture, pending};
use kube2hadoop_client::contract::{FileContent, FileName};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;

use super::*;
use crate::hadoop::{HadoopError, Issued};
use crate::issue::{IssueFailure, Issuer};
use crate::ledger::record::Versioned;
use crate::ledger::store::{StoreError, Written};
use crate::service::ServiceName;

/// Each of its effects on the world has a step before it, and one after it, before anybody hears of it. It may die
/// at either; from then on nothing that it had in mind happens.
pub(in crate::lifecycle::run::tests) struct Process {
    steps: AtomicUsize,
    dies_at: Option<usize>,
    dead: watch::Sender<bool>,
}

impl Process {
    pub(in crate::lifecycle::run::tests) fn new(dies_at: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            steps: AtomicUsize::new(0),
            dies_at,
            dead: watch::Sender::new(false),
        })
    }

    pub(in crate::lifecycle::run::tests) fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    pub(in crate::lifecycle::run::tests) async fn died(&self) {
        let _ = self.dead.subscribe().wait_for(|dead| *dead).await;
    }

    async fn step(&self) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if Some(step) == self.dies_at {
            self.dead.send_replace(true);
        }
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    async fn between<T>(&self, effect: impl Future<Output = T>) -> T {
        self.step().await;
        let outcome = effect.await;
        self.step().await;
        outcome
    }
}

/// A ledger or a Hadoop as one process reaches it.
pub(super) struct Reached<T> {
    pub(super) process: Arc<Process>,
    pub(super) what: Arc<T>,
    pub(super) services: Vec<ServiceName>,
    pub(super) conf: BTreeMap<FileName, FileContent>,
}

impl<T> Reached<T> {
    pub(super) fn by(process: &Arc<Process>, what: &Arc<T>) -> Arc<Self> {
        Arc::new(Self {
            process: Arc::clone(process),
            what: Arc::clone(what),
            services: vec!["ns1".parse().unwrap()],
            conf: BTreeMap::new(),
        })
    }
}

impl Store for Reached<Ledger> {
    fn get<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        self.process.between(self.what.get(place)).boxed()
    }

    fn put<'a>(
        &'a self,
        place: &'a Place,
        record: Record,
        version: Option<String>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        let put = self.what.put(place, record, version);
        self.process.between(put).boxed()
    }

    fn delete<'a>(
        &'a self,
        place: &'a Place,
        version: String,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let delete = self.what.delete(place, version);
        self.process.between(delete).boxed()
    }
}

impl TokenService for Reached<Hadoop> {
    fn name(&self) -> &str {
        self.what.name()
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        let issue = async { TokenService::issue(&*self.what, user).await };
        self.process.between(issue).boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        self.process.between(self.what.renew(token)).boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        self.process.between(self.what.cancel(token)).boxed()
    }

    fn is_known<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        self.process.between(self.what.is_known(token)).boxed()
    }
}

impl Issuer for Reached<Hadoop> {
    fn services(&self) -> &[ServiceName] {
        &self.services
    }

    fn client_conf(&self) -> &BTreeMap<FileName, FileContent> {
        &self.conf
    }

    fn issue<'a>(
        &'a self,
        user: &'a HadoopUser,
        _service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<Issued, IssueFailure>> {
        async { Ok(TokenService::issue(self, user).await?) }.boxed()
    }

    fn knows<'a>(&'a self, _service: &'a ServiceName, issued: &'a Issued) -> BoxFuture<'a, bool> {
        async {
            let token = issued.distinct()[0];
            self.is_known(token).await.unwrap_or(true)
        }
        .boxed()
    }
}
