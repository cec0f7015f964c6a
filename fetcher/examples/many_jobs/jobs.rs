//! Jobs without end, each of which asks for its token through the ledger of a replica that shares with nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_fetcher::audit::Audit;
use kube2hadoop_fetcher::clock::Clock;
use kube2hadoop_fetcher::issue::Issuer;
use kube2hadoop_fetcher::ledger::{Key, Ledger, Rules, Sharing};
use kube2hadoop_fetcher::service::ServiceName;
use kube2hadoop_stamp::HadoopUser;
use serde_json::json;

const RULES: Rules = Rules {
    min_life_fraction: 0.5,
    capacity: 50_000,
    failure_millis: 0,
    renewed: true,
};

pub(crate) struct Jobs {
    ledger: Ledger,
    user: HadoopUser,
    service: ServiceName,
    number: AtomicUsize,
}

impl Jobs {
    pub(crate) fn new(issuer: Arc<dyn Issuer>, user: &HadoopUser) -> Result<Self> {
        Ok(Self {
            service: issuer
                .services()
                .first()
                .context("no name service")?
                .clone(),
            ledger: Ledger::new(
                issuer,
                Sharing::alone(),
                RULES,
                Clock::system(),
                Audit::to(std::io::sink(), Clock::system()),
            ),
            user: user.clone(),
            number: AtomicUsize::default(),
        })
    }

    /// The token of a job that nobody has asked for yet.
    pub(crate) async fn next_token(&self) -> Result<Token> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let key = Key {
            job: serde_json::from_value(json!(format!("bench/Job.batch/{number}")))?,
            user: self.user.clone(),
            service: self.service.clone(),
        };
        let issued = self.ledger.tokens(&key).await?;
        let (_, token) = issued.tokens.first().context("no token")?;
        Ok(token.clone())
    }
}
