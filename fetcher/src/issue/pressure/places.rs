//! So many calls at a time, given to users in turn: a user whose jobs wait by the thousand holds up nobody else.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube2hadoop_stamp::HadoopUser;
use tokio::sync::oneshot;

type Waiter = oneshot::Sender<Place>;

/// The places of one service. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    /// None while anybody waits.
    free: usize,
    /// Each line stands until its user's turn, though all may have left it.
    of_user: HashMap<HadoopUser, VecDeque<Waiter>>,
    /// Whose turn comes when; each user with a line once.
    turns: VecDeque<HadoopUser>,
}

/// The place of one call. When it is dropped, the next in line has it.
pub struct Place(Places);

/// Somebody in a line. Whoever gives up leaves it: else it seems longer than it is, and the wrong ones are turned away.
struct InLine<'a> {
    places: &'a Places,
    user: &'a HadoopUser,
    place: oneshot::Receiver<Place>,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.place.close();
        self.places.lock().let_go(self.user);
    }
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let lines = Lines {
            free: count,
            ..Lines::default()
        };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// Waits for a place; none if it was turned away meanwhile.
    pub(super) async fn take(&self, user: &HadoopUser) -> Option<Place> {
        let mut waiting = {
            let mut lines = self.lock();
            if lines.free > 0 {
                lines.free -= 1;
                return Some(Place(self.clone()));
            }
            let place = lines.join(user);
            InLine {
                places: self,
                user,
                place,
            }
        };
        (&mut waiting.place).await.ok()
    }

    /// Whether somebody's line is so much longer than this user's that its last one should go.
    pub(super) fn is_crowded_by_others(&self, user: &HadoopUser) -> bool {
        self.lock().longer_than(user).is_some()
    }

    /// Turns away the last of the longest line, if that is longer than this user's.
    pub(super) fn make_room(&self, user: &HadoopUser) -> bool {
        let mut lines = self.lock();
        let Some(longest) = lines.longer_than(user) else {
            return false;
        };
        let line = lines.of_user.get_mut(&longest);
        line.and_then(VecDeque::pop_back).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn join(&mut self, user: &HadoopUser) -> oneshot::Receiver<Place> {
        let (waiter, waiting) = oneshot::channel();
        let line = match self.of_user.entry(user.clone()) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(none) => {
                self.turns.push_back(user.clone());
                none.insert(VecDeque::new())
            }
        };
        line.push_back(waiter);
        waiting
    }

    /// Those who gave up, from both ends: who came first gives up first, as a rule.
    fn let_go(&mut self, user: &HadoopUser) {
        let Some(line) = self.of_user.get_mut(user) else {
            return;
        };
        while line.pop_front_if(|it| it.is_closed()).is_some() {}
        while line.pop_back_if(|it| it.is_closed()).is_some() {}
    }

    /// The next who still waits, of the user whose turn it is.
    fn next(&mut self) -> Option<Waiter> {
        while let Some(user) = self.turns.pop_front() {
            let Some(line) = self.of_user.get_mut(&user) else {
                continue;
            };
            let waiter = std::iter::from_fn(|| line.pop_front()).find(|it| !it.is_closed());
            if line.is_empty() {
                self.of_user.remove(&user);
            } else {
                self.turns.push_back(user);
            }
            if waiter.is_some() {
                return waiter;
            }
        }
        None
    }

    fn longer_than(&self, user: &HadoopUser) -> Option<HadoopUser> {
        let mine = self.of_user.get(user).map_or(0, VecDeque::len);
        let (longest, line) = self.of_user.iter().max_by_key(|(_, line)| line.len())?;
        (line.len() > mine + 1).then(|| longest.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut lines = self.0.lock();
            let next = lines.next();
            if next.is_none() {
                lines.free += 1;
            }
            next
        };
        if let Some(waiter) = next {
            // Whoever gave up at this very moment drops it in turn.
            let _ = waiter.send(Self(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn user(name: &str) -> HadoopUser {
        name.parse().unwrap()
    }

    /// Whose turn comes when, of users who come in that order while the only place is taken.
    fn turns(names: &[&str]) -> Vec<String> {
        let places = Places::new(1);
        let held = places.take(&user("first")).now_or_never().flatten();
        let users: Vec<HadoopUser> = names.iter().map(|name| user(name)).collect();
        let wait = |user| (user, places.take(user).boxed());
        let mut waiting: Vec<_> = users.iter().map(wait).collect();
        for (_, take) in &mut waiting {
            assert!(take.now_or_never().is_none());
        }
        drop(held);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting.iter_mut().position(|(_, take)| {
                // The place is dropped here: the next one has it.
                take.now_or_never().is_some()
            });
            order.push(waiting.remove(ready.unwrap()).0.to_string());
        }
        order
    }

    #[test]
    fn users_take_turns() {
        assert_eq!(turns(&["a", "a", "a", "b", "c"]), ["a", "b", "c", "a", "a"]);
    }

    #[test]
    fn who_gave_up_is_passed_over_and_no_place_is_lost() {
        let places = Places::new(1);
        let alice = user("alice");
        let held = places.take(&alice).now_or_never().flatten();
        let mut gone = places.take(&alice).boxed();
        assert!((&mut gone).now_or_never().is_none());
        let mut late = places.take(&alice).boxed();
        assert!((&mut late).now_or_never().is_none());
        drop(gone);
        drop(held);
        let place = late.now_or_never().flatten();
        assert!(place.is_some());
        drop(place);
        assert!(places.take(&alice).now_or_never().flatten().is_some());
    }

    #[test]
    fn who_gave_up_makes_no_line_longer() {
        let places = Places::new(1);
        let (alice, bob) = (user("alice"), user("bob"));
        let held = places.take(&alice).now_or_never().flatten();
        for _ in 0..3 {
            assert!(places.take(&alice).now_or_never().is_none());
        }
        assert!(!places.is_crowded_by_others(&bob), "nobody waits");
        let mut two = [&alice, &bob].map(|user| places.take(user).boxed());
        for take in &mut two {
            assert!(take.now_or_never().is_none());
        }
        drop(held);
        for take in &mut two {
            assert!(take.now_or_never().flatten().is_some());
        }
    }

    #[test]
    fn the_last_of_the_longest_line_makes_room() {
        let places = Places::new(1);
        let (alice, bob) = (user("alice"), user("bob"));
        let _held = places.take(&alice).now_or_never().flatten();
        let mut line: Vec<_> = (0..3).map(|_| places.take(&alice).boxed()).collect();
        for take in &mut line {
            assert!(take.now_or_never().is_none());
        }
        assert!(!places.make_room(&alice), "nobody's line is longer");
        assert!(places.is_crowded_by_others(&bob) && places.make_room(&bob));
        let answers: Vec<bool> = line
            .iter_mut()
            .map(|it| it.now_or_never().is_some())
            .collect();
        assert_eq!(answers, [false, false, true]);
    }
}
