//! Readiness as a list of named gates, all of them closed at first; and remarks on what works badly behind them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// All gates of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    closed: Arc<Mutex<BTreeMap<&'static str, String>>>,
    remarks: Arc<Mutex<BTreeMap<String, String>>>,
}

/// One thing that must be right before requests are welcome.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// No gates: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new gate, closed until somebody opens it.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate {
            name,
            readiness: self.clone(),
        };
        gate.not_ready("not checked yet");
        gate
    }

    /// Says at /readyz how something is that requests can do without for a while; none: it is well again.
    pub fn remark(&self, about: &str, text: Option<String>) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => remarks.insert(about.to_owned(), text),
            None => remarks.remove(about),
        };
    }

    /// What was remarked, in the order of what it is about.
    #[must_use]
    pub fn remarks(&self) -> Vec<(String, String)> {
        let remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        remarks.clone().into_iter().collect()
    }

    /// The closed gates with their reasons, in the order of their names. Empty: ready.
    #[must_use]
    pub fn closed(&self) -> Vec<(&'static str, String)> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed
            .iter()
            .map(|(name, reason)| (*name, reason.clone()))
            .collect()
    }
}

impl Gate {
    /// Opens the gate.
    pub fn ready(&self) {
        self.readiness
            .closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(self.name);
    }

    /// Closes the gate; the reason is shown at /readyz.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let mut closed = self
            .readiness
            .closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        closed.insert(self.name, reason.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_gate_is_open() {
        let readiness = Readiness::new();
        let (keys, tls) = (readiness.gate("keys"), readiness.gate("tls"));
        keys.ready();
        assert_eq!(readiness.closed(), [("tls", "not checked yet".to_owned())]);
        tls.ready();
        assert!(readiness.closed().is_empty());
        keys.not_ready("gone");
        assert_eq!(readiness.closed(), [("keys", "gone".to_owned())]);
    }
}
