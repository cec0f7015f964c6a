//! What is asked of Hadoop for one key.

use std::sync::Arc;

use tokio::time::Instant;

use super::said::LastSaid;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::issue::{IssueFailure, Issued, Issuer, pressure};
use crate::ledger::record::Record;
use crate::ledger::{Key, Rules};

/// Whose tokens, from whom, by which rules.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct Question<'a> {
    pub(in crate::ledger) key: &'a Key,
    pub(in crate::ledger) issuer: &'a dyn Issuer,
    pub(in crate::ledger) rules: &'a Rules,
    pub(in crate::ledger) clock: &'a Clock,
    pub(in crate::ledger) audit: &'a Audit,
}

impl Question<'_> {
    /// Waits until Hadoop may be asked.
    pub(super) async fn turn(self) -> Result<Option<pressure::Place>, IssueFailure> {
        let Key { user, service, .. } = self.key;
        self.issuer.turn(user, service).await
    }

    pub(super) async fn wait_and_issue(
        self,
        said: &mut LastSaid,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let at_hadoop = self.turn().await?;
        self.issue(at_hadoop, said).await
    }

    /// Asks Hadoop, at the place that our turn came with.
    pub(super) async fn issue(
        self,
        at_hadoop: Option<pressure::Place>,
        said: &mut LastSaid,
    ) -> Result<Arc<Issued>, IssueFailure> {
        let issued = self.issuer.issue(&self.key.user, &self.key.service).await?;
        drop(at_hadoop);
        if !issued.tokens.is_empty() {
            self.audit.obtained(self.key, issued.sequence_number);
        }
        *said = LastSaid::known(Instant::now());
        Ok(Arc::new(issued))
    }

    /// Whether tokens that are held may be handed out again; if need be, Hadoop is asked.
    pub(super) async fn may_reuse(self, issued: &Issued, said: &mut LastSaid) -> bool {
        if let Some(answer) = said.of(issued, self.clock.now_millis()) {
            return answer;
        }
        let asked_at = Instant::now();
        let known = self.issuer.knows(&self.key.service, issued).await;
        *said = if known {
            LastSaid::known(asked_at)
        } else {
            let Key { job, user, service } = self.key;
            tracing::warn!(%job, %user, %service, number = issued.sequence_number,
                "a token was cancelled or forgotten: a new one is issued");
            LastSaid::unknown(asked_at, issued)
        };
        known
    }

    /// Tokens that Hadoop does not know, as they stand aside: to the leader their renewal is due, by which it hears the
    /// same, and tells those who have them; if they can be renewed after all, they live on.
    pub(super) fn lost(self, issued: &Issued) -> Record {
        let now = self.clock.now_millis();
        let ended = Issued {
            expires_at: issued.expires_at.min(now),
            ..issued.clone()
        };
        Record::Worn {
            issued: Arc::new(ended),
            since: now,
        }
    }
}
