//! LDAP servers as they are asked: in turn, over TLS, a few questions at a time, in two seconds or not at all.

mod connection;
mod metrics;
mod problem;
mod start_tls;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use self::connection::Connection;
use self::problem::Problem;
use crate::identity::Directory;

pub use metrics::Metrics;

/// For one question, to all servers together: the API server waits five seconds for all of an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions at a time, and so connections.
const AT_ONCE: usize = 8;
/// A server's failures are logged once in so long.
const QUIET: Duration = Duration::from_secs(60);

/// What is asked of directories.
pub trait Directories: Send + Sync {
    /// Does the filter describe an entry of the directory? None where no server says.
    fn has(&self, directory: Arc<Directory>, filter: String) -> BoxFuture<'_, Option<bool>>;
}

/// The servers of the configuration. Clones share connections.
#[derive(Clone)]
pub struct LdapServers(Arc<Shared>);

struct Shared {
    turns: Semaphore,
    known: Mutex<Known>,
    metrics: Metrics,
}

/// What is known of the directory that was asked last; another configuration begins anew.
#[derive(Default)]
struct Known {
    directory: Option<Arc<Directory>>,
    /// Connections that wait for a question.
    idle: Vec<Connection>,
    /// The server that answered last.
    first: usize,
    /// When a server's failure was logged.
    logged: HashMap<usize, Instant>,
}

impl LdapServers {
    /// Nothing is connected before the first question.
    pub fn new(metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            turns: Semaphore::new(AT_ONCE),
            known: Mutex::default(),
            metrics,
        }))
    }
}

impl Directories for LdapServers {
    fn has(&self, directory: Arc<Directory>, filter: String) -> BoxFuture<'_, Option<bool>> {
        let shared = Arc::clone(&self.0);
        // Of its own: whoever gives up waiting breaks no connection off, and a server whose answer cannot be read
        // ends this task and no request.
        let asked = tokio::spawn(async move {
            let started = Instant::now();
            let answer = shared.ask(&directory, &filter, started + PATIENCE).await;
            shared.metrics.asked(answer, started.elapsed());
            answer
        });
        Box::pin(async move { asked.await.ok().flatten() })
    }
}

impl Shared {
    async fn ask(
        &self,
        directory: &Arc<Directory>,
        filter: &str,
        deadline: Instant,
    ) -> Option<bool> {
        let _turn = timeout_at(deadline, self.turns.acquire())
            .await
            .ok()?
            .ok()?;
        let count = directory.servers.len();
        if let Some(mut connection) = self.idle(directory) {
            let answer = connection.has(&directory.base, filter);
            // A server ends connections as it likes: only a new one can tell what is wrong.
            if let Ok(Ok(answer)) = timeout(share(deadline, count + 1), answer).await {
                self.answered(directory, connection);
                return Some(answer);
            }
        }
        let first = self.known(directory).first;
        for tried in 0..count {
            let place = (first + tried) % count;
            let answer = self.ask_anew(directory, place, filter);
            let answer = timeout(share(deadline, count - tried), answer).await;
            match answer.unwrap_or(Err(Problem::Late)) {
                Ok(answer) => return Some(answer),
                Err(problem) => self.failed(directory, place, &problem),
            }
        }
        None
    }

    /// Over a new connection, which is kept.
    async fn ask_anew(
        &self,
        directory: &Arc<Directory>,
        place: usize,
        filter: &str,
    ) -> Result<bool, Problem> {
        let mut connection = Connection::open(directory, place).await?;
        let answer = connection.has(&directory.base, filter).await?;
        self.answered(directory, connection);
        Ok(answer)
    }

    fn known(&self, directory: &Arc<Directory>) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .directory
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, directory));
        if !same {
            *known = Known {
                directory: Some(Arc::clone(directory)),
                ..Known::default()
            };
        }
        known
    }

    fn idle(&self, directory: &Arc<Directory>) -> Option<Connection> {
        let mut known = self.known(directory);
        known.idle.retain_mut(Connection::is_good);
        known.idle.pop()
    }

    fn answered(&self, directory: &Arc<Directory>, connection: Connection) {
        let mut known = self.known(directory);
        known.first = connection.place;
        known.idle.push(connection);
    }

    fn failed(&self, directory: &Arc<Directory>, place: usize, problem: &Problem) {
        let Some(server) = directory.servers.get(place) else {
            return;
        };
        self.metrics.failed(server);
        let now = Instant::now();
        let mut known = self.known(directory);
        let logged = known.logged.get(&place);
        if logged.is_none_or(|then| now.duration_since(*then) >= QUIET) {
            known.logged.insert(place, now);
            drop(known);
            let server = server.to_string();
            tracing::warn!(server, %problem, "an LDAP server could not be asked; this is said once a minute");
        }
    }
}

/// What one of so many may take of the time that is left.
fn share(deadline: Instant, of: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left / u32::try_from(of).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
