//! From the message that a pod ends with to the log.

use futures::future::join_all;
use prometheus_client::registry::Registry;

use super::*;
use crate::issue::configured::tests::issuer;

#[tokio::test]
async fn the_id_in_a_pods_message_leads_to_what_hadoop_said_to_all_who_waited() {
    // With a single one, what another test's thread logs first would be of interest to nobody from then on.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let log = Lines::default();
    let out = log.clone();
    let json = tracing_subscriber::fmt().json().flatten_event(true);
    let subscriber = json.with_writer(move || out.clone()).finish();
    let _capturing = tracing::subscriber::set_default(subscriber);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = Metrics::new(&mut Registry::default());
    let hadoop = issuer(closed.local_addr().unwrap(), metrics);
    drop(closed);

    let bench = bench_with(Arc::new(hadoop), 4, 4);
    let answers = join_all((0..2).map(|_| bench.ask("alice", "{}"))).await;
    let lines = log.read();
    let said: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "no token issued")
        .collect();
    assert_eq!(said.len(), 1, "they share a call: {lines:?}");
    let mut ids = Vec::new();
    for answer in answers {
        let problem = problem(answer).await;
        let id = problem.request_id.unwrap();
        let refused: Vec<_> = lines.iter().filter(|line| line["request"] == id).collect();
        assert_eq!(refused.len(), 1, "{lines:?}");
        assert_eq!(refused[0]["detail"], problem.detail);
        assert!(problem.detail.contains(said[0]["error"].as_str().unwrap()));
        ids.push(id);
    }
    let caller = said[0]["span"]["id"].as_str().unwrap().to_owned();
    assert!(ids.contains(&caller), "{ids:?}");
}
