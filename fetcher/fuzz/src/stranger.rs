//! A server on the loopback that takes every ticket, and then answers what it is given.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use kube2hadoop_fetcher::hadoop::spnego::{Exchange, Negotiate, SpnegoError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const LASTS: Duration = Duration::from_secs(3600);

/// What it answers: a whole message, and whether that is what it says of its KMS, too.
#[derive(Default, Clone)]
pub(crate) struct Words {
    pub(crate) message: Vec<u8>,
    pub(crate) of_its_kms: bool,
}

pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    words: Arc<Mutex<Words>>,
}

impl Stranger {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let words = Arc::<Mutex<Words>>::default();
        let spoken = Arc::clone(&words);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Whoever asked may be gone.
                tokio::spawn(talk(connection, Arc::clone(&spoken)).map(drop));
            }
        });
        Self { address, words }
    }

    pub(crate) fn says(&self, words: Words) {
        *self.words.lock().unwrap() = words;
    }

    /// Which it is, too.
    pub(crate) fn kms(&self) -> String {
        kms(self.address)
    }
}

fn kms(address: SocketAddr) -> String {
    format!("kms://http@{address}/kms")
}

/// Request after request: were each on a connection of its own, there would soon be no port left.
async fn talk(connection: TcpStream, words: Arc<Mutex<Words>>) -> io::Result<()> {
    let address = connection.local_addr()?;
    let mut connection = BufReader::new(connection);
    while let Some(head) = request(&mut connection).await? {
        let words = words.lock().unwrap().clone();
        let answer = if head.contains("Negotiate ") {
            let head = "set-cookie: hadoop.auth=x\r\nwww-authenticate: Negotiate b2s=\r\n";
            message("200 OK", head, b"")
        } else if head.contains("GETSERVERDEFAULTS") && !words.of_its_kms {
            let uri = kms(address);
            let body = format!(r#"{{"FsServerDefaults":{{"keyProviderUri":"{uri}"}}}}"#);
            message("200 OK", "", body.as_bytes())
        } else {
            words.message
        };
        connection.write_all(&answer).await?;
    }
    Ok(())
}

/// The head of the next one, if there is one more; its body is read over.
async fn request(connection: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let (mut head, mut body) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let before = head.len();
        if connection.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
        let line = head.get(before..).unwrap_or_default().to_ascii_lowercase();
        if let Some(length) = line.strip_prefix("content-length:") {
            body = length.trim().parse().unwrap();
        }
    }
    connection.read_exact(&mut vec![0; body]).await?;
    Ok(Some(head))
}

/// With its length, so that nobody waits for more.
pub(crate) fn message(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{head}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Who believes everybody.
pub(crate) struct Trusting;

impl Negotiate for Trusting {
    fn start<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Box<dyn Exchange>, SpnegoError>> {
        ready(Ok(Box::new(Trusting) as Box<dyn Exchange>)).boxed()
    }
}

impl Exchange for Trusting {
    fn token(&self) -> &[u8] {
        b"ticket"
    }

    fn finish(self: Box<Self>, _: Vec<u8>) -> BoxFuture<'static, Result<Duration, SpnegoError>> {
        ready(Ok(LASTS)).boxed()
    }
}
