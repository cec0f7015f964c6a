//! How hard one Hadoop service is pressed: new tokens in a second, at a time, and how many may wait for theirs.
//!
//! Whoever comes is given the next free moment, so that it is known at once how long they would wait; a limiter that
//! only says yes or no would let thousands of sleepers wake for each place.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube2hadoop_client::contract::FETCHER_PATIENCE;
use kube2hadoop_runtime::shutdown::{Shutdown, Trigger};
use kube2hadoop_stamp::HadoopUser;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::HadoopLimits;
use places::Places;

mod places;

pub use places::Place;

/// The most that a rate may make somebody wait: a pod that is told to come again knows more than one that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Users are forgotten, once they have been quiet, when there are so many.
const MANY_USERS: usize = 1024;

/// No place: come again after that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    pub retry_after: Duration,
}

/// The bounds of one service.
pub struct Pressure {
    state: Mutex<State>,
    places: Places,
    limits: HadoopLimits,
    closing: (Trigger, Shutdown),
}

#[derive(Default)]
struct State {
    waiting: usize,
    all: Rhythm,
    users: HashMap<HadoopUser, Rhythm>,
}

/// The moments at which calls may begin.
#[derive(Default, Clone, Copy)]
struct Rhythm {
    next: Option<Instant>,
}

impl Rhythm {
    /// The next free moment: now, after a pause in which up to a second's worth of calls was saved up.
    fn peek(self, now: Instant, per_second: u32) -> Instant {
        let saved = Duration::from_secs(1) - interval(per_second);
        self.next
            .map_or(now, |next| now.max(next.checked_sub(saved).unwrap_or(now)))
    }

    fn take(&mut self, now: Instant, per_second: u32) -> Instant {
        let at = self.peek(now, per_second);
        self.next = Some(self.next.unwrap_or(now).max(now) + interval(per_second));
        at
    }

    fn is_quiet(self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }
}

/// Waits for a moment. One that has come is not slept for: the timer sleeps for a millisecond at the least.
async fn moment(at: Instant) {
    if at > Instant::now() {
        sleep_until(at).await;
    }
}

fn interval(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

/// Who waits; counted down however the waiting ends.
struct Waiting<'a>(&'a Pressure);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl Pressure {
    /// Nobody waits yet.
    #[must_use]
    pub fn new(limits: HadoopLimits) -> Self {
        Self {
            state: Mutex::default(),
            places: Places::new(limits.concurrency),
            limits,
            closing: Shutdown::new(),
        }
    }

    /// From now on no call begins. Who waits is turned away at once; calls under way keep their places.
    pub fn close(&self) {
        self.closing.0.request();
    }

    /// Whether no call begins any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing.1.is_requested()
    }

    /// Waits for the user's turn, then for everybody's, then for a place; no longer than a pod waits for its answer.
    ///
    /// # Errors
    /// Where too many wait, or the wait would be or was too long, or no call begins any more.
    pub async fn turn(&self, user: &HadoopUser) -> Result<Place, Busy> {
        tokio::select! {
            biased;
            () = self.closing.1.requested() => Err(self.lock().busy(Duration::ZERO, &self.limits)),
            turn = self.wait(user) => turn,
        }
    }

    async fn wait(&self, user: &HadoopUser) -> Result<Place, Busy> {
        let patience = Instant::now() + FETCHER_PATIENCE;
        let (waiting, at) = self.join(user)?;
        moment(at).await;
        let at = {
            let now = Instant::now();
            self.lock().all.take(now, self.limits.per_second)
        };
        moment(at).await;
        // A Hadoop that keeps silent gives no places back for long.
        let place = timeout_at(patience, self.places.take(user)).await;
        drop(waiting);
        place
            .ok()
            .flatten()
            .ok_or_else(|| self.lock().busy(Duration::ZERO, &self.limits))
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn join(&self, user: &HadoopUser) -> Result<(Waiting<'_>, Instant), Busy> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(busy) = self.refusal(&state, user, now) {
            return Err(busy);
        }
        if self.is_full(&state) {
            self.places.make_room(user);
        }
        state.waiting += 1;
        if state.users.len() >= MANY_USERS {
            state.users.retain(|_, rhythm| !rhythm.is_quiet(now));
        }
        let rhythm = state.users.entry(user.clone()).or_default();
        let at = rhythm.take(now, self.limits.per_user_per_second);
        drop(state);
        Ok((Waiting(self), at))
    }

    fn refusal(&self, state: &State, user: &HadoopUser, now: Instant) -> Option<Busy> {
        let wait = state.wait(user, now, &self.limits);
        let crowded = self.is_full(state) && !self.places.is_crowded_by_others(user);
        (crowded || wait > PATIENCE || self.is_closed()).then(|| state.busy(wait, &self.limits))
    }

    fn is_full(&self, state: &State) -> bool {
        state.waiting >= self.limits.queue
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How long the rates would make a call wait.
    fn wait(&self, user: &HadoopUser, now: Instant, limits: &HadoopLimits) -> Duration {
        let of_user = self.users.get(user).copied().unwrap_or_default();
        let user_at = of_user.peek(now, limits.per_user_per_second);
        let all_at = self.all.peek(now, limits.per_second);
        user_at.max(all_at).saturating_duration_since(now)
    }

    /// Come again when those are done who wait already, and not before that time.
    fn busy(&self, wait: Duration, limits: &HadoopLimits) -> Busy {
        let queue = interval(limits.per_second)
            .saturating_mul(u32::try_from(self.waiting).unwrap_or(u32::MAX));
        let retry_after = wait.max(queue).clamp(Duration::from_secs(1), 2 * PATIENCE);
        Busy { retry_after }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    fn limits() -> HadoopLimits {
        HadoopLimits {
            per_second: 10,
            per_user_per_second: 5,
            concurrency: 1000,
            queue: 1000,
        }
    }

    fn user(name: &str) -> HadoopUser {
        name.parse().unwrap()
    }

    /// So many calls at once by users of these names; when each began, in tenths of a second.
    async fn begins(pressure: &Pressure, users: &[&str], calls: usize) -> Vec<Result<u128, Busy>> {
        let start = Instant::now();
        let calls = users.iter().cycle().take(calls).map(|name| async move {
            let turn = pressure.turn(&user(name)).await?;
            drop(turn);
            Ok((start.elapsed().as_millis() + 50) / 100)
        });
        join_all(calls).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_given_at_once_and_the_rest_in_its_rhythm() {
        let pressure = Pressure::new(limits());
        let began = begins(&pressure, &["alice"], 8).await;
        assert_eq!(began, [0, 0, 0, 0, 0, 2, 4, 6].map(Ok));
        assert_eq!(pressure.waiting(), 0);
    }

    #[tokio::test]
    async fn who_need_not_wait_goes_on_at_once() {
        let pressure = Pressure::new(limits());
        let alice = user("alice");
        let turn = pressure.turn(&alice).now_or_never();
        assert!(turn.is_some_and(|turn| turn.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn all_users_together_have_a_rhythm_too() {
        let pressure = Pressure::new(limits());
        let began = begins(&pressure, &["a", "b", "c"], 12).await;
        assert_eq!(began, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2].map(Ok));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_floods_does_not_hold_up_the_others() {
        let pressure = Arc::new(Pressure::new(limits()));
        let flood = {
            let pressure = Arc::clone(&pressure);
            tokio::spawn(async move { begins(&pressure, &["flood"], 500).await })
        };
        while pressure.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begins(&pressure, &["alice"], 2).await, [Ok(0), Ok(0)]);
        let began = flood.await.unwrap();
        let refused: Vec<_> = began.iter().filter_map(|it| it.as_ref().err()).collect();
        // A second's worth at once, then as many as come within the patience.
        assert_eq!(began.len() - refused.len(), 5 + 50);
        assert!(refused.iter().all(|busy| busy.retry_after > PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_service_is_waited_for_by_so_many_and_no_more() {
        let slow = HadoopLimits {
            concurrency: 1,
            queue: 3,
            per_second: 1000,
            per_user_per_second: 1000,
        };
        let pressure = Arc::new(Pressure::new(slow));
        let alice = user("alice");
        let held = pressure.turn(&alice).await.unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (pressure, alice) = (Arc::clone(&pressure), alice.clone());
                tokio::spawn(async move { pressure.turn(&alice).await.map(drop) })
            })
            .collect();
        while pressure.waiting() < 3 {
            tokio::task::yield_now().await;
        }
        let retry_after = Duration::from_secs(1);
        let refused = pressure.turn(&alice).await.map(drop);
        assert_eq!(refused, Err(Busy { retry_after }));
        drop(held);
        for waiter in join_all(waiters).await {
            assert_eq!(waiter.unwrap(), Ok(()));
        }
        assert_eq!(pressure.waiting(), 0);
        assert!(pressure.turn(&alice).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_service_is_waited_for_no_longer_than_pods_wait() {
        let silent = HadoopLimits {
            concurrency: 1,
            ..limits()
        };
        let (pressure, alice) = (Pressure::new(silent), user("alice"));
        let held = pressure.turn(&alice).await.unwrap();
        let began = Instant::now();
        assert!(pressure.turn(&alice).await.is_err());
        assert_eq!(began.elapsed(), FETCHER_PATIENCE);
        assert_eq!(pressure.waiting(), 0);
        drop(held);
        assert!(pressure.turn(&alice).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn once_closed_no_call_begins_and_nobody_waits_on() {
        let pressure = Pressure::new(HadoopLimits {
            concurrency: 1,
            ..limits()
        });
        let (alice, bob) = (user("alice"), user("bob"));
        let held = pressure.turn(&alice).await.unwrap();
        let mut in_line = Box::pin(pressure.turn(&alice));
        assert!((&mut in_line).now_or_never().is_none());
        pressure.close();
        assert!(matches!(in_line.now_or_never(), Some(Err(_))));
        drop(held);
        assert!(pressure.turn(&bob).await.is_err());
        assert_eq!(pressure.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_the_queue() {
        let pressure = Pressure::new(limits());
        let _ = begins(&pressure, &["alice"], 5).await;
        let given_up =
            tokio::time::timeout(Duration::from_millis(10), pressure.turn(&user("alice"))).await;
        assert!(given_up.is_err());
        assert_eq!(pressure.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_users_are_forgotten() {
        let pressure = Pressure::new(HadoopLimits {
            per_second: 100_000,
            ..limits()
        });
        for number in 0..3 * MANY_USERS {
            let _ = pressure.turn(&user(&format!("u{number}"))).await;
            if number % 100 == 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        assert!(pressure.lock().users.len() <= MANY_USERS);
    }
}
