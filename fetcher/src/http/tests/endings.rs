//! Requests that end without tokens since Hadoop takes too long: in whose name that was is told all the same.

use futures::FutureExt;
use kube2hadoop_client::contract::CLIENT_PATIENCE;
use tokio::time::{Instant, sleep};

use super::slow::{TEN_SECONDS, slow};
use super::*;
use crate::config::HadoopLimits;

/// The one audit line of a request that came to nothing, and the Event's reason.
async fn told(bench: &mut Bench) -> (serde_json::Value, String) {
    let mut lines = bench.audit.read();
    let line = lines.pop().unwrap();
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(line["event"], "refused");
    assert_eq!(line["pod"]["name"], "web-0");
    assert_eq!(line["who"]["user"], "slow");
    let notice = bench.notices.next().await.unwrap();
    assert_eq!((notice.warning, notice.pod), (true, pod()));
    (line["reason"].clone(), notice.reason)
}

fn requests(bench: &Bench, outcome: &'static str) -> u64 {
    let requests = &bench.service.metrics.requests;
    requests.get_or_create(&OutcomeLabel { outcome }).get()
}

#[tokio::test(start_paused = true)]
async fn whose_time_is_over_hears_so_before_they_hang_up() {
    let mut bench = bench(4, 4);
    let began = Instant::now();
    let answer = bench.ask("slow", "{}").await;
    assert!(began.elapsed() < CLIENT_PATIENCE);
    let problem = problem(answer).await;
    assert_eq!(
        (problem.name(), problem.retryable),
        ("hadoop-unavailable", true)
    );
    let (reason, event) = told(&mut bench).await;
    assert_eq!(
        (reason.as_str(), event.as_str()),
        (Some("timeout"), "Timeout")
    );
    assert_eq!(requests(&bench, "timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_leaves_a_trace() {
    let mut bench = bench(4, 4);
    assert!(bench.ask("slow", "{}").now_or_never().is_none());
    let (reason, event) = told(&mut bench).await;
    assert_eq!(
        (reason.as_str(), event.as_str()),
        (Some("hung-up"), "HungUp")
    );
    assert_eq!(requests(&bench, "hung-up"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_nobody_waits_for_any_more_is_in_the_audit() {
    let (_namenode, bench) = slow(HadoopLimits::default());
    assert!(bench.ask("alice.1", "{}").now_or_never().is_none());
    sleep(TEN_SECONDS + Duration::from_secs(1)).await;
    let lines = bench.audit.read();
    let line = lines.last().unwrap();
    assert_eq!(
        (&line["event"], &line["sequenceNumber"]),
        (&"obtained".into(), &7.into())
    );
    assert_eq!(
        (&line["who"]["user"], &line["who"]["job"]),
        (&"alice".into(), &"team/Job.batch/1".into())
    );
}
