//! A stand-in for the fetcher: TLS on a free port of loopback, and a scripted answer per request.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct Fetcher {
    pub(crate) url: String,
    pub(crate) ca: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

/// A whole HTTP response. What the server sends is up to the test, well-formed or not.
pub(crate) type Answer = Vec<u8>;

pub(crate) fn http(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

impl Fetcher {
    /// `answer` is given the number of the request, from 0.
    pub(crate) fn serve(answer: impl Fn(usize) -> Answer + Send + 'static) -> Self {
        let (ca, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that trusts another CA breaks off here: that is no request.
                let _ = exchange(connection.unwrap(), config.clone(), &answer, &record);
            }
        });
        Self { url, ca, seen }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn exchange(
    connection: TcpStream,
    config: Arc<ServerConfig>,
    answer: &impl Fn(usize) -> Answer,
    record: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let tls = ServerConnection::new(config).unwrap();
    let mut stream = StreamOwned::new(tls, connection);
    let request = read(&mut stream)?;
    let number = {
        let mut record = record.lock().unwrap();
        record.push(request);
        record.len() - 1
    };
    stream.write_all(&answer(number))?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn read(stream: &mut impl io::Read) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.extend(byte);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body)?;
    let at = Instant::now();
    Ok(Request { head, body, at })
}

/// A CA in PEM form, and a server's configuration with a certificate of that CA.
fn certificates() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);

    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    (ca.pem(), Arc::new(config))
}
