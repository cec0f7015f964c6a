use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;

use super::*;

const DURATION: Duration = Duration::from_secs(15);

/// One Lease, which can be out of reach.
#[derive(Default)]
pub(in crate::lifecycle) struct Shelf {
    lease: Mutex<Option<Seen>>,
    unreachable: AtomicBool,
}

impl Shelf {
    pub(in crate::lifecycle) fn holder(&self) -> Option<String> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.as_ref().and_then(|seen| seen.holder.clone())
    }

    fn write(&self, claim: Claim, version: Option<String>) -> Option<Seen> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let current = lease.as_ref().map(|seen| seen.version.clone());
        if current != version {
            return None;
        }
        let next = current.map_or(1, |version| version.parse::<u64>().unwrap() + 1);
        *lease = Some(Seen {
            holder: claim.holder,
            duration: claim.duration,
            transitions: claim.transitions,
            acquired: claim.acquired,
            version: next.to_string(),
        });
        lease.clone()
    }

    fn reach(&self) -> Result<(), LeaseError> {
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(LeaseError::Slow { seconds: 3 });
        }
        Ok(())
    }
}

impl Leases for Arc<Shelf> {
    fn get(&self) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>> {
        let lease = self
            .lease
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let answer = self.reach().map(|()| lease);
        async { answer }.boxed()
    }

    fn put(
        &self,
        claim: Claim,
        version: Option<String>,
    ) -> BoxFuture<'_, Result<Option<Seen>, LeaseError>> {
        let answer = self.reach().map(|()| self.write(claim, version));
        async { answer }.boxed()
    }
}

fn candidate(shelf: &Arc<Shelf>, name: &str) -> Elector {
    Elector::new(Arc::new(Arc::clone(shelf)), name.into(), DURATION)
}

fn leads(leadership: &watch::Receiver<Leadership>) -> bool {
    leadership
        .borrow()
        .is_some_and(|until| Instant::now() < until)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_leads_and_the_other_follows_at_once_when_it_gives_up() {
    let shelf = Arc::new(Shelf::default());
    let (first_tell, first) = watch::channel(None);
    let (second_tell, second) = watch::channel(None);
    let (mut one, mut two) = (candidate(&shelf, "one"), candidate(&shelf, "two"));
    tokio::select! {
        () = one.campaign(&first_tell) => {}
        () = async { pass(60).await } => {}
    }
    assert!(leads(&first));
    one.release().await;
    assert_eq!(shelf.holder(), None);
    tokio::select! {
        () = two.campaign(&second_tell) => {}
        () = pass(1) => {}
    }
    assert!(leads(&second));
    assert_eq!(shelf.lease.lock().unwrap().as_ref().unwrap().transitions, 1);
    one.release().await;
    assert_eq!(
        shelf.holder().as_deref(),
        Some("two"),
        "what is not ours is not given back"
    );
}

#[tokio::test(start_paused = true)]
async fn two_never_lead_at_once_and_silence_is_followed_within_the_duration() {
    let shelf = Arc::new(Shelf::default());
    let (first_tell, first) = watch::channel(None);
    let (second_tell, second) = watch::channel(None);
    let (mut one, mut two) = (candidate(&shelf, "one"), candidate(&shelf, "two"));
    let story = async {
        // The first is cut off from the API server after ten seconds, and runs on.
        for tenth in 0..400 {
            assert!(!(leads(&first) && leads(&second)), "at {tenth}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(leads(&second));
    };
    let partitioned = async {
        tokio::select! {
            () = one.campaign(&first_tell) => {}
            () = pass(10) => {}
        }
        futures::future::pending::<()>().await;
    };
    let late = async {
        pass(1).await;
        two.campaign(&second_tell).await;
    };
    tokio::select! {
        () = story => {}
        () = partitioned => {}
        () = late => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_reaches_nobody_stops_before_its_lease_ends() {
    let shelf = Arc::new(Shelf::default());
    let (tell, leadership) = watch::channel(None);
    let mut one = candidate(&shelf, "one");
    let story = async {
        pass(5).await;
        assert!(leads(&leadership));
        shelf.unreachable.store(true, Ordering::SeqCst);
        pass(11).await;
        assert!(!leads(&leadership));
        shelf.unreachable.store(false, Ordering::SeqCst);
        pass(3).await;
        assert!(leads(&leadership), "its own lease it takes up again");
    };
    tokio::select! {
        () = one.campaign(&tell) => {}
        () = story => {}
    }
}
