//! From exec to the files written, against a bare TLS round trip with the same bytes, both to a server on loopback.
//!
//! `cargo bench -p kube2hadoop-client --profile client` measures the program as it is shipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may fail this way, and prints"
)]

#[path = "../tests/init_container/fetcher.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod fetcher;
#[path = "../tests/init_container/pod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod pod;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fetcher::{Fetcher, http};
use kube2hadoop_client::contract::{FileContent, FileName, Timestamp, TokenResponse};
use kube2hadoop_client::credentials::{Credentials, Token};
use pod::Pod;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

const WARM_UP: usize = 20;
const ROUNDS: usize = 200;

fn main() {
    let answer = http("200 OK", "", &serde_json::to_string(&response()).unwrap());
    let fetcher = Fetcher::serve(move |_| answer.clone());
    let pod = Pod::of(&fetcher);
    let bare = Bare::of(&fetcher);
    let (mut client, mut trip) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + ROUNDS {
        let (ran, went) = (exec(&pod), bare.round_trip());
        if round >= WARM_UP {
            client.push(ran);
            trip.push(went);
        }
    }
    let (client, trip) = (median(client), median(trip));
    let ratio = client.as_secs_f64() / trip.as_secs_f64();
    println!(
        "{{\"execToFilesMicros\": {}, \"bareRoundTripMicros\": {}, \"ratio\": {ratio:.2}}}",
        client.as_micros(),
        trip.as_micros()
    );
}

fn exec(pod: &Pod) -> Duration {
    let started = Instant::now();
    assert_eq!(pod.run().code, 0);
    started.elapsed()
}

/// What the client must do at the least: connect, trust, ask and read, in a process that is running already.
struct Bare {
    config: Arc<ClientConfig>,
    address: String,
    request: String,
}

impl Bare {
    fn of(fetcher: &Fetcher) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(fetcher.ca.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Every pod is a stranger to the fetcher.
        config.resumption = rustls::client::Resumption::disabled();
        Self {
            config: Arc::new(config),
            address: fetcher.url.replace("https://", ""),
            request: format!(
                "POST /v1/tokens HTTP/1.1\r\nhost: fetcher\r\nauthorization: Bearer {}\r\ncontent-length: 2\r\n\r\n{{}}",
                pod::TOKEN
            ),
        }
    }

    fn round_trip(&self) -> Duration {
        let started = Instant::now();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = ClientConnection::new(self.config.clone(), name).unwrap();
        let tcp = TcpStream::connect(&self.address).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut stream = StreamOwned::new(tls, tcp);
        stream.write_all(self.request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        started.elapsed()
    }
}

/// About what a job gets: two tokens, and the configuration of a site.
fn response() -> TokenResponse {
    let mut credentials = Credentials::new();
    for (kind, service) in [
        ("HDFS_DELEGATION_TOKEN", "ha-hdfs:ns1"),
        ("kms-dt", "kms://https@kms.example.com:9600/kms"),
    ] {
        let token = Token::new(vec![1; 80].into(), vec![2; 20].into(), kind, service);
        credentials.add(service, token.unwrap()).unwrap();
    }
    let file = |name: &str, size| {
        let content = FileContent(vec![b'x'; size]);
        (FileName::try_from(name).unwrap(), content)
    };
    TokenResponse {
        credentials: credentials.to_bytes(),
        conf: [
            file("core-site.xml", 1500),
            file("hdfs-site.xml", 2500),
            file("krb5.conf", 300),
        ]
        .into(),
        user: "alice".to_owned(),
        expires_at: Timestamp::from_unix_seconds(2_000_000_000),
        refresh_at: Timestamp::from_unix_seconds(1_900_000_000),
        ca: None,
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap()
}
