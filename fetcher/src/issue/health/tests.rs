use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use kube2hadoop_client::credentials::Token;
use kube2hadoop_runtime::shutdown::Trigger;
use kube2hadoop_stamp::HadoopUser;
use prometheus_client::registry::Registry;

use super::*;
use crate::hadoop::spnego::SpnegoError;
use crate::hadoop::{Issued, TokenService};

/// What a service answers, and how often it was asked.
#[derive(Default)]
struct Service {
    failed: Mutex<Option<HadoopError>>,
    asked: AtomicUsize,
}

impl Service {
    fn says(&self, failed: Option<HadoopError>) {
        *self.failed.lock().unwrap() = failed;
    }
}

impl TokenService for Service {
    fn name(&self) -> &str {
        "ns1"
    }

    fn issue<'a>(&'a self, _user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        unreachable!("a look issues nothing")
    }

    fn renew<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        unreachable!("a look renews nothing")
    }

    fn cancel<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        unreachable!("a look cancels nothing")
    }

    fn answers(&self) -> BoxFuture<'_, Result<(), HadoopError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let failed = self.failed.lock().unwrap().clone();
        async { failed.map_or(Ok(()), Err) }.boxed()
    }
}

/// The service `ns1`, and what is told of it.
struct World {
    name: ServiceName,
    service: Arc<Service>,
    health: Health,
    _running: Trigger,
}

impl World {
    fn start() -> Self {
        let metrics = Metrics::new(&mut Registry::default());
        let (running, shutdown) = Shutdown::new();
        let world = Self {
            name: "ns1".parse().unwrap(),
            service: Arc::default(),
            health: Health::new(metrics, Readiness::new()),
            _running: running,
        };
        let service = Arc::clone(&world.service) as Arc<dyn TokenService>;
        let services = Services::from([(world.name.clone(), service)]);
        tokio::spawn(world.health.clone().follow(services, shutdown));
        world
    }

    /// Waits for the next look, and gives what is told then.
    async fn after_a_look(&self) -> Option<String> {
        let before = self.service.asked.load(Ordering::SeqCst);
        while self.service.asked.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.told()
    }

    fn told(&self) -> Option<String> {
        let remark = self.health.readiness.remarks().pop();
        let label = ServiceLabel::of(&self.name);
        let degraded = &self.health.metrics.hadoop_degraded;
        let degraded = degraded.get_or_create(&label).get();
        assert_eq!(degraded, i64::from(remark.is_some()));
        assert!(self.health.readiness.closed().is_empty());
        remark.map(|(about, text)| format!("{about}: {text}"))
    }
}

fn no_kdc() -> HadoopError {
    Arc::new(SpnegoError::Timeout).into()
}

fn safe_mode() -> HadoopError {
    HadoopError::SafeMode {
        service: "ns1".into(),
        message: "x".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_kdc_that_is_dead_is_told_before_anybody_asks_and_until_it_is_back() {
    let world = World::start();
    world.service.says(Some(no_kdc()));
    let told = world.after_a_look().await.unwrap();
    assert!(told.starts_with("ns1: Kerberos did not answer"), "{told}");
    world.service.says(None);
    assert_eq!(world.after_a_look().await, None);
    // What an issue met, a look takes back.
    world.health.issued(&world.name, Some(&no_kdc()));
    assert!(world.told().is_some());
    assert_eq!(world.after_a_look().await, None);
}

#[tokio::test(start_paused = true)]
async fn what_only_an_issue_shows_outlasts_good_looks_for_a_while() {
    let world = World::start();
    world.health.issued(&world.name, Some(&safe_mode()));
    let began = Instant::now();
    while world.after_a_look().await.is_some() {}
    let lasted = began.elapsed();
    assert!(
        lasted >= TOLD_FOR && lasted < TOLD_FOR + 2 * PERIOD,
        "{lasted:?}"
    );
    world.health.issued(&world.name, Some(&safe_mode()));
    world.health.issued(&world.name, None);
    assert_eq!(world.told(), None);
}

#[tokio::test(start_paused = true)]
async fn a_service_is_asked_once_a_minute() {
    let world = World::start();
    tokio::time::sleep(10 * PERIOD - Duration::from_secs(1)).await;
    assert_eq!(world.service.asked.load(Ordering::SeqCst), 10);
}
