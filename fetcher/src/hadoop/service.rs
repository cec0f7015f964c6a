//! What every Hadoop service that issues delegation tokens can do.

use futures::future::{BoxFuture, FutureExt};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;

use super::HadoopError;

/// Tokens as one service issued them; times in milliseconds since 1970, as Hadoop counts.
#[derive(Debug, Clone)]
pub struct Issued {
    /// With the alias each is found by. One delegation token may stand there several times, under the
    /// spellings that different clients look for; empty where the service has nothing to protect
    /// (a cluster without a KMS).
    pub tokens: Vec<(String, Token)>,
    /// When it was issued.
    pub issued_at: u64,
    /// When it was last renewed, or else issued.
    pub renewed_at: u64,
    /// When it stops working unless somebody renews it.
    pub expires_at: u64,
    /// When it stops working for good.
    pub max_date: u64,
    /// Hadoop's own number of the (first) token, for audit.
    pub sequence_number: i32,
}

impl Issued {
    /// Each delegation token once: what has to be renewed and cancelled. Of its copies the one that says most of where
    /// it is from: that with the URI of several KMS names them all, and one of them may be down.
    #[must_use]
    pub fn distinct(&self) -> Vec<&Token> {
        let says = |token: &Token| (token.service().contains("://"), token.service().len());
        let mut seen: Vec<&Token> = Vec::new();
        for (_, token) in &self.tokens {
            let same = |other: &&mut &Token| other.identifier() == token.identifier();
            match seen.iter_mut().find(same) {
                Some(other) if says(other) < says(token) => *other = token,
                Some(_) => {}
                None => seen.push(token),
            }
        }
        seen
    }
}

/// Issues, renews and cancels delegation tokens.
pub trait TokenService: Send + Sync {
    /// As users write it in the `services` annotation: the file system's id, `yarn` or `kms`.
    fn name(&self) -> &str;

    /// Gets new tokens of `user`.
    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>>;

    /// Renews, late or not: a late renewal revives a token. Answers until when it works now
    /// (milliseconds since 1970); equal to its maximum date means that no renewal is left.
    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>>;

    /// Cancels; a token that is gone already is a success.
    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>>;

    /// Whether the token is still known, for all that can be told: false is certain. Asked with nothing but the token,
    /// so that it works without a KDC.
    fn is_known<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        std::future::ready(Ok(true)).boxed()
    }

    /// Whether tokens could be asked for now, as far as one cheap question shows: we can log in, and a host leads.
    fn answers(&self) -> BoxFuture<'_, Result<(), HadoopError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Which hosts of the service do not know a token that another of them has just issued.
    fn strangers_to<'a>(&'a self, _token: &'a Token) -> BoxFuture<'a, Vec<String>> {
        std::future::ready(Vec::new()).boxed()
    }
}
