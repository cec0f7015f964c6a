//! SIGTERM and SIGINT ask for an orderly end; a second one does not wait for it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Exit code of a process that was told twice: 128 + SIGTERM.
const TOLD_TWICE: i32 = 143;

/// Tells whether the process was asked to stop. Clones share the answer.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Receiver<bool>,
}

/// Asks for shutdown in place of the signals: of a part of the process, or in a test.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Trigger {
    /// Asks everybody who holds the [`Shutdown`] to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A shutdown that somebody asks for by hand.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (sender, requested) = watch::channel(false);
        (Trigger(sender), Self { requested })
    }

    /// Listens for SIGTERM and SIGINT. Must be called inside a tokio runtime.
    #[must_use]
    pub fn on_signals() -> Self {
        let (trigger, shutdown) = Self::new();
        match (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            (Ok(terminate), Ok(interrupt)) => {
                tokio::spawn(listen(trigger, terminate, interrupt));
            }
            (terminate, interrupt) => {
                // Without handlers the signals end the process at once, as they do by default.
                let error = terminate.err().or(interrupt.err());
                tracing::warn!(?error, "no signal handlers: there will be no drain");
                std::mem::forget(trigger);
            }
        }
        shutdown
    }

    /// Waits until shutdown is asked for.
    pub async fn requested(&self) {
        let mut requested = self.requested.clone();
        if requested.wait_for(|requested| *requested).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Was shutdown asked for?
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }
}

async fn listen(trigger: Trigger, mut terminate: Signal, mut interrupt: Signal) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("shutdown requested");
    trigger.request();
    next(&mut terminate, &mut interrupt).await;
    tracing::warn!("asked a second time: ending without drain");
    std::process::exit(TOLD_TWICE);
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
