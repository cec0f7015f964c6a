//! HTTP towards Hadoop: Kerberos once, then the `hadoop.auth` cookie, kept for each host by hand.
//!
//! A cookie jar is no use: the KMS sets its cookie for a directory only, and an empty one on errors.

mod headers;
mod host;
mod request;

use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use ::http::header::{CONTENT_TYPE, DATE, HeaderMap};
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use super::HadoopError;
use super::patience::Patience;
use super::realms::Realms;
use super::remote::{self, Answer};
use super::spnego::{Negotiate, SpnegoError};
use super::trust::{self, HttpSetupError, Trust};
use headers::{Cookie, Header};

pub use host::{Host, Login};
pub(super) use request::Request;

/// Far above any answer of ours; a mistaken address may serve anything.
const MAX_BODY: usize = 1024 * 1024;
/// Idle connections are dropped before Jetty closes them under a request.
const IDLE: Duration = Duration::from_secs(8);
const MAX_REPLAYS: u32 = 3;

/// One client for all hosts.
pub struct Http {
    client: reqwest::Client,
    negotiate: Arc<dyn Negotiate>,
    patience: Patience,
    timeout: Duration,
}

impl Http {
    /// `timeout` is for one call to one host; hosts of one of the realms share a KDC.
    ///
    /// # Errors
    /// CA certificates that cannot be read.
    pub fn new(
        trust: Trust<'_>,
        timeout: Duration,
        negotiate: Arc<dyn Negotiate>,
        realms: Realms,
    ) -> Result<Self, HttpSetupError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::client_config(trust.ca_file)?)
            .https_only(trust.https_only)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout)
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self {
            client,
            negotiate,
            patience: Patience::new(timeout, realms),
            timeout,
        })
    }

    /// What the server's clock shows. Hadoop dates only what it answers to somebody it knows.
    pub(super) async fn date(&self, host: &Host) -> Result<Option<String>, HadoopError> {
        let cookie = self.session(host, None).await?;
        let login = Request::new(host.login.method.clone(), host.login.path);
        let (headers, _) = self.send(host, &login, headers::session(&cookie)).await?;
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.map(str::to_owned))
    }

    /// Calls with our session, made or renewed where there is none; by token without one.
    pub(super) async fn call(
        &self,
        host: &Host,
        request: &Request<'_>,
    ) -> Result<Answer, HadoopError> {
        if request.is_by_token() {
            return Ok(self.send(host, request, None).await?.1);
        }
        let cookie = match host.cookie() {
            Some(cookie) => cookie,
            None => self.session(host, None).await?,
        };
        let answer = self.send(host, request, headers::session(&cookie)).await?.1;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The server restarted, or the cookie's ten hours are over.
        let cookie = self.session(host, Some(&cookie)).await?;
        let answer = self.send(host, request, headers::session(&cookie)).await?.1;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(remote::ticket_refused(&host.base, &answer));
        }
        Ok(answer)
    }

    /// A session, in bounded time: whoever waits for somebody else's login waits no longer than for its own.
    async fn session(&self, host: &Host, stale: Option<&Cookie>) -> Result<Cookie, HadoopError> {
        let made = tokio::time::timeout(self.timeout * 2, self.log_in(host, stale)).await;
        made.unwrap_or_else(|_| Err(Arc::new(SpnegoError::Timeout).into()))
    }

    /// Makes a session unless somebody else just did.
    async fn log_in(&self, host: &Host, stale: Option<&Cookie>) -> Result<Cookie, HadoopError> {
        let _turn = host.logging_in.lock().await;
        if let Some(cookie) = host
            .cookie()
            .filter(|cookie| stale.is_none_or(|old| !Arc::ptr_eq(old, cookie)))
        {
            return Ok(cookie);
        }
        let mut left = MAX_REPLAYS;
        let cookie = loop {
            left -= 1;
            match self.exchange(host).await {
                Err(error) if left > 0 && remote::is_replay(&error) => {}
                other => break other?,
            }
        };
        host.keep(Arc::clone(&cookie));
        Ok(cookie)
    }

    /// One Kerberos exchange, both ways.
    async fn exchange(&self, host: &Host) -> Result<Cookie, HadoopError> {
        let started = self.patience.start(&*self.negotiate, &host.name).await;
        let started = started.map_err(Arc::new)?;
        let ticket = headers::ticket(started.token());
        let login = Request::new(host.login.method.clone(), host.login.path);
        let (told, answer) = self.send(host, &login, ticket).await?;
        let Some(cookie) = headers::auth_cookie(&told) else {
            return Err(remote::ticket_refused(&host.base, &answer));
        };
        let proof = headers::server_token(&told).ok_or_else(|| SpnegoError::NotMutual {
            host: host.name.clone(),
            text: "its answer has no Kerberos token".into(),
        });
        let lasts = started.finish(proof.map_err(Arc::new)?).await;
        self.patience
            .got_ticket(&host.name, lasts.map_err(Arc::new)?);
        Ok(Arc::new(cookie))
    }

    async fn send(
        &self,
        host: &Host,
        asked: &Request<'_>,
        login: Option<Header>,
    ) -> Result<(HeaderMap, Answer), HadoopError> {
        let url = format!("{}{}", host.base, asked.path);
        let mut request = self.client.request(asked.method.clone(), url);
        for (name, value) in login.into_iter().chain(asked.secret.clone()) {
            request = request.header(name, value);
        }
        if let Some(json) = &asked.json {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(json.clone());
        }
        // A URL may hold a token: it never gets into a message.
        let failed = |error: reqwest::Error| host.unreachable(describe(error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                let what = format!("more than {MAX_BODY} bytes");
                return Err(HadoopError::BadAnswer {
                    host: host.base.clone(),
                    what,
                });
            }
            body.extend_from_slice(&chunk);
        }
        let phrase = response.extensions().get::<hyper::ext::ReasonPhrase>();
        let reason = phrase.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        let answer = Answer {
            status: response.status(),
            reason,
            body,
        };
        Ok((std::mem::take(response.headers_mut()), answer))
    }
}

fn describe(error: reqwest::Error) -> String {
    let text = crate::chain::text(&error);
    if text.contains("UnknownIssuer") {
        return format!("{text}; put its CA into hadoop.caFile (the chart's hadoop.ca)");
    }
    if text.contains("URL scheme is not allowed") {
        return "it is reached by http, and hadoop.requireHttps is true: serve https there".into();
    }
    if error.is_timeout() {
        "no answer in time".into()
    } else {
        text
    }
}
