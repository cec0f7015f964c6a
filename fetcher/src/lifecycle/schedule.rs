//! What is due when: every operation in O(log n).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The name of a ledger record.
pub type Name = Arc<str>;

/// Each name at most once, with the time at which it is due.
#[derive(Debug, Default)]
pub struct Schedule {
    queue: BTreeSet<(u64, Name)>,
    due: HashMap<Name, u64>,
}

impl Schedule {
    /// Sets when something is due, instead of what was set before.
    pub fn set(&mut self, name: &Name, at: u64) {
        self.remove(name);
        self.due.insert(Arc::clone(name), at);
        self.queue.insert((at, Arc::clone(name)));
    }

    /// Forgets the name, if it is known.
    pub fn remove(&mut self, name: &Name) {
        if let Some((name, at)) = self.due.remove_entry(name) {
            self.queue.remove(&(at, name));
        }
    }

    /// Takes what has been due longest.
    pub fn pop_due(&mut self, now: u64) -> Option<Name> {
        if self.next()? > now {
            return None;
        }
        let (_, name) = self.queue.pop_first()?;
        self.due.remove(&name);
        Some(name)
    }

    /// When the next is due.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// How many are due and wait for their turn.
    #[must_use]
    pub fn overdue(&self, now: u64) -> usize {
        self.queue.iter().take_while(|(at, _)| *at <= now).count()
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing will be due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Name {
        Arc::from(format!("token-{number}"))
    }

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let mut schedule = Schedule::default();
        for (number, at) in [(1, 30), (2, 10), (3, 20), (2, 40)] {
            schedule.set(&name(number), at);
        }
        assert_eq!((schedule.len(), schedule.next()), (3, Some(20)));
        assert_eq!(schedule.overdue(30), 2);
        assert_eq!(schedule.pop_due(19), None);
        let due: Vec<_> = std::iter::from_fn(|| schedule.pop_due(35)).collect();
        assert_eq!(due, [name(3), name(1)]);
        schedule.remove(&name(2));
        assert!(schedule.is_empty());
        schedule.remove(&name(2));
    }
}
