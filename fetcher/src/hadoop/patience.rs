//! What a KDC that keeps silent may cost: one wait for each realm, which all share, not one for each request. A host
//! whose ticket is at hand needs no KDC, and is never held back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube2hadoop_client::contract::Timestamp;
use tokio::time::{Instant, timeout};

use super::realms::Realms;
use super::spnego::{Exchange, Negotiate, SpnegoError};
use crate::clock::{Clock, timestamp};

/// How long no KDC of a realm is asked after one kept us waiting in vain. Who comes again finds one that is back soon
/// enough.
const PAUSE: Duration = Duration::from_secs(5);
/// A KDC that refuses at once holds nobody up.
const LONG: Duration = Duration::from_secs(1);

/// How long Kerberos may take, and which realms took longer.
pub(super) struct Patience {
    limit: Duration,
    clock: Clock,
    realms: Realms,
    seen: Mutex<Seen>,
}

/// No more of both than hosts: those of the configuration, and the KMS that NameNodes name.
#[derive(Default)]
struct Seen {
    /// By realm.
    silent: BTreeMap<String, Silent>,
    /// By host: when the ticket in the library's cache ends.
    tickets: BTreeMap<String, Instant>,
}

#[derive(Clone, Copy)]
struct Silent {
    at: Timestamp,
    until: Instant,
}

impl Patience {
    /// `limit` is for one exchange.
    pub(super) fn new(limit: Duration, realms: Realms) -> Self {
        Self {
            limit,
            clock: Clock::system(),
            realms,
            seen: Mutex::default(),
        }
    }

    /// Begins an exchange, unless it needs a KDC and none of the host's realm has answered a moment ago.
    pub(super) async fn start(
        &self,
        negotiate: &dyn Negotiate,
        host: &str,
    ) -> Result<Box<dyn Exchange>, SpnegoError> {
        let realm = self.realms.of(host);
        let asked = Instant::now();
        let at_hand = self.seen().at_hand(host);
        if !at_hand {
            self.seen().may_ask(&realm, asked + self.limit)?;
        }
        let started = timeout(self.limit, negotiate.start(host)).await;
        let started = started.unwrap_or(Err(SpnegoError::Timeout));
        let in_vain = match &started {
            Err(SpnegoError::Timeout) => true,
            Err(SpnegoError::KdcUnreachable(_)) => asked.elapsed() > LONG,
            _ => false,
        };
        if in_vain {
            let at = timestamp(self.clock.now_millis());
            self.seen().in_vain(host, realm, at);
        } else if !at_hand {
            self.seen().silent.remove(&realm);
        }
        started
    }

    /// An exchange with that host went well, by a ticket that serves for so long.
    pub(super) fn got_ticket(&self, host: &str, lasts: Duration) {
        let now = Instant::now();
        let tickets = &mut self.seen().tickets;
        tickets.retain(|_, end| *end > now);
        tickets.insert(host.to_owned(), now + lasts);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn at_hand(&self, host: &str) -> bool {
        let end = self.tickets.get(host);
        end.is_some_and(|end| Instant::now() < *end)
    }

    /// After the pause one asks for all, who hear of it by `answered`.
    fn may_ask(&mut self, realm: &str, answered: Instant) -> Result<(), SpnegoError> {
        let Some(silent) = self.silent.get_mut(realm) else {
            return Ok(());
        };
        if Instant::now() < silent.until {
            let (realm, at) = (realm.to_owned(), silent.at);
            return Err(SpnegoError::Silent { realm, at });
        }
        silent.until = answered;
        Ok(())
    }

    /// The ticket was no help: libkrb5 wanted a newer one.
    fn in_vain(&mut self, host: &str, realm: String, at: Timestamp) {
        let until = Instant::now() + PAUSE;
        self.tickets.remove(host);
        self.silent.insert(realm, Silent { at, until });
    }
}

#[cfg(test)]
mod tests;
