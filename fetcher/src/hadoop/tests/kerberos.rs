//! No ticket to be had.

use super::*;

#[tokio::test]
async fn a_dead_kdc_or_keytab_never_shows_as_a_panic() {
    // The real library, with no keytab in this process's environment.
    use crate::hadoop::spnego::Spnego;
    let error = Spnego::new("k2h@NO.SUCH.REALM".parse().unwrap())
        .start("nn.test")
        .await
        .err()
        .unwrap();
    assert!(
        ["keytab", "kerberos-realm-unknown", "kerberos-no-ticket"].contains(&error.reason()),
        "{error}"
    );
}

#[tokio::test]
async fn a_kdc_that_never_answers_holds_nobody_up() {
    let text = property("fs.defaultFS", "hdfs://localhost:9000");
    let services = with_timeout(&text, Arc::new(DeadKerberos), Duration::from_millis(20));
    let all = futures::future::join_all((0..20).map(|_| issue(&services, "localhost"))).await;
    for outcome in all {
        assert_eq!(outcome.unwrap_err().reason(), "kdc-unreachable");
    }
}

/// The NameNode that is asked first has restarted and wants a ticket; the other knows us still, and leads now.
#[tokio::test]
async fn a_namenode_that_knows_us_is_asked_without_a_kdc() {
    let (first, one) = Fake::default().start().await;
    let (second, other) = Fake::default().start().await;
    let kerberos = Arc::new(FakeKerberos::default());
    let negotiate = Arc::clone(&kerberos);
    let timeout = Duration::from_millis(200);
    let services = with_timeout(&ha_text(&[one, other]), negotiate, timeout);
    first.script.lock().unwrap().push_back(STANDBY);
    issue(&services, "ns1").await.unwrap();
    *second.logins.lock().unwrap() += 1;
    *kerberos.silent.lock().unwrap() = true;
    issue(&services, "ns1").await.unwrap();
    assert_eq!(first.asked("GETDELEGATIONTOKEN"), 2);
    // That says more than a refused connection.
    *first.logins.lock().unwrap() += 1;
    let error = issue(&services, "ns1").await.unwrap_err();
    assert_eq!(error.reason(), "kdc-unreachable");
}
