//! Answers that stay true for a while: bounded in number and in time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers by question.
pub(super) struct Cached<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
    bound: usize,
    life: Duration,
}

impl<K: Hash + Eq, V: Clone> Cached<K, V> {
    pub(super) fn new(bound: usize, life: Duration) -> Self {
        Self {
            entries: Mutex::default(),
            bound,
            life,
        }
    }

    /// The answer, if it is young enough.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = entries.get(key)?;
        (since.elapsed() < self.life).then(|| value.clone())
    }

    /// Keeps an answer. Where there are too many, the old ones go first, then all.
    pub(super) fn put(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.bound {
            entries.retain(|_, (since, _)| since.elapsed() < self.life);
        }
        if entries.len() >= self.bound {
            entries.clear();
        }
        entries.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_age_and_are_bounded() {
        let cached = Cached::new(2, Duration::from_secs(10));
        cached.put("a", 1);
        assert_eq!((cached.get(&"a"), cached.get(&"b")), (Some(1), None));
        tokio::time::advance(Duration::from_secs(6)).await;
        cached.put("b", 2);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!((cached.get(&"a"), cached.get(&"b")), (None, Some(2)));
        cached.put("c", 3);
        assert_eq!((cached.get(&"b"), cached.get(&"c")), (Some(2), Some(3)));
        cached.put("d", 4);
        assert_eq!((cached.get(&"b"), cached.get(&"d")), (None, Some(4)));
    }
}
