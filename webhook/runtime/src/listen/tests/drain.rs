//! What becomes of connections once shutdown was requested.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::shutdown::Trigger;

const KEPT_OPEN: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Asks for no linger, and for a drain far longer than any test.
fn limits() -> Limits {
    Limits {
        linger: Duration::ZERO,
        drain: Duration::from_secs(60),
        ..Limits::default()
    }
}

/// Answers each request only when it is let to.
struct Slow {
    address: SocketAddr,
    running: Trigger,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
    served: JoinHandle<()>,
}

impl Slow {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (running, shutdown) = Shutdown::new();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (hears, may) = (Arc::clone(&asked), Arc::clone(&answer));
        let slow = move || async move {
            hears.notify_one();
            may.notified().await;
            vec![b'x'; LARGE]
        };
        let router = Router::new().route("/", get(slow));
        let served = tokio::spawn(serve_plain(listener, router, limits, shutdown));
        Self {
            address,
            running,
            asked,
            answer,
            served,
        }
    }

    /// A connection with a request under way.
    async fn ask(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(KEPT_OPEN).await.unwrap();
        self.asked.notified().await;
        stream
    }

    /// Waits until nobody listens any more.
    async fn refuses(&self) {
        let refused = async {
            // While the listener closes, connections are still made, or reset.
            while !matches!(
                TcpStream::connect(self.address).await,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused
            ) {
                tokio::task::yield_now().await;
            }
        };
        in_time(refused).await;
    }

    async fn ends(self) {
        in_time(self.served).await.unwrap();
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(Duration::from_secs(10), what).await;
    within.expect("it to happen within 10 s")
}

#[tokio::test]
async fn an_answer_under_way_arrives_whole_and_nobody_else_is_let_in() {
    let slow = Slow::start(limits()).await;
    let mut stream = slow.ask().await;
    slow.running.request();
    slow.refuses().await;
    assert!(!slow.served.is_finished(), "it waits for the answer");
    slow.answer.notify_one();
    // The peer would keep the connection: that it ends is our doing.
    let answer = answer(&mut stream, b"").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(body.len(), LARGE);
    slow.ends().await;
}

#[tokio::test]
async fn a_connection_between_two_requests_holds_up_nothing() {
    let slow = Slow::start(limits()).await;
    let mut stream = slow.ask().await;
    slow.answer.notify_one();
    let mut first = vec![0; LARGE];
    in_time(stream.read_exact(&mut first)).await.unwrap();
    slow.running.request();
    slow.ends().await;
}

#[tokio::test]
async fn new_connections_are_served_until_all_know_that_we_go() {
    let slow = Slow::start(Limits {
        linger: Duration::from_secs(60),
        ..limits()
    })
    .await;
    slow.running.request();
    let mut late = slow.ask().await;
    slow.answer.notify_one();
    let mut first = vec![0; LARGE];
    in_time(late.read_exact(&mut first)).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let slow = Slow::start(Limits {
        drain: Duration::from_millis(50),
        ..limits()
    })
    .await;
    let _stream = slow.ask().await;
    slow.running.request();
    slow.ends().await;
}
