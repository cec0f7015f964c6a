use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_stamp::{DenyList, HadoopUser};
use tempfile::TempDir;

use super::resolver::Resolver;
use super::spnego::Negotiate;
use super::{HadoopError, HadoopServices, Issued, Settings};
use fake::{DeadKerberos, Fake, FakeKerberos, INTERVAL, ISSUED, LIFE, Recorded};

mod answers;
mod fake;
mod file_systems;
mod kerberos;
mod key_providers;
mod known;
mod names;
mod parted_kms;
mod plain_http;
mod strangers;
mod yarn;

const STANDBY: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"StandbyException","javaClassName":"org.apache.hadoop.ipc.StandbyException","message":"Operation category WRITE is not supported in state standby. Visit https://s.apache.org/sbnn-error"}}"#,
);
const SAFE_MODE: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"SafeModeException","message":"Cannot issue delegation token. Name node is in safe mode.\nThe reported blocks 0 needs additional 1 blocks"}}"#,
);
const STARTING: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"RetriableException","javaClassName":"org.apache.hadoop.ipc.RetriableException","message":"Namenode is in startup mode"}}"#,
);
const UNKNOWN: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"InvalidToken","message":"Token not found (token for alice)"}}"#,
);

const FORGOTTEN: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"AccessControlException","message":"k2h is trying to renew a token (x) with wrong password"}}"#,
);

fn property(name: &str, value: &str) -> String {
    format!("<property><name>{name}</name><value>{value}</value></property>")
}

fn from_text(text: &str, negotiate: Arc<dyn Negotiate>) -> HadoopServices {
    with_timeout(text, negotiate, Duration::from_secs(5))
}

fn with_timeout(text: &str, negotiate: Arc<dyn Negotiate>, timeout: Duration) -> HadoopServices {
    from_files(&[("core-site.xml", text)], negotiate, timeout)
}

fn from_files(
    files: &[(&str, &str)],
    negotiate: Arc<dyn Negotiate>,
    timeout: Duration,
) -> HadoopServices {
    with_resolver(files, negotiate, timeout, Resolver::system())
}

fn with_resolver(
    files: &[(&str, &str)],
    negotiate: Arc<dyn Negotiate>,
    timeout: Duration,
    resolver: Resolver,
) -> HadoopServices {
    let dir = written(files);
    let settings = Settings {
        timeout,
        ..settings(&dir)
    };
    HadoopServices::with_resolver(&settings, negotiate, resolver).unwrap()
}

/// A directory of configuration files with these properties.
fn written(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let secure = property("hadoop.security.authentication", "kerberos");
    for (file, text) in files {
        let xml = format!("<configuration>{secure}{text}</configuration>");
        std::fs::write(dir.path().join(file), xml).unwrap();
    }
    dir
}

fn settings(conf: &TempDir) -> Settings {
    Settings {
        conf_dir: conf.path().into(),
        principal: "k2h@EXAMPLE.COM".into(),
        renewer: "k2h".into(),
        ca_file: None,
        require_https: false,
        krb5_conf: String::new(),
        kms: true,
        timeout: Duration::from_secs(5),
        deny: tokio::sync::watch::channel(DenyList::default()).1,
    }
}

/// Name service `ns1` of these NameNodes.
fn ha(namenodes: &[SocketAddr]) -> HadoopServices {
    from_text(&ha_text(namenodes), Arc::new(FakeKerberos::default()))
}

fn ha_text(namenodes: &[SocketAddr]) -> String {
    let ids: Vec<String> = (1..=namenodes.len())
        .map(|number| format!("nn{number}"))
        .collect();
    let mut text =
        property("dfs.nameservices", "ns1") + &property("dfs.ha.namenodes.ns1", &ids.join(","));
    for (id, address) in ids.iter().zip(namenodes) {
        text += &property(
            &format!("dfs.namenode.rpc-address.ns1.{id}"),
            "nn.test:8020",
        );
        text += &property(
            &format!("dfs.namenode.http-address.ns1.{id}"),
            &address.to_string(),
        );
    }
    text
}

async fn issue(services: &HadoopServices, service: &str) -> Result<Issued, HadoopError> {
    let alice: HadoopUser = "alice".parse().unwrap();
    services.get(service).unwrap().issue(&alice).await
}

/// Two KMS at one port of addresses of their own, and the NameNode that names them.
async fn two_kms() -> ([Arc<Fake>; 2], u16, SocketAddr) {
    let (first, address) = Fake::default().start().await;
    let port = address.port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.2", port)).await;
    let second = Arc::new(Fake::default());
    Arc::clone(&second).serve(listener.unwrap());
    let (namenode, at) = Fake::default().start().await;
    *namenode.key_provider.lock().unwrap() = format!("kms://http@127.0.0.1;127.0.0.2:{port}/kms");
    ([first, second], port, at)
}

/// A port nobody listens on.
fn closed() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[tokio::test]
async fn a_token_is_issued_renewed_and_cancelled_in_one_session() {
    let (namenode, address) = Fake::default().start().await;
    let services = ha(&[address]);
    let issued = issue(&services, "ns1").await.unwrap();
    let [(alias, token), (_, web)] = &issued.tokens[..] else {
        panic!("{issued:?}")
    };
    assert_eq!(
        (alias.as_str(), token.service(), token.kind()),
        ("ha-hdfs:ns1", "ha-hdfs:ns1", "HDFS_DELEGATION_TOKEN")
    );
    assert_eq!(
        (web.service(), web.kind(), issued.distinct().len()),
        ("ha-webhdfs:ns1", "WEBHDFS delegation", 1)
    );
    assert_eq!(
        (issued.issued_at, issued.expires_at, issued.max_date),
        (ISSUED, ISSUED + INTERVAL, ISSUED + LIFE)
    );
    let ns1 = services.get("ns1").unwrap();
    assert_eq!(ns1.renew(token).await.unwrap(), ISSUED + INTERVAL);
    ns1.cancel(token).await.unwrap();
    assert_eq!(*namenode.logins.lock().unwrap(), 1);
    assert_eq!(namenode.asked("doas=alice&renewer=k2h"), 1);
    // The interval is learnt once.
    issue(&services, "ns1").await.unwrap();
    assert_eq!(namenode.asked("PUT op=RENEWDELEGATIONTOKEN"), 2);
}

#[tokio::test]
async fn a_lost_session_is_made_again_once() {
    let (namenode, address) = Fake::default().start().await;
    let services = ha(&[address]);
    issue(&services, "ns1").await.unwrap();
    *namenode.logins.lock().unwrap() += 1;
    issue(&services, "ns1").await.unwrap();
    assert_eq!(*namenode.logins.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_replayed_ticket_is_followed_by_a_new_one() {
    let fake = Fake::default();
    *fake.replays.lock().unwrap() = 2;
    let (_, address) = fake.start().await;
    issue(&ha(&[address]), "ns1").await.unwrap();
    let fake = Fake::default();
    *fake.replays.lock().unwrap() = 100;
    let (_, address) = fake.start().await;
    assert_eq!(
        issue(&ha(&[address]), "ns1").await.unwrap_err().reason(),
        "ticket-refused"
    );
}

#[tokio::test]
async fn a_server_that_proves_nothing_gets_nothing() {
    let fake = Fake::default();
    *fake.impostor.lock().unwrap() = true;
    let (namenode, address) = fake.start().await;
    assert_eq!(
        issue(&ha(&[address]), "ns1").await.unwrap_err().reason(),
        "kerberos-not-mutual"
    );
    assert_eq!(namenode.asked(""), 0);
}

#[tokio::test]
async fn standby_and_dead_namenodes_are_passed_over_and_remembered() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY);
    let (standby, first) = standby.start().await;
    let (active, last) = Fake::default().start().await;
    let services = ha(&[first, closed(), last]);
    issue(&services, "ns1").await.unwrap();
    issue(&services, "ns1").await.unwrap();
    assert_eq!(
        (
            standby.asked("GETDELEGATIONTOKEN"),
            active.asked("GETDELEGATIONTOKEN")
        ),
        (1, 2)
    );
}

/// Its clock or its keytab is wrong, somebody else answers in its place, or what it rests on is away.
#[tokio::test]
async fn a_namenode_that_takes_no_ticket_or_fails_is_passed_over_and_remembered() {
    const FAILED: Recorded = (
        500,
        r#"{"RemoteException":{"exception":"IOException","message":"x"}}"#,
    );
    let [refuses, poses, fails] = std::array::from_fn(|_| Fake::default());
    *refuses.replays.lock().unwrap() = 100;
    *poses.impostor.lock().unwrap() = true;
    *fails.always.lock().unwrap() = Some(FAILED);
    for (bad, reason) in [
        (refuses, "ticket-refused"),
        (poses, "kerberos-not-mutual"),
        (fails, "hadoop-failed"),
    ] {
        let (bad, first) = bad.start().await;
        let (_, last) = Fake::default().start().await;
        let kerberos = Arc::new(FakeKerberos::default());
        let negotiate = Arc::clone(&kerberos);
        let services = from_text(&ha_text(&[first, last]), negotiate);
        let tried = || (*kerberos.tickets.lock().unwrap(), bad.asked(""));
        issue(&services, "ns1").await.unwrap();
        let before = tried();
        issue(&services, "ns1").await.unwrap();
        assert_eq!(tried(), before, "{reason}");
        let error = issue(&ha(&[first, closed()]), "ns1").await.unwrap_err();
        assert_eq!(error.reason(), reason);
    }
}

#[tokio::test]
async fn without_an_active_namenode_the_error_says_why() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY);
    let (_, address) = standby.start().await;
    let error = issue(&ha(&[address, address]), "ns1").await.unwrap_err();
    assert!(matches!(error, HadoopError::AllStandby { .. }) && error.retryable());
    let dead = closed();
    let error = issue(&ha(&[address, dead]), "ns1").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("standby; ") && text.contains(&dead.to_string()) && text.contains("refused"),
        "{text}"
    );
}

/// It may stay so for many minutes, while the other one is active.
#[tokio::test]
async fn a_namenode_that_reads_its_image_is_passed_over() {
    let starting = Fake::default();
    *starting.always.lock().unwrap() = Some(STARTING);
    let (_, first) = starting.start().await;
    let (_, last) = Fake::default().start().await;
    issue(&ha(&[first, last]), "ns1").await.unwrap();
    let error = issue(&ha(&[first, first]), "ns1").await.unwrap_err();
    assert!(matches!(error, HadoopError::NotReady { .. }) && error.retryable());
}

#[tokio::test]
async fn safe_mode_is_an_answer_of_the_active() {
    let safe = Fake::default();
    *safe.always.lock().unwrap() = Some(SAFE_MODE);
    let (_, first) = safe.start().await;
    let (other, second) = Fake::default().start().await;
    let error = issue(&ha(&[first, second]), "ns1").await.unwrap_err();
    assert!(matches!(error, HadoopError::SafeMode { .. }) && error.retryable());
    assert_eq!(other.asked(""), 0);
}

#[tokio::test]
async fn a_token_that_is_gone_is_cancelled() {
    let (namenode, address) = Fake::default().start().await;
    let services = ha(&[address]);
    let issued = issue(&services, "ns1").await.unwrap();
    *namenode.always.lock().unwrap() = Some(UNKNOWN);
    let (ns1, token) = (services.get("ns1").unwrap(), &issued.tokens[0].1);
    ns1.cancel(token).await.unwrap();
    assert!(ns1.renew(token).await.unwrap_err().lost());
    // The empty cookie of its answers ends no session.
    assert_eq!(*namenode.logins.lock().unwrap(), 1);
}

#[tokio::test]
async fn answers_of_something_else_are_told_so() {
    let huge: &'static str = Box::leak("x".repeat(1024 * 1024 + 1).into_boxed_str());
    for body in [
        "<html>Welcome",
        "{\"Token\":{\"urlString\":\"AAA",
        "{\"Token\":{\"urlString\":\"!\"}}",
        "",
        huge,
    ] {
        let fake = Fake::default();
        *fake.always.lock().unwrap() = Some((200, body));
        let (_, address) = fake.start().await;
        let error = issue(&ha(&[address]), "ns1").await.unwrap_err();
        assert_eq!(error.reason(), "hadoop-bad-answer");
        assert!(error.to_string().len() < 400);
    }
}

#[tokio::test]
async fn nobody_gets_anothers_token_or_a_denied_ones() {
    let (namenode, address) = Fake::default().start().await;
    let services = ha(&[address]);
    let denied = services
        .get("ns1")
        .unwrap()
        .issue(&"hdfs".parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(denied, HadoopError::UserDenied(_)));
    assert_eq!(namenode.asked(""), 0);
    let bobs = Fake::default();
    let (_, address) = bobs.start().await;
    let services = ha(&[address]);
    let bob = services
        .get("ns1")
        .unwrap()
        .issue(&"bob".parse().unwrap())
        .await
        .unwrap();
    let text = bob.tokens[0].1.to_url_string();
    let wrong = Fake::default();
    let body: &'static str =
        Box::leak(format!("{{\"Token\":{{\"urlString\":\"{}\"}}}}", text.expose()).into());
    *wrong.always.lock().unwrap() = Some((200, body));
    let (_, address) = wrong.start().await;
    let error = issue(&ha(&[address]), "ns1").await.unwrap_err().to_string();
    assert!(
        error.contains("a token of \"bob\" instead of alice"),
        "{error}"
    );
}

#[tokio::test]
async fn the_kms_is_found_through_the_namenode() {
    let (kms, kms_address) = Fake::default().start().await;
    let (namenode, address) = Fake::default().start().await;
    let services = ha(&[address]);
    assert!(issue(&services, "kms").await.unwrap().tokens.is_empty());
    let uri = format!(
        "kms://http@{};127.0.0.1:{}/kms",
        kms_address.ip(),
        kms_address.port()
    );
    *namenode.key_provider.lock().unwrap() = uri.clone();
    let servers = services.key_servers().await.unwrap();
    let named: Vec<_> = servers.iter().map(|it| it.name()).collect();
    assert_eq!(named, ["127.0.0.1"; 2]);
    let issued = issue(&services, "kms").await.unwrap();
    let aliases: Vec<_> = issued
        .tokens
        .iter()
        .map(|(alias, _)| alias.clone())
        .collect();
    let member = format!("kms://http@{kms_address}/kms");
    assert_eq!(aliases, [uri, member, kms_address.to_string()]);
    let token = &issued.tokens[0].1;
    assert_eq!(token.kind(), "kms-dt");
    services.get("kms").unwrap().renew(token).await.unwrap();
    services.get("kms").unwrap().cancel(token).await.unwrap();
    assert_eq!(kms.asked("doAs=alice"), 1);
    assert_eq!(kms.asked("PUT op=CANCELDELEGATIONTOKEN"), 1);
}
