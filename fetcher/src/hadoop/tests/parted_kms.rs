//! Two KMS without a store for both: each knows what it has issued itself.

use super::*;

/// It does not answer as a KMS, as one behind a proxy that cannot reach it.
const AWAY: Recorded = (503, "<title>Service Unavailable</title>");

#[tokio::test]
async fn a_kms_that_knows_nothing_of_anothers_token_is_passed_over_and_named() {
    let ([first, second], port, at) = two_kms().await;
    let services = ha(&[at]);
    let mut issued = issue(&services, "kms").await.unwrap();
    // As the ledger gives them back.
    issued.tokens.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (kms, token) = (services.get("kms").unwrap(), issued.distinct()[0]);
    assert_eq!(kms.strangers_to(token).await, [""; 0]);
    *first.always.lock().unwrap() = Some(FORGOTTEN);
    assert_eq!(
        kms.strangers_to(token).await,
        [format!("http://127.0.0.1:{port}/kms")]
    );
    kms.renew(token).await.unwrap();
    assert!(first.asked("PUT op=RENEW") >= 3 && second.asked("PUT op=RENEW") >= 3);
}

#[tokio::test]
async fn a_token_is_renewed_and_cancelled_where_it_was_issued() {
    let ([first, second], _, at) = two_kms().await;
    *first.always.lock().unwrap() = Some(AWAY);
    let issued = issue(&ha(&[at]), "kms").await.unwrap();
    assert_eq!(second.asked("GET op=GETDELEGATIONTOKEN"), 1);
    *first.always.lock().unwrap() = Some(FORGOTTEN);
    // Another fetcher, or the same after a restart.
    let services = ha(&[at]);
    let (kms, token) = (services.get("kms").unwrap(), issued.distinct()[0]);
    kms.renew(token).await.unwrap();
    kms.cancel(token).await.unwrap();
    assert_eq!(second.asked("PUT op=CANCEL"), 1);
}

#[tokio::test]
async fn a_token_is_not_lost_while_its_kms_is_away() {
    let ([first, second], _, at) = two_kms().await;
    let services = ha(&[at]);
    let issued = issue(&services, "kms").await.unwrap();
    let (kms, token) = (services.get("kms").unwrap(), issued.distinct()[0]);
    for (one, other) in [(&first, &second), (&second, &first)] {
        *one.always.lock().unwrap() = Some(AWAY);
        *other.always.lock().unwrap() = Some(FORGOTTEN);
        for error in [
            kms.renew(token).await.map(drop).unwrap_err(),
            kms.cancel(token).await.unwrap_err(),
        ] {
            assert!(error.retryable() && !error.lost(), "{error}");
        }
        // It says of a stranger's what it says of one that was cancelled.
        other.script.lock().unwrap().push_back(known::KMS_CANCELLED);
        let error = kms.is_known(token).await.unwrap_err();
        assert!(error.retryable() && !error.lost(), "{error}");
        assert!(other.script.lock().unwrap().is_empty());
    }
    for one in [first, second] {
        *one.always.lock().unwrap() = Some(FORGOTTEN);
    }
    assert!(kms.renew(token).await.unwrap_err().lost());
    kms.cancel(token).await.unwrap();
}

/// One that has the key knows what became of the token, whoever is away.
#[tokio::test]
async fn a_token_that_is_gone_is_so_without_the_other_kms() {
    let ([first, second], _, at) = two_kms().await;
    let services = ha(&[at]);
    let issued = issue(&services, "kms").await.unwrap();
    let (kms, token) = (services.get("kms").unwrap(), issued.distinct()[0]);
    for (one, other) in [(&first, &second), (&second, &first)] {
        *one.always.lock().unwrap() = Some(AWAY);
        *other.always.lock().unwrap() = Some(UNKNOWN);
        assert!(kms.renew(token).await.unwrap_err().lost());
        kms.cancel(token).await.unwrap();
        other.script.lock().unwrap().push_back(known::KMS_CANCELLED);
        assert!(!kms.is_known(token).await.unwrap());
    }
}
