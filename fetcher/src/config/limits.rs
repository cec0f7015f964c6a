//! How much one replica takes on, and how much it keeps.

use kube2hadoop_client::contract::FETCHER_PATIENCE;
use serde::Deserialize;

/// What one replica takes on at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// One request, from its head to its answer; no longer than pods wait for it.
    pub request_seconds: u64,
    /// Requests worked on at the same time.
    pub running: usize,
    /// Requests that wait for their turn; more are answered 429.
    pub waiting: usize,
    /// Open connections.
    pub connections: u32,
    /// How long requests in flight may take to end after SIGTERM.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // A thousand tasks of one job start at once, and all wait for the same issue. Connections beyond those who may wait
        // hear so at once; all of them must fit into the memory.
        Self {
            request_seconds: FETCHER_PATIENCE.as_secs(),
            running: 1024,
            waiting: 2048,
            connections: 4096,
            drain_seconds: 25,
        }
    }
}

/// How hard one replica presses each Hadoop service for new tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HadoopLimits {
    /// New tokens in a second, for all users together …
    pub per_second: u32,
    /// … and for one of them. A second's worth may come at once.
    pub per_user_per_second: u32,
    /// Calls under way at a time.
    pub concurrency: usize,
    /// Calls that wait for their turn; more are answered 429.
    pub queue: usize,
}

impl Default for HadoopLimits {
    fn default() -> Self {
        // A NameNode issues several thousand in a second, and has other work to do.
        Self {
            per_second: 1000,
            per_user_per_second: 200,
            concurrency: 64,
            queue: 4096,
        }
    }
}

/// What the ledger keeps.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LedgerLimits {
    /// A held token is handed out while at least this part of its life is left.
    pub min_life_fraction: f64,
    /// Tokens held in memory.
    pub capacity: usize,
    /// How long a retryable failure answers who asks next, to spare Hadoop.
    pub failure_seconds: u64,
    /// Namespace of the Secrets through which replicas share; none: each replica has its own tokens.
    pub namespace: Option<String>,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            min_life_fraction: 0.5,
            capacity: 50_000,
            failure_seconds: 2,
            namespace: None,
        }
    }
}
