//! Whether tokens could be asked for, which is looked at while nobody does.

use super::*;

async fn answers(services: &HadoopServices, service: &str) -> Result<(), HadoopError> {
    services.get(service).unwrap().answers().await
}

#[tokio::test]
async fn without_kerberos_no_service_answers() {
    let (_, address) = Fake::default().start().await;
    let text = ha_text(&[address]);
    let dead = with_timeout(&text, Arc::new(DeadKerberos), Duration::from_millis(20));
    for service in ["ns1", "kms"] {
        let error = answers(&dead, service).await.unwrap_err();
        assert_eq!(error.reason(), "kdc-unreachable");
    }
    let alive = from_text(&text, Arc::new(FakeKerberos::default()));
    for service in ["ns1", "kms"] {
        answers(&alive, service).await.unwrap();
    }
}

#[tokio::test]
async fn a_look_is_one_request_in_the_session_of_all_others() {
    let (kms, key_server) = Fake::default().start().await;
    let (namenode, address) = Fake::default().start().await;
    *namenode.key_provider.lock().unwrap() = format!("kms://http@{key_server}/kms");
    let services = ha(&[address]);
    for look in 1..=3 {
        answers(&services, "kms").await.unwrap();
        assert_eq!((kms.asked(""), namenode.asked("")), (look, 1));
    }
    for look in 1..=3 {
        answers(&services, "ns1").await.unwrap();
        assert_eq!(namenode.asked(""), 1 + look);
    }
    let logins = [kms, namenode].map(|it| *it.logins.lock().unwrap());
    assert_eq!(logins, [1, 1]);
}

#[tokio::test]
async fn who_leads_nothing_or_is_away_does_not_answer() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY);
    let (_, address) = standby.start().await;
    let error = answers(&ha(&[address]), "ns1").await.unwrap_err();
    assert_eq!(error.reason(), "hadoop-standby");
    let (namenode, address) = Fake::default().start().await;
    *namenode.key_provider.lock().unwrap() = format!("kms://http@{}/kms", closed());
    let error = answers(&ha(&[address]), "kms").await.unwrap_err();
    assert_eq!(error.reason(), "hadoop-unreachable");
}
