use std::net::SocketAddr;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::*;
use crate::issue::tests::issued;

const CANCELLED: &str = r#"{"RemoteException":{"exception":"SecurityException","message":"Failed to obtain user group information: org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: , can't be found in cache"}}"#;

/// A NameNode that knows every token but the one whose text that is, and nobody's tickets.
async fn namenode(cancelled: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = async move |RawQuery(query): RawQuery| match query {
        Some(query) if query.ends_with(&cancelled) => (StatusCode::FORBIDDEN, CANCELLED),
        _ => (StatusCode::OK, r#"{"Path":"/user/alice"}"#),
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Of a file system with this NameNode, for a principal that no KDC knows.
pub(crate) fn issuer(namenode: SocketAddr, metrics: Metrics) -> Configured {
    let dir = tempfile::tempdir().unwrap();
    let property = |name: &str, value: &str| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    let properties = property("hadoop.security.authentication", "kerberos")
        + &property("fs.defaultFS", "hdfs://nn.test:8020")
        + &property("dfs.namenode.http-address", &namenode.to_string());
    let xml = format!("<configuration>{properties}</configuration>");
    std::fs::write(dir.path().join("core-site.xml"), xml).unwrap();
    let text = format!(
        "hadoop: {{principal: k2h@NO.SUCH.REALM, confDir: {}, limits: {{concurrency: 1}}}}",
        dir.path().display()
    );
    let config: Config = serde_yaml_ng::from_str(&text).unwrap();
    let deny = watch::channel(DenyList::default()).1;
    Configured::new(&config, deny, metrics).unwrap()
}

#[tokio::test]
async fn without_a_kdc_it_is_known_and_counted_which_tokens_hadoop_knows() {
    let metrics = Metrics::new(&mut Registry::default());
    let (good, gone) = (issued(1), issued(9));
    let text = gone.tokens[0].1.to_url_string().expose().to_owned();
    let alive = issuer(namenode(text).await, metrics.clone());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = issuer(closed.local_addr().unwrap(), metrics.clone());
    drop(closed);
    let service = &alive.services()[0];
    assert!(alive.knows(service, &good).await);
    assert!(!alive.knows(service, &gone).await);
    assert!(dead.knows(service, &gone).await, "nobody says otherwise");
    for outcome in ["known", "unknown", "undecided"] {
        let counted = metrics
            .hadoop_checks
            .get_or_create(&OutcomeLabel { outcome });
        assert_eq!(counted.get(), 1, "{outcome}");
    }
}

#[tokio::test]
async fn who_waits_and_what_comes_of_a_call_is_counted() {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = issuer(closed.local_addr().unwrap(), metrics.clone());
    drop(closed);
    let (alice, service) = ("alice".parse().unwrap(), &issuer.services()[0]);
    let label = ServiceLabel::of(service);
    let waiting = || metrics.hadoop_waiting.get_or_create(&label).get();

    let turn = issuer.turn(&alice, service).await.unwrap();
    let mut second = issuer.turn(&alice, service);
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(waiting(), 1);
    drop(second);
    assert_eq!(waiting(), 0, "who gives up waits no more");

    let failure = issuer.issue(&alice, service).await.unwrap_err();
    drop(turn);
    let outcome = failure.reason();
    let issues = &metrics.hadoop_issues;
    assert_eq!(issues.get_or_create(&OutcomeLabel { outcome }).get(), 1);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let seconds = format!("kube2hadoop_fetcher_hadoop_seconds_count{{service=\"{service}\"}} 1");
    assert!(text.contains(&seconds), "{text}");
}
