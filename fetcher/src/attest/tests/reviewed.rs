//! What a TokenReview answers.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};

use super::*;

fn review(extra: &[(&str, &str)], username: &str, audiences: &[&str]) -> TokenReviewStatus {
    let pairs = extra.iter().map(|(key, value)| {
        (
            format!("authentication.kubernetes.io/{key}"),
            vec![(*value).to_owned()],
        )
    });
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(audiences.iter().map(|one| (*one).to_owned()).collect()),
        user: Some(UserInfo {
            username: Some(username.into()),
            extra: Some(pairs.collect::<BTreeMap<_, _>>()),
            ..UserInfo::default()
        }),
        error: None,
    }
}

const EXTRA: [(&str, &str); 3] = [
    ("pod-name", "web-0"),
    ("pod-uid", "u1"),
    ("node-name", "n1"),
];
const ACCOUNT: &str = "system:serviceaccount:team:default";

#[test]
fn a_token_proves_a_pod_only_with_all_of_its_marks() {
    let bound = bound_pod(review(&EXTRA, ACCOUNT, &["kube2hadoop"]), "kube2hadoop").unwrap();
    assert_eq!(bound, scene().bound);
    for missing in 0..EXTRA.len() {
        let mut extra = EXTRA.to_vec();
        extra.remove(missing);
        let refusal =
            bound_pod(review(&extra, ACCOUNT, &["kube2hadoop"]), "kube2hadoop").unwrap_err();
        assert_eq!(refusal.reason(), "token-not-of-a-pod");
    }
    for name in ["alice", "system:serviceaccount:team", "system:node:n1"] {
        let refusal = bound_pod(review(&EXTRA, name, &["kube2hadoop"]), "kube2hadoop").unwrap_err();
        assert_eq!(refusal.reason(), "token-not-of-a-pod");
    }
}

#[test]
fn a_token_of_another_audience_or_expired_is_rejected() {
    for audiences in [&["https://kubernetes.default.svc"][..], &[]] {
        let refusal = bound_pod(review(&EXTRA, ACCOUNT, audiences), "kube2hadoop").unwrap_err();
        assert_eq!(refusal.reason(), "token-rejected");
    }
    let expired = TokenReviewStatus {
        authenticated: Some(false),
        error: Some("token has expired".into()),
        ..TokenReviewStatus::default()
    };
    let refusal = bound_pod(expired, "kube2hadoop").unwrap_err();
    assert_eq!(refusal.reason(), "token-rejected");
    assert!(refusal.to_string().contains("token has expired"));
}

#[test]
fn only_what_an_api_server_says_when_it_does_not_find_the_pod_may_pass() {
    let invalidated = "service account token has been invalidated";
    let listed = format!("[invalid bearer token, {invalidated}]");
    let old_pod = "[pod UID (u0) does not match service account pod ref claim (u1), unknown]";
    let cases = [
        (invalidated, "pod-unconfirmed", true),
        (listed.as_str(), "pod-unconfirmed", true),
        (old_pod, "pod-unconfirmed", true),
        ("service account token has expired", "token-rejected", false),
        (
            "service account UID (s0) does not match claim (s1)",
            "token-rejected",
            false,
        ),
        (
            "secret UID (s0) does not match service account secret ref claim (s1)",
            "token-rejected",
            false,
        ),
        ("invalid bearer token", "token-rejected", false),
        ("", "token-rejected", false),
    ];
    for (said, reason, retryable) in cases {
        let status = TokenReviewStatus {
            authenticated: Some(false),
            error: Some(said.into()),
            ..review(&EXTRA, ACCOUNT, &["kube2hadoop"])
        };
        let refusal = bound_pod(status, "kube2hadoop").unwrap_err();
        let told = (refusal.reason(), refusal.problem_type().retryable());
        assert_eq!(told, (reason, retryable), "{said}");
    }
}
