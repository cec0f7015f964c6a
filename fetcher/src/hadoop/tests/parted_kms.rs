//! Two KMS without a store for both: each knows what it has issued itself.

use super::*;

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
