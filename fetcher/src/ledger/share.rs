//! One issue among all replicas: who creates the record issues, the others read what came of it.

use std::sync::Arc;
use std::time::Duration;

use super::record::{Record, Versioned};
use super::store::{Store, StoreError, Written};
use super::{Key, Rules};
use crate::chain;
use crate::clock::Clock;
use crate::issue::{IssueFailure, Issued, Issuer};

/// How often a replica looks whether the other one is done.
const LOOK: Duration = Duration::from_millis(100);
/// A claim older than this is of a replica that died between claim and token.
const STALE_MILLIS: u64 = 30_000;
/// Looks at another's claim before giving up; longer than a claim lasts.
const MAX_LOOKS: u32 = 400;

/// Whether and through what replicas share.
pub struct Sharing(Option<Arc<dyn Store>>);

/// What a look at the store came to.
enum Turn {
    /// It is ours to issue, under the record of that version.
    Issue {
        version: String,
    },
    Use(Arc<Issued>),
    Wait,
}

impl Sharing {
    /// Each replica has its own tokens.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    #[must_use]
    pub fn through(store: Arc<dyn Store>) -> Self {
        Self(Some(store))
    }

    /// Gets the key's tokens from another replica, or from Hadoop.
    pub(super) async fn obtain(
        &self,
        key: &Key,
        issuer: &dyn Issuer,
        rules: &Rules,
        clock: &Clock,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let Some(store) = &self.0 else {
            return issue(key, issuer).await;
        };
        for _ in 0..MAX_LOOKS {
            match turn(&**store, key, rules, clock).await {
                Ok(Turn::Use(issued)) => return Ok(issued),
                Ok(Turn::Issue { version }) => {
                    return issue_under(&**store, key, issuer, version).await;
                }
                Ok(Turn::Wait) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    // A second token is a smaller harm than none at all.
                    tracing::warn!(
                        error = chain::text(&error),
                        "issuing without the shared ledger"
                    );
                    return issue(key, issuer).await;
                }
            }
        }
        Err(IssueFailure::ElsewhereBusy)
    }
}

async fn turn(
    store: &dyn Store,
    key: &Key,
    rules: &Rules,
    clock: &Clock,
) -> Result<Turn, StoreError> {
    let now = clock.now_millis();
    let found = store.get(key).await?;
    let version = match found {
        None => None,
        Some(Versioned {
            record: Record::Held(issued),
            ..
        }) if rules.usable(&issued, now) => {
            return Ok(Turn::Use(issued));
        }
        Some(Versioned {
            record: Record::Claimed { since },
            ..
        }) if now < since.saturating_add(STALE_MILLIS) => {
            return Ok(Turn::Wait);
        }
        Some(worn) => Some(worn.version),
    };
    let written = store
        .put(key, Record::Claimed { since: now }, version)
        .await?;
    Ok(match written {
        Written::Yes(version) => Turn::Issue { version },
        Written::No => Turn::Wait,
    })
}

async fn issue_under(
    store: &dyn Store,
    key: &Key,
    issuer: &dyn Issuer,
    version: String,
) -> Result<Arc<Issued>, IssueFailure> {
    let outcome = issue(key, issuer).await;
    let noted = match &outcome {
        Ok(issued) => store
            .put(key, Record::Held(Arc::clone(issued)), Some(version))
            .await
            .map(drop),
        Err(_) => store.delete(key, version).await,
    };
    if let Err(error) = noted {
        tracing::warn!(
            error = chain::text(&error),
            "the shared ledger was not told of an issue"
        );
    }
    outcome
}

async fn issue(key: &Key, issuer: &dyn Issuer) -> Result<Arc<Issued>, IssueFailure> {
    issuer.issue(&key.user, &key.service).await.map(Arc::new)
}
