//! A server that says what it is told to say, in LDAP over TLS. The real one is asked by the end-to-end tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ldap3::asn1::{StructureTag, parse_tag};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const BIND: u64 = 0;
const SEARCH: u64 = 3;

/// What it says. Result codes are those of RFC 4511, appendix A.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) start_tls: bool,
    /// To who binds with another password than this one.
    pub(super) password: &'static str,
    pub(super) entries: usize,
    pub(super) references: usize,
    pub(super) search: u8,
    pub(super) closes_after_a_search: bool,
    pub(super) never_answers: bool,
}

pub(super) struct Fake {
    pub(super) port: u16,
    /// Its certificate, which is its own CA.
    pub(super) ca: String,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) script: Arc<Mutex<Script>>,
}

impl Fake {
    pub(super) async fn start(script: Script) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            port: listener.local_addr().unwrap().port(),
            ca: certified.cert.pem(),
            connections: Arc::default(),
            script: Arc::new(Mutex::new(script)),
        };
        let (connections, script) = (Arc::clone(&fake.connections), Arc::clone(&fake.script));
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                // Whoever breaks off ends the conversation.
                tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&script)));
            }
        });
        fake
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn converse(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    script: Arc<Mutex<Script>>,
) -> std::io::Result<()> {
    if script.lock().unwrap().start_tls {
        stream.read_exact(&mut [0; 31]).await?;
        stream.write_all(&message(1, &result(0x78, 0))).await?;
    }
    let mut stream = acceptor.accept(stream).await?;
    let mut read = Vec::new();
    loop {
        while let Ok((rest, request)) = parse_tag(&read) {
            let rest = rest.to_vec();
            let script = script.lock().unwrap().clone();
            let (answer, close) = answer(request, &script);
            if script.never_answers {
                std::future::pending::<()>().await;
            }
            stream.write_all(&answer).await?;
            if close {
                return stream.shutdown().await;
            }
            read = rest;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
}

/// The bytes, and whether the connection ends with them.
fn answer(request: StructureTag, script: &Script) -> (Vec<u8>, bool) {
    let [id, operation] = request.expect_constructed().unwrap().try_into().unwrap();
    let id = id.expect_primitive().unwrap()[0];
    match operation.id {
        BIND => {
            let mut fields = operation.expect_constructed().unwrap().into_iter();
            let password = fields.nth(2).unwrap().expect_primitive().unwrap();
            let wrong = password != script.password.as_bytes();
            let code = if wrong { 49 } else { 0 };
            (message(id, &result(0x61, code)), false)
        }
        SEARCH => {
            let entry = ber(0x64, &[ber(4, b"cn=etl"), ber(0x30, b"")].concat());
            let reference = ber(0x73, &ber(4, b"ldap://other"));
            let entries = vec![message(id, &entry); script.entries];
            let references = vec![message(id, &reference); script.references];
            let done = message(id, &result(0x65, script.search));
            let answer = [references.concat(), entries.concat(), done].concat();
            (answer, script.closes_after_a_search)
        }
        _ => (Vec::new(), true),
    }
}

fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, content.len().try_into().unwrap()], content].concat()
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    ber(0x30, &[ber(2, &[id]), operation.to_vec()].concat())
}

fn result(operation: u8, code: u8) -> Vec<u8> {
    ber(
        operation,
        &[ber(0x0a, &[code]), ber(4, b""), ber(4, b"as told")].concat(),
    )
}
