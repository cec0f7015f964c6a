//! HTTP towards Hadoop: Kerberos once, then the `hadoop.auth` cookie, kept for each host by hand.
//!
//! A cookie jar is no use: the KMS sets its cookie for a directory only, and an empty one on errors.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::http::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
    WWW_AUTHENTICATE,
};
use ::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use super::HadoopError;
use super::patience::Patience;
use super::realms::Realms;
use super::remote::{self, Answer};
use super::spnego::{Negotiate, SpnegoError};
use super::trust::{self, HttpSetupError, Trust};

/// Far above any answer of ours; a mistaken address may serve anything.
const MAX_BODY: usize = 1024 * 1024;
/// Idle connections are dropped before Jetty closes them under a request.
const IDLE: Duration = Duration::from_secs(8);
const MAX_REPLAYS: u32 = 3;

type Cookie = Arc<Zeroizing<String>>;

/// One server, and our session with it.
pub struct Host {
    /// `http(s)://host:port`, and for the KMS its path.
    base: String,
    /// For `HTTP@name`.
    name: String,
    /// What gives the address, for messages.
    setting: String,
    login: Login,
    cookie: RwLock<Option<Cookie>>,
    /// One login at a time; who waits takes the cookie that it brought.
    logging_in: tokio::sync::Mutex<()>,
}

/// What is asked only for its cookie; the KMS sets none on GETDELEGATIONTOKEN.
#[derive(Debug, Clone)]
pub struct Login {
    pub method: Method,
    pub path: &'static str,
}

impl Login {
    pub(super) const fn get(path: &'static str) -> Self {
        let method = Method::GET;
        Self { method, path }
    }
}

impl Host {
    /// A host at `base` (scheme, name and port), not logged in at yet; `name` and `setting` are for messages.
    #[must_use]
    pub fn new(
        base: impl Into<String>,
        name: impl Into<String>,
        setting: impl Into<String>,
        login: Login,
    ) -> Self {
        Self {
            base: base.into(),
            name: name.into(),
            setting: setting.into(),
            login,
            cookie: RwLock::default(),
            logging_in: tokio::sync::Mutex::default(),
        }
    }

    /// For messages.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Its name in Kerberos: `HTTP/name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What gives its address.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// Whether it is reached by http: who sees the wire has our session there, and the tokens.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.base.starts_with("http:")
    }

    /// Tells so in the log.
    pub fn warn_if_plain(&self) {
        if self.is_plain() {
            tracing::warn!(
                server = self.base,
                "reached by http: who sees the wire has our session there, and the tokens; hadoop.requireHttps refuses it"
            );
        }
    }

    fn cookie(&self) -> Option<Cookie> {
        self.cookie
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn unreachable(&self, reason: impl std::fmt::Display) -> HadoopError {
        HadoopError::Unreachable {
            service: self.base.clone(),
            tried: format!("{}: {reason}; {}", self.base, self.setting),
        }
    }
}

/// What is asked of one host, and of the next.
pub(super) struct Request<'a> {
    method: Method,
    /// Path and query.
    path: &'a str,
    json: Option<String>,
    secret: Option<Header>,
    logs_in: bool,
}

type Header = (HeaderName, HeaderValue);

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            json: None,
            secret: None,
            logs_in: true,
        }
    }

    pub(super) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn put(path: &'a str) -> Self {
        Self::new(Method::PUT, path)
    }

    /// With a body.
    pub(super) fn json(self, json: String) -> Self {
        Self {
            json: Some(json),
            ..self
        }
    }

    /// With a header that nobody may see.
    pub(super) fn secret(self, name: HeaderName, value: &str) -> Self {
        let value = secret_header(value);
        Self {
            secret: value.map(|value| (name, value)),
            ..self
        }
    }

    /// Without anything of ours: it holds a token, and who it is for is what that says. Needs no KDC.
    pub(super) fn by_token(self) -> Self {
        Self {
            logs_in: false,
            ..self
        }
    }

    pub(super) fn is_by_token(&self) -> bool {
        !self.logs_in
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn cancels(&self) -> bool {
        self.path.contains("op=CANCELDELEGATIONTOKEN")
    }
}

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
        let (headers, _) = self.send(host, &login, cookie_header(&cookie)).await?;
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
        let answer = self.send(host, request, cookie_header(&cookie)).await?.1;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The server restarted, or the cookie's ten hours are over.
        let cookie = self.session(host, Some(&cookie)).await?;
        let answer = self.send(host, request, cookie_header(&cookie)).await?.1;
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
        *host.cookie.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&cookie));
        Ok(cookie)
    }

    /// One Kerberos exchange, both ways.
    async fn exchange(&self, host: &Host) -> Result<Cookie, HadoopError> {
        let started = self.patience.start(&*self.negotiate, &host.name).await;
        let started = started.map_err(Arc::new)?;
        let token = Zeroizing::new(format!("Negotiate {}", STANDARD.encode(started.token())));
        let header = secret_header(&token).map(|value| (AUTHORIZATION, value));
        let login = Request::new(host.login.method.clone(), host.login.path);
        let (headers, answer) = self.send(host, &login, header).await?;
        let Some(cookie) = auth_cookie(&headers) else {
            return Err(remote::ticket_refused(&host.base, &answer));
        };
        let proof = server_token(&headers).ok_or_else(|| SpnegoError::NotMutual {
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

fn cookie_header(cookie: &Cookie) -> Option<Header> {
    secret_header(cookie).map(|value| (COOKIE, value))
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `hadoop.auth=…` with its value, quotes and all; an empty value is Hadoop's way to say «no cookie».
fn auth_cookie(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    headers.get_all(SET_COOKIE).iter().find_map(|header| {
        let pair = header.to_str().ok()?.split(';').next()?.trim();
        let value = pair.strip_prefix("hadoop.auth=")?;
        (!value.trim_matches('"').is_empty()).then(|| Zeroizing::new(pair.to_owned()))
    })
}

fn server_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|header| {
        let token = header.to_str().ok()?.strip_prefix("Negotiate ")?.trim();
        STANDARD
            .decode(token)
            .ok()
            .filter(|token| !token.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cookies_are_no_cookies() {
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(SET_COOKIE, HeaderValue::from_static(line));
            }
            auth_cookie(&headers).map(|cookie| cookie.to_string())
        };
        assert_eq!(read(&["hadoop.auth=; Path=/; HttpOnly"]), None);
        assert_eq!(read(&["hadoop.auth=\"\"; Path=/"]), None);
        assert_eq!(read(&["other=1"]), None);
        let cookie = read(&[
            "a=b",
            "hadoop.auth=\"u=k&p=k@R&s=x=\"; Path=/kms/v1/; Secure",
        ]);
        assert_eq!(cookie.unwrap(), "hadoop.auth=\"u=k&p=k@R&s=x=\"");
    }

    #[test]
    fn a_bare_negotiate_is_no_proof() {
        let read = |line| {
            server_token(&HeaderMap::from_iter([(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(line),
            )]))
        };
        assert_eq!(read("Negotiate"), None);
        assert_eq!(read("Negotiate !"), None);
        assert_eq!(read("Negotiate b2s=").unwrap(), b"ok");
    }
}
