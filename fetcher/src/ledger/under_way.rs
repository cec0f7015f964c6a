//! Work that goes on though nobody waits for it, counted, so that a process that ends can let it end first.

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;

/// Clones count together.
#[derive(Clone, Default)]
pub(super) struct UnderWay {
    count: watch::Sender<usize>,
    shown: Gauge,
}

/// One piece of work; it has ended when this is dropped.
pub(super) struct Begun(UnderWay);

impl UnderWay {
    /// Shows the count there, too.
    pub(super) fn shown_by(shown: Gauge) -> Self {
        Self {
            shown,
            ..Self::default()
        }
    }

    pub(super) fn begin(&self) -> Begun {
        self.count.send_modify(|count| *count += 1);
        self.shown.inc();
        Begun(self.clone())
    }

    /// Waits until all that was begun has ended.
    pub(super) async fn ended(&self) {
        // The sender is here, so the channel is open.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
        self.0.shown.dec();
    }
}
