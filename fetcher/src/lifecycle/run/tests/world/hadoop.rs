//! A Hadoop that knows its tokens by number.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};

use futures::future::BoxFuture;
use kube2hadoop_client::credentials::{Identifier, Token};
use kube2hadoop_stamp::HadoopUser;

use super::*;
use crate::hadoop::{HadoopError, Issued};

/// Token number → until when it works.
pub(in crate::lifecycle::run::tests) struct Hadoop {
    pub(super) tokens: Mutex<BTreeMap<i32, u64>>,
    pub(in crate::lifecycle::run::tests) renewals: AtomicUsize,
    pub(in crate::lifecycle::run::tests) down: AtomicBool,
    pub(super) issued: AtomicI32,
    /// How many seconds an issue takes.
    pub(in crate::lifecycle::run::tests) slow: AtomicU64,
    pub(super) interval: u64,
    /// Its clock's lead over ours, in milliseconds.
    pub(in crate::lifecycle::run::tests) ahead: i64,
    pub(super) clock: Clock,
}

impl Hadoop {
    /// Those that were not cancelled, by number; it keeps what has ended.
    pub(in crate::lifecycle::run::tests) fn known(&self) -> Vec<i32> {
        self.tokens.lock().unwrap().keys().copied().collect()
    }

    /// Those that work now, by number.
    pub(in crate::lifecycle::run::tests) fn working(&self) -> Vec<i32> {
        let (tokens, now) = (self.tokens.lock().unwrap(), self.now());
        let working = tokens.iter().filter(|(_, until)| now < **until);
        working.map(|(number, _)| *number).collect()
    }

    pub(in crate::lifecycle::run::tests) fn alive(&self) -> usize {
        self.working().len()
    }

    /// How many there ever were.
    pub(in crate::lifecycle::run::tests) fn issued(&self) -> i32 {
        self.issued.load(Ordering::SeqCst)
    }

    fn now(&self) -> u64 {
        self.clock.now_millis().saturating_add_signed(self.ahead)
    }

    pub(in crate::lifecycle::run::tests) fn forget(&self) {
        self.tokens.lock().unwrap().clear();
    }

    fn answer(&self) -> Result<(), HadoopError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(HadoopError::AllStandby {
                service: "ns1".into(),
            });
        }
        Ok(())
    }

    fn renewed(&self, token: &Token) -> Result<u64, HadoopError> {
        self.answer()?;
        let identifier = token.parse_identifier().unwrap();
        let mut tokens = self.tokens.lock().unwrap();
        let until = tokens
            .get_mut(&identifier.sequence_number)
            .ok_or(HadoopError::Unknown {
                service: "ns1".into(),
                message: "Renewal request for unknown token".into(),
                perhaps_a_stranger: false,
            })?;
        let most = u64::try_from(identifier.max_date).unwrap();
        *until = (self.now() + self.interval).min(most);
        self.renewals.fetch_add(1, Ordering::SeqCst);
        Ok(*until)
    }

    fn cancelled(&self, token: &Token) -> Result<(), HadoopError> {
        self.answer()?;
        let number = token.parse_identifier().unwrap().sequence_number;
        self.tokens.lock().unwrap().remove(&number);
        Ok(())
    }
}

impl TokenService for Hadoop {
    fn name(&self) -> &str {
        "ns1"
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        if let Err(error) = self.answer() {
            return async { Err(error) }.boxed();
        }
        let now = self.now();
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let (expires_at, max_date) = (now + self.interval, now + 7 * self.interval);
        self.tokens.lock().unwrap().insert(number, expires_at);
        let identifier = Identifier {
            owner: user.to_string(),
            renewer: "k2h".into(),
            real_user: String::new(),
            issue_date: i64::try_from(now).unwrap(),
            max_date: i64::try_from(max_date).unwrap(),
            sequence_number: number,
            master_key_id: 1,
        };
        let (bytes, password) = (identifier.to_bytes(), b"secret".to_vec());
        let token = Token::new(
            bytes.into(),
            password.into(),
            "HDFS_DELEGATION_TOKEN",
            "ha-hdfs:ns1",
        );
        let issued = Issued {
            tokens: vec![("ha-hdfs:ns1".into(), token.unwrap())],
            issued_at: now,
            renewed_at: now,
            expires_at,
            max_date,
            sequence_number: number,
        };
        let slow = Duration::from_secs(self.slow.load(Ordering::SeqCst));
        async move {
            tokio::time::sleep(slow).await;
            Ok(issued)
        }
        .boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async { self.renewed(token) }.boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async { self.cancelled(token) }.boxed()
    }

    fn is_known<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        let number = token.parse_identifier().unwrap().sequence_number;
        let known = self.known().contains(&number);
        async move { self.answer().map(|()| known) }.boxed()
    }
}
