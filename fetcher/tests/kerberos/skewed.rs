//! A server of Hadoop whose clock is wrong.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::HeaderValue;
use http::header::DATE;
use k8s_openapi::jiff::fmt::rfc2822::DateTimePrinter;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::at_hand::{accept, listen};
use crate::process::serve;

/// Not a test: what a [`Process`](crate::process::Process) does. Its clock is so many seconds ahead as it is told; it
/// answers where it listens.
#[test]
#[ignore = "a process of the tests beside it"]
fn process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let ahead = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&ahead);
    let dated = move |mut answer: Response| {
        let date = date(clock.load(Ordering::SeqCst));
        answer.headers_mut().insert(DATE, date);
        ready(answer)
    };
    let address = listen(Router::new().fallback(accept).layer(map_response(dated)));
    serve(|seconds| {
        ahead.store(seconds.parse().unwrap(), Ordering::SeqCst);
        address.to_string()
    });
}

fn date(ahead: i64) -> HeaderValue {
    let shown = Timestamp::now() + SignedDuration::from_secs(ahead);
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&shown);
    text.unwrap().parse().unwrap()
}
