//! A Hadoop that knows its tokens by number, and a fate that strikes processes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::{BoxFuture, pending};
use kube2hadoop_client::credentials::{Identifier, Token};
use kube2hadoop_stamp::HadoopUser;

use super::*;
use crate::hadoop::{HadoopError, Issued};

/// After what the process dies: the effect is there, and nobody hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lifecycle::run::tests) enum Crash {
    Renew,
    Cancel,
    Put,
    Delete,
}

#[derive(Default)]
pub(in crate::lifecycle::run::tests) struct Fate {
    pub(in crate::lifecycle::run::tests) planned: Mutex<Option<Crash>>,
    pub(in crate::lifecycle::run::tests) struck: AtomicBool,
}

impl Fate {
    pub(in crate::lifecycle::run::tests) async fn meet(&self, here: Crash) {
        let met = {
            let mut planned = self.planned.lock().unwrap();
            let met = *planned == Some(here);
            if met {
                *planned = None;
            }
            met
        };
        if met {
            self.struck.store(true, Ordering::SeqCst);
            pending::<()>().await;
        }
    }
}

/// Token number → until when it works.
pub(in crate::lifecycle::run::tests) struct Hadoop {
    pub(super) tokens: Mutex<BTreeMap<i32, u64>>,
    pub(in crate::lifecycle::run::tests) renewals: AtomicUsize,
    pub(in crate::lifecycle::run::tests) down: AtomicBool,
    pub(super) clock: Clock,
    pub(super) fate: Arc<Fate>,
}

impl Hadoop {
    pub(in crate::lifecycle::run::tests) fn known(&self) -> usize {
        self.tokens.lock().unwrap().len()
    }

    pub(in crate::lifecycle::run::tests) fn alive(&self, now: u64) -> usize {
        self.tokens
            .lock()
            .unwrap()
            .values()
            .filter(|until| now < **until)
            .count()
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
            })?;
        let most = u64::try_from(identifier.max_date).unwrap();
        *until = (self.clock.now_millis() + DAY).min(most);
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
        let mut tokens = self.tokens.lock().unwrap();
        let now = self.clock.now_millis();
        let number = i32::try_from(tokens.len()).unwrap() + 1;
        tokens.insert(number, now + DAY);
        let identifier = Identifier {
            owner: user.to_string(),
            renewer: "k2h".into(),
            real_user: String::new(),
            issue_date: i64::try_from(now).unwrap(),
            max_date: i64::try_from(now + 7 * DAY).unwrap(),
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
            expires_at: now + DAY,
            max_date: now + 7 * DAY,
            sequence_number: number,
        };
        async { Ok(issued) }.boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async move {
            let until = self.renewed(token)?;
            self.fate.meet(Crash::Renew).await;
            Ok(until)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            self.cancelled(token)?;
            self.fate.meet(Crash::Cancel).await;
            Ok(())
        }
        .boxed()
    }
}
