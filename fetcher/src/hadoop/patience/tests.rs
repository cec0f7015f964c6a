use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::time::sleep;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// A library that says this after a while; how often it was asked.
struct Library {
    after: Duration,
    says: fn() -> SpnegoError,
    asked: Mutex<u32>,
}

impl Library {
    fn new(after: Duration, says: fn() -> SpnegoError) -> Self {
        let asked = Mutex::new(0);
        Self { after, says, asked }
    }

    /// Its KDC takes what it is sent.
    fn in_vain() -> Self {
        Self::new(LIMIT * 9, unreachable)
    }

    /// It has an answer, and not from a KDC that keeps silent.
    fn quick() -> Self {
        Self::new(Duration::ZERO, || SpnegoError::ClockSkew("x".into()))
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

impl Negotiate for Library {
    fn start<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
        *self.asked.lock().unwrap() += 1;
        async move {
            sleep(self.after).await;
            Err((self.says)())
        }
        .boxed()
    }
}

fn unreachable() -> SpnegoError {
    SpnegoError::KdcUnreachable("x".into())
}

fn patience() -> Patience {
    let site = "[domain_realm]\n .test = CORP.ORG\n .other.test = OTHER.ORG\n";
    Patience::new(LIMIT, Realms::of_site(site, "CORP.ORG"))
}

async fn error(patience: &Patience, library: &Library, host: &str) -> SpnegoError {
    patience.start(library, host).await.err().unwrap()
}

fn held_back(error: &SpnegoError) -> bool {
    matches!(error, SpnegoError::Silent { realm, .. } if realm == "CORP.ORG")
}

#[tokio::test(start_paused = true)]
async fn after_one_wait_in_vain_nobody_of_the_realm_waits_for_a_while() {
    let (patience, library) = (patience(), Library::in_vain());
    let first = error(&patience, &library, "nn1.test").await;
    assert!(matches!(first, SpnegoError::Timeout), "{first}");
    let began = Instant::now();
    for host in ["nn1.test", "nn2.test", "kms.test", "localhost"] {
        let late = join_all((0..100).map(|_| error(&patience, &library, host))).await;
        assert!(late.iter().all(held_back), "{host}");
    }
    assert_eq!((began.elapsed(), library.asked()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn after_the_pause_one_asks_for_all() {
    let (patience, library) = (patience(), Library::in_vain());
    error(&patience, &library, "nn1.test").await;
    sleep(PAUSE).await;
    let began = Instant::now();
    let all = join_all((0..100).map(|_| error(&patience, &library, "nn2.test"))).await;
    assert_eq!(all.iter().filter(|it| held_back(it)).count(), 99);
    assert_eq!((began.elapsed(), library.asked()), (LIMIT, 2));
    // It is back.
    sleep(PAUSE).await;
    let library = Library::quick();
    for _ in 0..3 {
        error(&patience, &library, "nn1.test").await;
    }
    assert_eq!(library.asked(), 3);
}

/// Whoever asked for all may have given up.
#[tokio::test(start_paused = true)]
async fn an_exchange_broken_off_holds_back_no_longer_than_it_may_take() {
    let (patience, library) = (patience(), Library::in_vain());
    error(&patience, &library, "nn1.test").await;
    sleep(PAUSE).await;
    let asking = error(&patience, &library, "nn1.test");
    assert!(timeout(LONG, asking).await.is_err());
    assert!(held_back(&error(&patience, &library, "nn1.test").await));
    sleep(LIMIT).await;
    error(&patience, &library, "nn1.test").await;
    assert_eq!(library.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn hosts_of_another_realm_are_not_held_back() {
    let (patience, dead, good) = (patience(), Library::in_vain(), Library::quick());
    error(&patience, &dead, "nn1.test").await;
    error(&patience, &good, "nn1.other.test").await;
    assert!(held_back(&error(&patience, &good, "nn2.test").await));
    assert_eq!(good.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_at_hand_needs_no_kdc() {
    let (patience, dead, good) = (patience(), Library::in_vain(), Library::quick());
    patience.got_ticket("nn1.test", HOUR);
    error(&patience, &dead, "nn2.test").await;
    error(&patience, &good, "nn1.test").await;
    assert_eq!(good.asked(), 1);
    // What a cache answers says nothing of the KDC.
    assert!(held_back(&error(&patience, &good, "nn2.test").await));
    sleep(HOUR).await;
    error(&patience, &dead, "nn2.test").await;
    assert!(held_back(&error(&patience, &good, "nn1.test").await));
    assert_eq!(good.asked(), 1);
}

/// libkrb5 asks for a newer one once half of its time is over.
#[tokio::test(start_paused = true)]
async fn a_ticket_that_was_no_help_costs_one_wait() {
    let (patience, dead) = (patience(), Library::in_vain());
    patience.got_ticket("nn1.test", HOUR);
    error(&patience, &dead, "nn1.test").await;
    assert!(held_back(&error(&patience, &dead, "nn1.test").await));
    assert_eq!(dead.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_library_that_gives_up_early_has_waited_too() {
    let (patience, library) = (patience(), Library::new(LONG * 2, unreachable));
    error(&patience, &library, "nn1.test").await;
    error(&patience, &library, "nn1.test").await;
    assert_eq!(library.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_at_once_is_asked_each_time() {
    for library in [Library::new(Duration::ZERO, unreachable), Library::quick()] {
        let patience = patience();
        error(&patience, &library, "nn1.test").await;
        error(&patience, &library, "nn1.test").await;
        assert_eq!(library.asked(), 2);
    }
}
