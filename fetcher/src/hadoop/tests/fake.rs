//! A NameNode and KMS as far as tokens go, on loopback, and a Kerberos of two words.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{BoxFuture, FutureExt};
use kube2hadoop_client::credentials::{Identifier, Token};
use tokio::net::TcpListener;

use crate::hadoop::spnego::{Exchange, Negotiate, SpnegoError};

/// When the fake issues, and how long its tokens live.
pub(super) const ISSUED: u64 = 1_700_000_000_000;
pub(super) const INTERVAL: u64 = 60_000;
pub(super) const LIFE: u64 = 180_000;
const NO_COOKIE: &str = "hadoop.auth=; Path=/";
/// How long a ticket serves.
const TICKET: Duration = Duration::from_secs(36_000);

/// One recorded answer: status, body.
pub(super) type Recorded = (u16, &'static str);

/// A server of recorded answers; where there are none (left), it issues.
#[derive(Default)]
pub(super) struct Fake {
    /// Told first to last, after authentication.
    pub(super) script: Mutex<VecDeque<Recorded>>,
    /// Told every time.
    pub(super) always: Mutex<Option<Recorded>>,
    pub(super) key_provider: Mutex<String>,
    /// By how many milliseconds its interval is longer than [`INTERVAL`].
    pub(super) longer: Mutex<u64>,
    /// Sessions so far; only the last one's cookie counts.
    pub(super) logins: Mutex<u32>,
    /// Refuses so many tickets as replays.
    pub(super) replays: Mutex<u32>,
    /// Answers without proof of who it is.
    pub(super) impostor: Mutex<bool>,
    /// Method and query of what was asked with a good cookie.
    pub(super) seen: Mutex<Vec<String>>,
}

impl Fake {
    /// Starts it on a free port.
    pub(super) async fn start(self) -> (Arc<Self>, SocketAddr) {
        let fake = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Arc::clone(&fake).serve(listener);
        (fake, address)
    }

    pub(super) fn serve(self: Arc<Self>, listener: TcpListener) {
        let router = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    pub(super) fn asked(&self, what: &str) -> usize {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .filter(|it| it.contains(what))
            .count()
    }

    fn log_in(&self, token: &str) -> Response {
        let replay = std::mem::take(&mut *self.replays.lock().unwrap());
        if replay > 0 {
            *self.replays.lock().unwrap() = replay - 1;
            return response(
                403,
                "<title>Error 403 GSSException: (Mechanism level: Request is a replay (34))</title>",
            );
        }
        let mut logins = self.logins.lock().unwrap();
        *logins += 1;
        let cookie = format!("hadoop.auth=\"u=k2h&s={logins}\"; Path=/; HttpOnly");
        let mut answer = response(200, "");
        answer
            .headers_mut()
            .insert(SET_COOKIE, cookie.parse().unwrap());
        if !*self.impostor.lock().unwrap() {
            let proof = format!("Negotiate {}", STANDARD.encode(format!("proof of {token}")));
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, proof.parse().unwrap());
        }
        answer
    }

    fn operate(&self, method: &Method, query: &str) -> Response {
        self.seen.lock().unwrap().push(format!("{method} {query}"));
        let recorded = self
            .script
            .lock()
            .unwrap()
            .pop_front()
            .or(*self.always.lock().unwrap());
        if let Some((status, body)) = recorded {
            let mut answer = response(status, body);
            // As a KMS does with what it refuses, though the session goes on.
            answer
                .headers_mut()
                .insert(SET_COOKIE, HeaderValue::from_static(NO_COOKIE));
            return answer;
        }
        match (method.as_str(), query) {
            ("GET", query) if query.contains("op=GETDELEGATIONTOKEN") => {
                response(200, &issue(query))
            }
            ("GET", query) if query.contains("op=GETSERVERDEFAULTS") => {
                let uri = self.key_provider.lock().unwrap();
                response(
                    200,
                    &format!(
                        "{{\"FsServerDefaults\":{{\"blockSize\":1,\"keyProviderUri\":\"{uri}\"}}}}"
                    ),
                )
            }
            // A ResourceManager of its cluster.
            ("GET", "") => response(200, r#"{"clusterInfo":{"haState":"ACTIVE"}}"#),
            ("GET", query) if query.contains("delegation=") => {
                response(200, r#"{"Path":"/user/alice"}"#)
            }
            // A KMS describes itself.
            ("OPTIONS", _) => response(200, "<application/>"),
            ("PUT", query) if query.contains("op=RENEW") => {
                let until = ISSUED + INTERVAL + *self.longer.lock().unwrap();
                response(200, &format!("{{\"long\":{until}}}"))
            }
            ("PUT", query) if query.contains("op=CANCEL") => response(200, ""),
            ("POST", query) if query.contains("doAs=") => {
                response(200, &manager_issue(owner(query)))
            }
            ("POST", _) => {
                let until = ISSUED + INTERVAL;
                response(200, &format!("{{\"expiration-time\":{until}}}"))
            }
            ("DELETE", _) => response(200, ""),
            _ => response(
                400,
                "{\"RemoteException\":{\"exception\":\"IllegalArgumentException\",\"message\":\"op\"}}",
            ),
        }
    }
}

async fn answer(
    State(fake): State<Arc<Fake>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value: &::http::HeaderValue| value.to_str().ok())
    };
    let query = uri.query().unwrap_or_default();
    if query.contains("delegation=") || headers.contains_key("x-hadoop-delegation-token") {
        assert!(header(AUTHORIZATION).is_none() && header(COOKIE).is_none());
        return fake.operate(&method, query);
    }
    if let Some(token) = header(AUTHORIZATION).and_then(|text| text.strip_prefix("Negotiate ")) {
        let token = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
        return fake.log_in(&token);
    }
    let session = *fake.logins.lock().unwrap();
    if session == 0 || header(COOKIE) != Some(&format!("hadoop.auth=\"u=k2h&s={session}\"")) {
        let mut answer = response(
            401,
            "<html><title>Error 401 Authentication required</title></html>",
        );
        answer
            .headers_mut()
            .insert(WWW_AUTHENTICATE, "Negotiate".parse().unwrap());
        answer
            .headers_mut()
            .insert(SET_COOKIE, HeaderValue::from_static(NO_COOKIE));
        return answer;
    }
    fake.operate(&method, query)
}

fn response(status: u16, body: &str) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn owner(query: &str) -> &str {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("doas=").or(pair.strip_prefix("doAs=")))
        .unwrap()
}

/// A ResourceManager's identifier: protobuf, the two dates as in [`issue`].
pub(super) fn manager_identifier(owner: &str) -> Vec<u8> {
    let varint = |mut number: u64| {
        let mut bytes = Vec::new();
        while number > 0x7f {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let (issued, max) = (varint(ISSUED), varint(ISSUED + LIFE));
    let owner = [&[0x0a, owner.len() as u8], owner.as_bytes()].concat();
    [
        &owner,
        &b"\x12\x03k2h\x1a\x00\x20"[..],
        &issued,
        b"\x28",
        &max,
        b"\x30\x07\x38\x01",
    ]
    .concat()
}

/// As a ResourceManager does: the service stays empty.
pub(super) fn manager_issue(owner: &str) -> String {
    let token = Token::new(
        manager_identifier(owner).into(),
        b"pw".to_vec().into(),
        "RM_DELEGATION_TOKEN",
        "",
    )
    .unwrap();
    format!(
        "{{\"token\":\"{}\",\"owner\":\"{owner}\",\"kind\":\"RM_DELEGATION_TOKEN\",\"expiration-time\":{},\"max-validity\":{}}}",
        token.to_url_string().expose(),
        ISSUED + INTERVAL,
        ISSUED + LIFE,
    )
}

/// As WebHDFS does: owner from doas, service of its own.
fn issue(query: &str) -> String {
    let identifier = Identifier {
        owner: owner(query).to_owned(),
        renewer: "k2h".into(),
        real_user: String::new(),
        issue_date: ISSUED as i64,
        max_date: (ISSUED + LIFE) as i64,
        sequence_number: 7,
        master_key_id: 1,
    };
    let token = Token::new(
        identifier.to_bytes().into(),
        b"pw".to_vec().into(),
        "WEBHDFS delegation",
        "x",
    )
    .unwrap();
    format!(
        "{{\"Token\":{{\"urlString\":\"{}\"}}}}",
        token.to_url_string().expose()
    )
}

/// Gives numbered tickets.
#[derive(Default)]
pub(super) struct FakeKerberos {
    pub(super) tickets: Mutex<u32>,
    /// Gives none, and never says so.
    pub(super) silent: Mutex<bool>,
}

struct FakeExchange(String);

impl Negotiate for FakeKerberos {
    fn start<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
        if *self.silent.lock().unwrap() {
            return futures::future::pending().boxed();
        }
        let mut tickets = self.tickets.lock().unwrap();
        *tickets += 1;
        let exchange = FakeExchange(format!("ticket {tickets} for {host}"));
        async move { Ok(Box::new(exchange) as Box<dyn Exchange>) }.boxed()
    }
}

/// A KDC behind a firewall.
pub(super) struct DeadKerberos;

impl Negotiate for DeadKerberos {
    fn start<'a>(
        &'a self,
        _host: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
        futures::future::pending().boxed()
    }
}

impl Exchange for FakeExchange {
    fn token(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn finish(
        self: Box<Self>,
        answer: Vec<u8>,
    ) -> BoxFuture<'static, Result<Duration, SpnegoError>> {
        let good = answer == format!("proof of {}", self.0).into_bytes();
        let error = SpnegoError::NotMutual {
            host: "h".into(),
            text: "wrong proof".into(),
        };
        async move { good.then_some(TICKET).ok_or(error) }.boxed()
    }
}
