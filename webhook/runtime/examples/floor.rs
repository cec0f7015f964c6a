//! The least that a webhook can cost: bare hyper and rustls that read each body whole, and give one fixed answer.
//!
//! `floor CA_FILE ANSWER_BYTES` writes the certificate that a client must trust to reach `localhost`, and serves on
//! 127.0.0.1:18443 until it is stopped.
#![allow(clippy::expect_used, reason = "a tool for the developer's terminal")]

use std::convert::Infallible;
use std::net::Ipv4Addr;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube2hadoop_runtime::tls::ServingTls;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const PORT: u16 = 18443;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let ca_file = arguments.next().expect("CA_FILE is needed");
    let answer = arguments.next().and_then(|bytes| bytes.parse().ok());
    let answer = Bytes::from(vec![b'x'; answer.expect("ANSWER_BYTES is needed")]);
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("no certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls =
        ServingTls::from_pem(chain.as_bytes(), key.as_bytes()).expect("a certificate of ours");
    std::fs::write(ca_file, chain).expect("CA_FILE cannot be written");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("no runtime");
    runtime.block_on(serve(TlsAcceptor::from(tls.current()), answer));
}

async fn serve(tls: TlsAcceptor, answer: Bytes) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let listener = listener.await.expect("the port is taken");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, tls.clone(), answer.clone()));
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, answer: Bytes) {
    stream
        .set_nodelay(true)
        .expect("a socket takes TCP_NODELAY");
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let fixed = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            // Read, as any webhook must.
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(Response::new(Full::new(answer)))
        }
    });
    // It ends when the client hangs up.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), fixed)
        .await;
}
