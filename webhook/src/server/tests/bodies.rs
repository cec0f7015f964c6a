//! Bodies that are large, and such as never come.

use std::convert::Infallible;

use axum::body::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{self, pending};
use kube2hadoop_runtime::listen::{KEPT, Limits};

use super::super::bodies::{LARGE_TOGETHER, LIMIT, SMALL};
use super::*;

/// All but its end.
fn half_sent() -> Body {
    let sent = Bytes::from(vec![b' '; 2_900_000]);
    Body::from_stream(stream::iter([Ok::<_, Infallible>(sent)]).chain(pending()))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::new(Scenario::NothingThere, true);
    assert_eq!(world.post(half_sent()).await.0, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_that_never_come_hold_up_no_pod_and_take_no_more_than_their_room() {
    let world = World::new(Scenario::NothingThere, true);
    let began = tokio::time::Instant::now();
    let flood = join_all((0..100).map(|_| world.post(half_sent())));
    let pod = async { (world.post(REVIEW).await.0, began.elapsed()) };
    let (flood, pod) = tokio::join!(flood, pod);
    assert_eq!(pod, (StatusCode::OK, Duration::ZERO));
    let of = |wanted| flood.iter().filter(|(status, _)| *status == wanted).count();
    let read = (LARGE_TOGETHER / LIMIT) as usize;
    assert_eq!(of(StatusCode::REQUEST_TIMEOUT), read);
    assert_eq!(of(StatusCode::SERVICE_UNAVAILABLE), 100 - read);
    let mut large = REVIEW.to_owned();
    large.push_str(&" ".repeat(SMALL as usize));
    assert_eq!(world.post(large).await.0, StatusCode::OK, "room again");
}

#[test]
fn strangers_leave_us_a_quarter_of_the_memory_that_the_chart_gives() {
    let values = include_str!("../../../../deploy/chart/kube2hadoop/values.yaml");
    let values: Value = serde_yaml_ng::from_str(values).unwrap();
    let memory = values["webhook"]["resources"]["limits"]["memory"]
        .as_str()
        .and_then(|memory| memory.strip_suffix("Mi")?.parse::<u32>().ok())
        .unwrap();
    let kept = Limits::default().max_connections * KEPT as u32 + LARGE_TOGETHER;
    assert!(kept <= memory * 1024 * 1024 / 4 * 3, "{kept} bytes");
}
