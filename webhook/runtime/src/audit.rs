//! The audit log: a line of JSON for each thing done for someone. It goes to standard output, apart from the log, and
//! no log level silences it.

use std::fmt;
use std::io::{Write, stdout};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::logging::{self, Unwritten};

/// Where the lines go. Clones share it.
#[derive(Clone)]
pub struct AuditLog(Arc<Mutex<Box<dyn Write + Send>>>);

impl AuditLog {
    /// Each line is written before [`AuditLog::write`] returns.
    #[must_use]
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(out))))
    }

    /// A thread of its own writes the lines to standard output, many at once where they come fast.
    pub fn batched() -> (Self, Unwritten) {
        let (writer, unwritten) = logging::batched(stdout(), "audit");
        (Self::to(writer), unwritten)
    }

    /// Writes one line. That it could not be written goes to the log.
    pub fn write(&self, line: &impl Serialize) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
            tracing::error!(%error, "an audit line could not be written");
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog")
    }
}
