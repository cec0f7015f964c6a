//! A KDC that falls silent after it gave a ticket: whose server takes that needs none.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Instant;

use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use kube2hadoop_fetcher::hadoop::HadoopServices;
use libgssapi::context::ServerCtx;

use crate::doctor::site;
use crate::kdc::{Kdc, REALM};
use crate::process::{Process, serve};
use crate::silent::{self, LIMIT, OURS};

/// What becomes of each question, for there are no tokens.
pub(crate) const LOGGED_IN: &str = "refused our Kerberos ticket: 401";

/// Not a test: what a [`Process`] does.
#[test]
#[ignore = "a process of the tests beside it"]
fn process() {
    ask_as_one_of(REALM);
}

/// Asks the named service for a token, and says what that came to.
pub(crate) fn ask_as_one_of(realm: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let port = listen(Router::new().fallback(accept)).port();
    let services = services(port, realm);
    let alice = "alice".parse().unwrap();
    serve(|name| {
        let service = services.get(name).unwrap();
        let issued = runtime.block_on(service.issue(&alice));
        issued.map_or_else(|error| error.to_string(), |_| "a token".into())
    });
}

/// Serves it in the background, on a free port.
pub(crate) fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

/// Takes every ticket, and believes no cookie: who asks must log in each time.
pub(crate) async fn accept(headers: HeaderMap) -> Response {
    let said = headers
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap());
    let Some(token) = said.and_then(|text| text.strip_prefix("Negotiate ")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let token = STANDARD.decode(token).unwrap();
    let proof = ServerCtx::new(None).step(&token, None).unwrap().unwrap();
    let proof = format!("Negotiate {}", STANDARD.encode(&*proof));
    [
        (SET_COOKIE, "hadoop.auth=x".to_owned()),
        (WWW_AUTHENTICATE, proof),
    ]
    .into_response()
}

/// Two of one realm, at that port.
fn services(port: u16, realm: &str) -> HadoopServices {
    let conf = tempfile::tempdir().unwrap();
    let core = site(&[("hadoop.security.authentication", "kerberos")]);
    let hdfs = site(&[
        ("dfs.nameservices", "asked,other"),
        ("dfs.namenode.rpc-address.asked", "localhost:8020"),
        (
            "dfs.namenode.http-address.asked",
            &format!("localhost:{port}"),
        ),
        ("dfs.namenode.rpc-address.other", "other.localhost:8020"),
        (
            "dfs.namenode.http-address.other",
            &format!("other.localhost:{port}"),
        ),
    ]);
    fs::write(conf.path().join("core-site.xml"), core).unwrap();
    fs::write(conf.path().join("hdfs-site.xml"), hdfs).unwrap();
    let krb5_conf = std::env::var("KRB5_CONFIG").unwrap();
    let krb5_conf = fs::read_to_string(krb5_conf).unwrap();
    silent::services(conf.path(), krb5_conf, realm)
}

#[test]
fn a_server_whose_ticket_is_at_hand_is_asked_while_the_kdc_is_silent() {
    let kdc = Kdc::start();
    let keytab = kdc.keytab_of(OURS);
    kdc.export("HTTP/localhost", &keytab);
    let conf = kdc.conf_of(&[kdc.address()]);
    let mut process = Process::start("at_hand::process", &conf, &keytab);
    let answer = process.answer("asked");
    assert!(answer.contains(LOGGED_IN), "{answer}");

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let _tcp = TcpListener::bind(address).unwrap();
    fs::copy(kdc.conf_of(&[&address.to_string()]), &conf).unwrap();
    let answer = process.answer("other");
    assert!(
        answer.contains("Kerberos did not answer in time"),
        "{answer}"
    );
    let asked = Instant::now();
    let answer = process.answer("asked");
    let took = asked.elapsed();
    assert!(
        answer.contains(LOGGED_IN) && took < LIMIT / 2,
        "{took:?}: {answer}"
    );
    let answer = process.answer("other");
    assert!(answer.contains("no KDC answered at 20"), "{answer}");
}
