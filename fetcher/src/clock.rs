//! The time, injected, so that tests do not wait for it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kube2hadoop_client::contract::Timestamp;

/// Milliseconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// One that says what the function does: milliseconds since 1970.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_millis(&self) -> u64 {
        (self.0)()
    }
}

/// Hadoop counts milliseconds; people and the contract read UTC seconds.
#[must_use]
pub fn timestamp(millis: u64) -> Timestamp {
    Timestamp::from_unix_seconds(millis / 1000)
}
