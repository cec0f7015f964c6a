//! Answers that stay true for a while: bounded in number and in time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers by question.
pub(super) struct Cached<K, V> {
    /// With the time at which they are forgotten.
    entries: Mutex<HashMap<K, (Instant, V)>>,
    bound: usize,
}

impl<K: Hash + Eq, V: Clone> Cached<K, V> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: Mutex::default(),
            bound,
        }
    }

    /// The answer, if it is young enough.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, value) = entries.get(key)?;
        (Instant::now() < *until).then(|| value.clone())
    }

    /// Keeps an answer for so long. Where there are too many, the old ones go first, then all.
    pub(super) fn put(&self, key: K, value: V, life: Duration) {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.bound {
            entries.retain(|_, (until, _)| now < *until);
        }
        if entries.len() >= self.bound {
            entries.clear();
        }
        entries.insert(key, (now + life, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_age_and_are_bounded() {
        let cached = Cached::new(2);
        let life = Duration::from_secs(10);
        cached.put("a", 1, life);
        assert_eq!((cached.get(&"a"), cached.get(&"b")), (Some(1), None));
        tokio::time::advance(Duration::from_secs(6)).await;
        cached.put("b", 2, life);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!((cached.get(&"a"), cached.get(&"b")), (None, Some(2)));
        cached.put("c", 3, life);
        assert_eq!((cached.get(&"b"), cached.get(&"c")), (Some(2), Some(3)));
        cached.put("d", 4, life);
        assert_eq!((cached.get(&"b"), cached.get(&"d")), (None, Some(4)));
    }
}
