//! Whether a token is still known: asked with nothing but the token, and answered with no only where that is certain.

use super::*;

const CANCELLED: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"SecurityException","javaClassName":"java.lang.SecurityException","message":"Failed to obtain user group information: org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: , can't be found in cache"}}"#,
);
/// Of Hadoop 3.0 to 3.3: longer than what our messages quote.
const CANCELLED_AT_LENGTH: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"SecurityException","javaClassName":"java.lang.SecurityException","message":"Failed to obtain user group information: org.apache.hadoop.security.token.SecretManager$InvalidToken: token (token for alice: HDFS_DELEGATION_TOKEN owner=alice, renewer=kube2hadoop, realUser=kube2hadoop/fetcher.example.com@EXAMPLE.COM, issueDate=1700000000000, maxDate=1700604800000, sequenceNumber=7, masterKeyId=2) can't be found in cache"}}"#,
);
const EXPIRED: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"SecurityException","message":"Failed to obtain user group information: org.apache.hadoop.security.token.SecretManager$InvalidToken: Token  has expired, current time: 2026-11-27 10:00:00,000+0000 expected renewal time: 2026-11-27 09:00:00,000+0000"}}"#,
);
const BECOMING_ACTIVE: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"SecurityException","message":"Failed to obtain user group information: org.apache.hadoop.ipc.RetriableException: org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: , can't be found in cache"}}"#,
);
pub(super) const KMS_CANCELLED: Recorded = (
    403,
    r#"{"RemoteException":{"message":"org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: k2h, can't be found in cache","exception":"AuthenticationException","javaClassName":"org.apache.hadoop.security.authentication.client.AuthenticationException"}}"#,
);

/// The same cluster, without a KDC.
fn without_kdc(namenodes: &[SocketAddr]) -> HadoopServices {
    from_text(&ha_text(namenodes), Arc::new(DeadKerberos))
}

async fn ask(
    services: &HadoopServices,
    service: &str,
    issued: &Issued,
) -> Result<bool, HadoopError> {
    let token = issued.distinct()[0];
    services.get(service).unwrap().is_known(token).await
}

#[tokio::test]
async fn a_namenode_tells_a_cancelled_token_from_a_known_one_without_a_ticket_of_ours() {
    let (namenode, address) = Fake::default().start().await;
    let issued = issue(&ha(&[address]), "ns1").await.unwrap();
    let services = without_kdc(&[address]);
    assert!(ask(&services, "ns1", &issued).await.unwrap());
    for recorded in [CANCELLED, CANCELLED_AT_LENGTH] {
        *namenode.always.lock().unwrap() = Some(recorded);
        assert!(!ask(&services, "ns1", &issued).await.unwrap());
    }
    assert_eq!(namenode.asked("GET op=GETHOMEDIRECTORY&delegation="), 3);
    assert_eq!(*namenode.logins.lock().unwrap(), 1, "that of the issue");
}

#[tokio::test]
async fn what_is_no_certain_no_is_none() {
    let (namenode, address) = Fake::default().start().await;
    let issued = issue(&ha(&[address]), "ns1").await.unwrap();
    let services = without_kdc(&[address]);
    for recorded in [
        EXPIRED,
        BECOMING_ACTIVE,
        STARTING,
        STANDBY,
        SAFE_MODE,
        (401, "<title>Authentication required</title>"),
        (403, "<title>Forbidden</title>"),
        (502, "bad gateway"),
        (200, "<title>Welcome</title> can't be found in cache"),
    ] {
        *namenode.always.lock().unwrap() = Some(recorded);
        let answer = ask(&services, "ns1", &issued).await;
        assert!(
            !matches!(answer, Ok(_) | Err(HadoopError::Unknown { .. })),
            "{recorded:?} {answer:?}"
        );
    }
}

#[tokio::test]
async fn standby_and_dead_namenodes_leave_the_answer_to_the_active() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY);
    let (_, first) = standby.start().await;
    let (active, last) = Fake::default().start().await;
    let issued = issue(&ha(&[last]), "ns1").await.unwrap();
    let services = without_kdc(&[closed(), first, last]);
    assert!(ask(&services, "ns1", &issued).await.unwrap());
    *active.always.lock().unwrap() = Some(CANCELLED);
    let services = without_kdc(&[closed(), first, last]);
    assert!(!ask(&services, "ns1", &issued).await.unwrap());
}

/// Without a store for both, a token is unknown only where all say so.
#[tokio::test]
async fn any_kms_that_knows_the_token_is_enough() {
    let ([first, second], _, at) = two_kms().await;
    let issued = issue(&ha(&[at]), "kms").await.unwrap();
    let services = without_kdc(&[at]);
    *first.always.lock().unwrap() = Some(KMS_CANCELLED);
    assert!(ask(&services, "kms", &issued).await.unwrap());
    *second.always.lock().unwrap() = Some(KMS_CANCELLED);
    assert!(!ask(&services, "kms", &issued).await.unwrap());
    assert_eq!((first.asked("OPTIONS"), second.asked("OPTIONS")), (2, 2));
}
