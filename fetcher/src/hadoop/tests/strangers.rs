//! Whatever listens where a NameNode should: no answer of it holds a request up, fills memory, or passes for a token.

use std::net::SocketAddr;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const TIMEOUT: Duration = Duration::from_millis(500);

/// When the stranger stops to play along.
#[derive(Clone, Copy, PartialEq)]
enum From {
    /// It does not even know Kerberos.
    Login,
    /// Only tokens are not its business.
    Token,
}

/// What it says, and whether it then keeps the line open, saying the last byte again and again.
#[derive(Clone)]
struct Says {
    bytes: Vec<u8>,
    drips: bool,
}

fn says(bytes: impl Into<Vec<u8>>) -> Says {
    Says {
        bytes: bytes.into(),
        drips: false,
    }
}

fn drips(bytes: &str) -> Says {
    Says {
        drips: true,
        ..says(bytes)
    }
}

async fn stranger(from: From, words: Says) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(talk(connection, from, words.clone()));
        }
    });
    address
}

/// One request, one answer; whether the other side hears it is its own affair.
async fn talk(mut connection: TcpStream, from: From, words: Says) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let ticket = head
        .lines()
        .find_map(|line| line.split_once("Negotiate ").map(|(_, ticket)| ticket));
    if let (From::Token, Some(ticket)) = (from, ticket) {
        let ticket = String::from_utf8(STANDARD.decode(ticket).unwrap()).unwrap();
        let proof = STANDARD.encode(format!("proof of {ticket}"));
        let answer = format!(
            "HTTP/1.1 200 OK\r\nset-cookie: hadoop.auth=x\r\nwww-authenticate: Negotiate {proof}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        let _ = connection.write_all(answer.as_bytes()).await;
        return;
    }
    if connection.write_all(&words.bytes).await.is_err() {
        return;
    }
    if !words.drips {
        return;
    }
    let again = words.bytes.last().copied().unwrap_or_default();
    while connection.write_u8(again).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn strange_answers() -> Vec<(&'static str, Says)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let body = |bytes: &[u8]| {
        let head = format!("{ok}content-length: {}\r\n\r\n", bytes.len());
        says([head.as_bytes(), bytes].concat())
    };
    vec![
        ("nothing", says("")),
        ("half a status line", says("HTTP/1.")),
        ("half a head", says(format!("{ok}content-ty"))),
        (
            "half a body",
            says(format!("{ok}content-length: 999\r\n\r\n{{\"Token\":{{")),
        ),
        (
            "half a chunk",
            says(format!(
                "{ok}transfer-encoding: chunked\r\n\r\nff\r\n{{\"To"
            )),
        ),
        (
            "html",
            body(b"<html><title>Welcome to nginx!</title></html>"),
        ),
        (
            "bytes that are no text",
            body(b"{\"Token\":{\"urlString\":\"\xff\xfe\x00\"}}"),
        ),
        (
            "a reason that is no text",
            says(b"HTTP/1.1 403 \xff\xfe\x9b31m\r\ncontent-length: 0\r\n\r\n".as_slice()),
        ),
        (
            "a title with control characters",
            says("HTTP/1.1 500 x\r\nconnection: close\r\n\r\n<title>\u{1b}[31m\u{7}</title>"),
        ),
        ("an endless head", drips(&format!("{ok}x: y"))),
        (
            "a head of a megabyte",
            says(format!("{ok}x: {}\r\n\r\n", "y".repeat(1 << 20))),
        ),
        (
            "ten thousand headers",
            says(format!("{ok}{}\r\n", "x: y\r\n".repeat(10_000))),
        ),
        (
            "an endless body",
            drips(&format!("{ok}transfer-encoding: chunked\r\n\r\n1\r\n{{")),
        ),
        (
            "a body of gigabytes, as it says",
            says(format!(
                "{ok}content-length: 9999999999\r\n\r\n{}",
                " ".repeat(3 << 20)
            )),
        ),
        ("an ssh server", says("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")),
        (
            "an ipc port",
            says(
                "HTTP/1.1 404 Not Found\r\nContent-type: text/plain\r\n\r\nIt looks like you are making an HTTP request to a Hadoop IPC port.",
            ),
        ),
        (
            "a redirect",
            says("HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        ),
    ]
}

fn impatient(namenodes: &[SocketAddr]) -> HadoopServices {
    with_timeout(
        &ha_text(namenodes),
        Arc::new(FakeKerberos::default()),
        TIMEOUT,
    )
}

#[tokio::test]
async fn a_stranger_is_an_error_in_one_short_line_and_in_time() {
    for from in [From::Login, From::Token] {
        for (what, words) in strange_answers() {
            let services = impatient(&[stranger(from, words).await]);
            let began = Instant::now();
            let error = issue(&services, "ns1").await.unwrap_err();
            let text = crate::chain::text(&error);
            assert!(error.retryable(), "{what}: {text}");
            assert!(began.elapsed() < 6 * TIMEOUT, "{what}: {text}");
            assert!(
                text.len() < 1000 && !text.chars().any(char::is_control),
                "{what}: {text}"
            );
        }
    }
}

/// Half of an operator's configuration is wrong, and the other half works.
#[tokio::test]
async fn a_stranger_is_passed_over_for_a_namenode() {
    for from in [From::Login, From::Token] {
        for (what, words) in strange_answers() {
            let (_, namenode) = Fake::default().start().await;
            let services = impatient(&[stranger(from, words).await, namenode]);
            let issued = issue(&services, "ns1").await;
            assert!(issued.is_ok(), "{what}: {:?}", issued.err());
        }
    }
}
