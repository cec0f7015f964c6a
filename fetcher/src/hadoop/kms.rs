//! Delegation tokens of the key management server, for encryption zones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::Method;
use futures::future::{BoxFuture, FutureExt, join_all};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;

use super::caller::Caller;
use super::failover::Hosts;
use super::http::{Host, Login, Request};
use super::interval::Interval;
use super::issued::{self, encode};
use super::key_provider::{self, InvalidKeyProvider, KeyProvider};
use super::label;
use super::product::Product;
use super::webhdfs::{KeyProviderAnswer, WebHdfs};
use super::{HadoopError, Issued, TokenService};

const NAME: &str = "kms";
const PATH: &str = "/v1/";
const RENEW: &str = "RENEWDELEGATIONTOKEN";
const CANCEL: &str = "CANCELDELEGATIONTOKEN";
/// What gives its address.
const SETTING: &str = "hadoop.security.key.provider.path of the NameNodes";
/// The KMS's own default (hadoop.kms.authentication.delegation-token.renew-interval.sec).
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long «there is no KMS» is believed.
const NONE_FOR: Duration = Duration::from_secs(3600);

/// The KMS that the file systems use.
pub(super) struct Kms {
    caller: Arc<Caller>,
    file_systems: Vec<Arc<WebHdfs>>,
    /// As the configuration says, for file systems that cannot say it: routers, and Hadoop before 2.9.
    configured: Option<String>,
    /// By URI; kept for the sessions.
    known: Mutex<BTreeMap<String, Arc<Known>>>,
    /// What each file system said last, in their order, for when it is down.
    said: Mutex<Vec<Option<KeyProviderAnswer>>>,
}

/// One key provider: its members, and what they have in common.
struct Known {
    hosts: Hosts,
    interval: Interval,
}

impl Known {
    fn new(provider: &KeyProvider) -> Self {
        let hosts = hosts_of(provider);
        hosts.iter().for_each(Host::warn_if_plain);
        Self {
            hosts: Hosts::new(NAME, Product::Kms, hosts),
            interval: Interval::assumed(DAY),
        }
    }
}

impl Kms {
    pub(super) fn new(
        caller: Arc<Caller>,
        file_systems: Vec<Arc<WebHdfs>>,
        configured: Option<String>,
    ) -> Self {
        Self {
            caller,
            said: Mutex::new(vec![None; file_systems.len()]),
            file_systems,
            configured,
            known: Mutex::default(),
        }
    }

    /// As the file systems name them. One that is down must not take the others' keys away; nor does it mean that there
    /// is no KMS, which would be believed for long.
    async fn providers(&self, user: Option<&HadoopUser>) -> Result<Vec<KeyProvider>, HadoopError> {
        let asked = self.file_systems.iter().map(|it| it.key_provider(user));
        let (answers, failed) = self.with_what_they_said(join_all(asked).await);
        self.named(answers, failed)
    }

    /// Answers, with the last one of who gives none now, and why there is none at all.
    fn with_what_they_said(
        &self,
        answers: Vec<Result<KeyProviderAnswer, HadoopError>>,
    ) -> (Vec<KeyProviderAnswer>, Option<HadoopError>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = None;
        for (last, answer) in said.iter_mut().zip(answers) {
            match answer {
                Ok(answer) => *last = Some(answer),
                Err(error) if last.is_none() => failed = Some(error),
                Err(_) => {}
            }
        }
        (said.iter().flatten().cloned().collect(), failed)
    }

    /// As all of them said last; they are asked only while one has said nothing yet.
    async fn last_providers(&self) -> Result<Vec<KeyProvider>, HadoopError> {
        let said = self
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match said.into_iter().collect::<Option<Vec<_>>>() {
            Some(all) => self.named(all, None),
            None => self.providers(None).await,
        }
    }

    /// Each KMS once. A file system that names none that can be asked, or says nothing, stands only for itself.
    fn named(
        &self,
        answers: Vec<KeyProviderAnswer>,
        mut failed: Option<HadoopError>,
    ) -> Result<Vec<KeyProvider>, HadoopError> {
        let mut found: Vec<KeyProvider> = Vec::new();
        for answer in answers {
            match self.provider(answer) {
                Ok(provider) => found.extend(provider.filter(|it| !found.contains(it))),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if found.is_empty() => Err(error),
            Some(error) => {
                tracing::warn!(%error, "a file system did not say which KMS it uses");
                Ok(found)
            }
            None => Ok(found),
        }
    }

    fn provider(&self, answer: KeyProviderAnswer) -> Result<Option<KeyProvider>, HadoopError> {
        let uri = match answer {
            KeyProviderAnswer::Uri(uri) => Some(uri),
            KeyProviderAnswer::None => None,
            KeyProviderAnswer::Unknown => self.configured.clone(),
        };
        let uri = uri.filter(|uri| key_provider::has_tokens(uri));
        let provider = uri.map(|uri| uri.parse()).transpose();
        provider.map_err(|error: InvalidKeyProvider| HadoopError::BadAnswer {
            host: NAME.into(),
            what: error.to_string(),
        })
    }

    fn known(&self, provider: &KeyProvider) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let one = known
            .entry(provider.uri().to_owned())
            .or_insert_with(|| Arc::new(Known::new(provider)));
        Arc::clone(one)
    }

    /// Each member of each, with no session yet.
    pub(super) async fn servers(&self) -> Result<Vec<Host>, HadoopError> {
        let providers = self.providers(None).await?;
        Ok(providers.iter().flat_map(hosts_of).collect())
    }

    async fn get_tokens(&self, user: &HadoopUser) -> Result<Issued, HadoopError> {
        self.caller.check(user)?;
        let mut all: Option<Issued> = None;
        for provider in self.providers(Some(user)).await? {
            match (self.get_token(&provider, user).await, all.take()) {
                (Ok(one), Some(before)) => all = Some(merge(before, one)),
                (Ok(one), None) => all = Some(one),
                (Err(error), before) => {
                    self.take_back(before.as_ref()).await;
                    return Err(error);
                }
            }
        }
        Ok(all.unwrap_or_else(nothing))
    }

    /// Cancels what nobody will be given, since another KMS gave nothing. The next try asks for all of it again.
    async fn take_back(&self, issued: Option<&Issued>) {
        for token in issued.map(Issued::distinct).unwrap_or_default() {
            if let Err(error) = self.cancel(token).await {
                tracing::warn!(%error, "a token that nobody was given was not cancelled");
            }
        }
    }

    async fn get_token(
        &self,
        provider: &KeyProvider,
        user: &HadoopUser,
    ) -> Result<Issued, HadoopError> {
        let labels = label::of_key_provider(provider);
        let texts = label::texts(&labels, &self.caller.resolver).await?;
        let (name, renewer) = (encode(user.as_str()), encode(&self.caller.renewer));
        let query = format!("{PATH}?op=GETDELEGATIONTOKEN&doAs={name}&renewer={renewer}");
        let Known { hosts, interval } = &*self.known(provider);
        let request = Request::get(&query);
        let call = hosts.call(&self.caller, &request, Some(user.as_str()), |_| false);
        let (answer, host) = call.await?;
        let (token, identifier) = issued::token(&answer, host.base(), user)?;
        let copies = label::copies(&token, texts, host.base())?;
        issued::complete(self, interval, copies, &identifier).await
    }

    /// The KMS of a token is what its service text says. Without a shared store only the member that
    /// issued it knows it, so «unknown» at one is asked at the next.
    async fn on_token(
        &self,
        operation: &str,
        token: &Token,
    ) -> Result<(super::remote::Answer, String), HadoopError> {
        let provider: KeyProvider =
            token
                .service()
                .parse()
                .map_err(|error: InvalidKeyProvider| HadoopError::Unknown {
                    service: NAME.into(),
                    message: error.to_string(),
                    perhaps_a_stranger: false,
                })?;
        let query = issued::token_query(PATH, operation, token);
        let Known { hosts, .. } = &*self.known(&provider);
        let request = Request::put(&query);
        let call = hosts.call(&self.caller, &request, None, HadoopError::lost);
        let (answer, host) = call.await?;
        Ok((answer, host.base().to_owned()))
    }
}

/// GETDELEGATIONTOKEN itself sets no cookie, so the session comes from another operation.
fn hosts_of(provider: &KeyProvider) -> Vec<Host> {
    let login = Login {
        method: Method::OPTIONS,
        path: PATH,
    };
    let members = provider.members();
    members
        .map(|(base, name)| Host::new(base, name, SETTING, login.clone()))
        .collect()
}

/// Several KMS count as one service: the first to expire decides.
fn merge(mut all: Issued, one: Issued) -> Issued {
    all.tokens.extend(one.tokens);
    all.issued_at = all.issued_at.min(one.issued_at);
    all.renewed_at = all.renewed_at.min(one.renewed_at);
    all.expires_at = all.expires_at.min(one.expires_at);
    all.max_date = all.max_date.min(one.max_date);
    all
}

/// A cluster without a KMS: asked again after a while.
fn nothing() -> Issued {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let until = millis(now + NONE_FOR);
    Issued {
        tokens: Vec::new(),
        issued_at: millis(now),
        renewed_at: millis(now),
        expires_at: until,
        max_date: until,
        sequence_number: 0,
    }
}

impl TokenService for Kms {
    fn name(&self) -> &str {
        NAME
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        self.get_tokens(user).boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async move {
            let (answer, host) = self.on_token(RENEW, token).await?;
            issued::renewed_until(&answer, &host)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            let cancelled = self.on_token(CANCEL, token).await.map(drop);
            if !cancelled.as_ref().is_err_and(HadoopError::lost) {
                return cancelled;
            }
            // A stranger to the token says the same as the one that had it; asked to renew it, they differ.
            match self.on_token(RENEW, token).await {
                Ok(_) => issued::gone(self.on_token(CANCEL, token).await.map(drop)),
                Err(error) if error.next_host() => Err(error),
                Err(_) => Ok(()),
            }
        }
        .boxed()
    }

    /// Without a shared store only one of the KMS knows it, as in [`Kms::on_token`].
    fn is_known<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        async move {
            let Ok(provider) = token.service().parse() else {
                return Ok(true);
            };
            let text = token.to_url_string();
            let options = Request::new(Method::OPTIONS, PATH).secret(issued::OWNER, text.expose());
            let (known, request) = (self.known(&provider), options.by_token());
            let call = known
                .hosts
                .call(&self.caller, &request, None, HadoopError::lost);
            let used = match call.await {
                // One that is away may have issued it; one that has its key knows what became of it, asked to renew it.
                Err(error) if error.next_host() => self.on_token(RENEW, token).await.map(drop),
                used => used.map(drop),
            };
            issued::known(used)
        }
        .boxed()
    }

    fn answers(&self) -> BoxFuture<'_, Result<(), HadoopError>> {
        async {
            let request = Request::new(Method::OPTIONS, PATH);
            for provider in self.last_providers().await? {
                let Known { hosts, .. } = &*self.known(&provider);
                hosts.call(&self.caller, &request, None, |_| false).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn strangers_to<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Vec<String>> {
        async move {
            let Ok(provider) = token.service().parse() else {
                return Vec::new();
            };
            let query = issued::token_query(PATH, RENEW, token);
            let Known { hosts, .. } = &*self.known(&provider);
            let answers = hosts.each(&self.caller, &Request::put(&query)).await;
            let strangers = answers
                .into_iter()
                .filter(|(_, answer)| answer.as_ref().is_err_and(HadoopError::lost));
            strangers.map(|(host, _)| host.base().to_owned()).collect()
        }
        .boxed()
    }
}
