//! Answers of Hadoop 3.4.1 as it gave them.

use super::*;

fn answer(status: u16, reason: Option<&str>, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        reason: reason.map(str::to_owned),
        body: Zeroizing::new(body.as_bytes().to_vec()),
    }
}

fn remote(exception: &str, message: &str) -> HadoopError {
    let body = serde_json::json!({"RemoteException": {"message": message, "exception": exception,
        "javaClassName": format!("org.apache.hadoop.{exception}")}});
    read(answer(403, None, &format!("{body:#}")))
}

fn read(answer: Answer) -> HadoopError {
    read_from(Product::NameNode, answer)
}

fn read_from(product: Product, answer: Answer) -> HadoopError {
    failure(
        &answer,
        Asked {
            service: "ns1",
            product,
            host: "http://nn1:9870",
            principal: "k2h",
            user: Some("alice"),
        },
    )
}

#[test]
fn the_same_status_means_different_things() {
    for (exception, message, reason) in [
        (
            "StandbyException",
            "Operation category WRITE is not supported in state standby.",
            "hadoop-standby",
        ),
        (
            "RouterSafeModeException",
            "Router router:8888 is in safe mode and cannot handle WRITE requests.",
            "hadoop-standby",
        ),
        (
            "IOException",
            "Cannot locate a registered namenode for ns3 from router:8888",
            "hadoop-unreachable",
        ),
        (
            "SafeModeException",
            "Cannot issue delegation token. Name node is in safe mode.\nThe reported blocks 0 has reached the threshold",
            "hadoop-safe-mode",
        ),
        (
            "RetriableException",
            "Namenode is in startup mode",
            "hadoop-not-ready",
        ),
        (
            "SecurityException",
            "Failed to obtain user group information: org.apache.hadoop.ipc.RetriableException: Namenode is in startup mode",
            "hadoop-not-ready",
        ),
        (
            "RetriableException",
            "Server is too busy.",
            "hadoop-not-ready",
        ),
        (
            "AuthorizationException",
            "User: k2h is not allowed to impersonate alice",
            "proxy-user-not-allowed",
        ),
        (
            "SecurityException",
            "Failed to obtain user group information: User: k2h is not allowed to impersonate alice",
            "proxy-user-not-allowed",
        ),
        (
            "AuthorizationException",
            "Unauthorized connection for super-user: k2h from IP /10.210.0.7",
            "proxy-host-not-allowed",
        ),
        (
            "InvalidToken",
            "Renewal request for unknown token (token for alice)",
            "token-unknown",
        ),
        (
            "InvalidToken",
            "k2h tried to renew an expired token (token for alice)",
            "token-unknown",
        ),
        (
            "InvalidToken",
            "Token not found (token for alice)",
            "token-unknown",
        ),
        (
            "AuthenticationException",
            "org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: k2h, can't be found in cache",
            "token-unknown",
        ),
        (
            "AccessControlException",
            "k2h is trying to renew a token (x) with wrong password",
            "token-unknown",
        ),
        (
            "AccessControlException",
            "a tries to renew a token (x) with non-matching renewer b",
            "not-renewer",
        ),
        (
            "AccessControlException",
            "a is not authorized to cancel the token",
            "hadoop-refused",
        ),
        (
            "IllegalArgumentException",
            "Invalid value for webhdfs parameter \"op\"",
            "hadoop-refused",
        ),
    ] {
        assert_eq!(
            remote(exception, message).reason(),
            reason,
            "{exception}: {message}"
        );
    }
}

#[test]
fn what_the_server_could_not_do_is_asked_again_and_what_it_would_not_is_final() {
    for (status, exception, message, reason, again) in [
        (
            500,
            "RuntimeException",
            "java.lang.InterruptedException",
            "hadoop-failed",
            true,
        ),
        (500, "NullPointerException", "", "hadoop-failed", true),
        (
            500,
            "IOException",
            "No space left on device",
            "hadoop-failed",
            true,
        ),
        (503, "ServiceException", "", "hadoop-failed", true),
        (
            403,
            "ConnectException",
            "Call From rbf to nn1:8020 failed",
            "hadoop-failed",
            true,
        ),
        (
            403,
            "IOException",
            "Security is not enabled",
            "hadoop-refused",
            false,
        ),
        (
            403,
            "AuthorizationException",
            "User: k2h is not authorized",
            "hadoop-refused",
            false,
        ),
        (
            500,
            "AccessControlException",
            "Permission denied",
            "hadoop-refused",
            false,
        ),
        (
            500,
            "RuntimeException",
            "org.apache.hadoop.security.authentication.util.KerberosName$NoMatchingRule: No rules applied to u@OTHER.COM",
            "hadoop-refused",
            false,
        ),
        (500, "StandbyException", "", "hadoop-standby", true),
    ] {
        let body =
            serde_json::json!({"RemoteException": {"exception": exception, "message": message}});
        let error = read(answer(status, None, &body.to_string()));
        assert_eq!(
            (error.reason(), error.retryable()),
            (reason, again),
            "{status} {exception}: {message}"
        );
    }
}

#[test]
fn proxy_user_refusals_name_the_keys_to_change() {
    let text = remote(
        "AuthorizationException",
        "User: k2h is not allowed to impersonate alice",
    )
    .to_string();
    assert!(
        text.contains("hadoop.proxyuser.k2h.users or hadoop.proxyuser.k2h.groups"),
        "{text}"
    );
    let text = remote(
        "AuthorizationException",
        "Unauthorized connection for super-user: k2h from IP /10.0.0.7",
    );
    let text = text.to_string();
    assert!(
        text.contains("hadoop.proxyuser.k2h.hosts") && text.contains("10.0.0.7"),
        "{text}"
    );
    assert!(!text.contains(".groups"), "{text}");
}

#[test]
fn each_product_has_its_own_keys_and_file() {
    let body = r#"{"RemoteException":{"exception":"AuthorizationException","message":"User: k2h is not allowed to impersonate alice"}}"#;
    for (product, keys) in [
        (
            Product::ResourceManager,
            "hadoop.proxyuser.k2h.groups in its core-site.xml",
        ),
        (
            Product::HttpFs,
            "httpfs.proxyuser.k2h.groups in its httpfs-site.xml",
        ),
        (
            Product::Kms,
            "hadoop.kms.proxyuser.k2h.groups in its kms-site.xml",
        ),
    ] {
        let text = read_from(product, answer(403, None, body)).to_string();
        assert!(text.contains(keys), "{text}");
    }
}

#[test]
fn a_resource_manager_that_does_not_lead_is_standby() {
    for (status, body) in [
        (
            307,
            "This is standby RM. The redirect url is: /ws/v1/cluster/delegation-token\n",
        ),
        (
            307,
            "Can not find any active RM. Will retry in next 5 seconds.\nHA Zookeeper Connection State: x\n",
        ),
        (200, "There is no active RM right now.\n"),
    ] {
        let answer = answer(status, None, body);
        assert!(is_standby_manager(&answer));
        assert_eq!(read(answer).reason(), "hadoop-standby", "{body}");
    }
}

#[test]
fn a_resource_manager_says_it_in_plain_text_or_wrapped() {
    let read = |status, body: &str| read_from(Product::ResourceManager, answer(status, None, body));
    for (status, body, reason) in [
        (
            403,
            "k2h tries to renew a token (RM_DELEGATION_TOKEN owner=alice) with non-matching renewer other",
            "not-renewer",
        ),
        (
            403,
            "k2h@R is not authorized to cancel the token (RM_DELEGATION_TOKEN owner=alice)",
            "hadoop-refused",
        ),
        (
            400,
            r#"{"RemoteException":{"exception":"BadRequestException","message":"java.lang.Exception: Renewal request for unknown token (RM_DELEGATION_TOKEN owner=alice)"}}"#,
            "token-unknown",
        ),
        (
            400,
            r#"{"RemoteException":{"exception":"BadRequestException","message":"java.lang.Exception: Token not found (RM_DELEGATION_TOKEN owner=alice)"}}"#,
            "token-unknown",
        ),
        (
            400,
            r#"{"RemoteException":{"exception":"BadRequestException","message":"java.lang.Exception: k2h tried to renew an expired token (RM_DELEGATION_TOKEN owner=alice) max expiration date: x"}}"#,
            "token-unknown",
        ),
        (
            400,
            r#"{"RemoteException":{"exception":"BadRequestException","message":"java.lang.Exception: Could not decode encoded token"}}"#,
            "token-unknown",
        ),
        (403, "<html><title>Forbidden</title>", "hadoop-bad-answer"),
    ] {
        assert_eq!(read(status, body).reason(), reason, "{body}");
    }
}

#[test]
fn the_kms_says_it_in_the_reason_phrase() {
    for (status, phrase, reason) in [
        (
            403,
            "org.apache.hadoop.security.token.SecretManager$InvalidToken: Renewal request for unknown token (x)",
            "token-unknown",
        ),
        (403, "java.io.EOFException", "token-unknown"),
        (
            404,
            "Invalid delegation token, cannot cancel",
            "token-unknown",
        ),
        (
            403,
            "org.apache.hadoop.security.AccessControlException: k2h is trying to renew a token (x) with wrong password",
            "token-unknown",
        ),
        (
            400,
            "Wrong HTTP method [GET] for operation [RENEWDELEGATIONTOKEN], it should be [PUT]",
            "hadoop-bad-answer",
        ),
    ] {
        assert_eq!(
            read(answer(status, Some(phrase), "")).reason(),
            reason,
            "{phrase}"
        );
    }
}

#[test]
fn refused_tickets_say_what_to_change() {
    let gss = |inner: &str| {
        let text = format!(
            "GSSException: Failure unspecified at GSS-API level (Mechanism level: {inner})"
        );
        read(answer(
            403,
            Some(&text),
            "<html><title>Error 403</title></html>",
        ))
    };
    assert!(gss("Clock skew too great (37)").to_string().contains("NTP"));
    assert!(gss("Checksum failed").to_string().contains("HTTP keytab"));
    assert!(is_replay(&gss("Request is a replay (34)")));
    assert!(!is_replay(&gss("Checksum failed")));
    let late = |inner| gss(&format!("{}: {inner}", "x".repeat(MAX_TEXT)));
    assert!(late("Clock skew too great").to_string().contains("NTP"));
    assert!(is_replay(&late("Request is a replay")));
    let title = format!(
        "<title>{} GSSException: Request is a replay</title>",
        "x".repeat(MAX_TEXT)
    );
    assert!(is_replay(&read(answer(403, None, &title))));
}

/// What was asked with stands before what it means, and may be long.
#[test]
fn the_telling_words_may_come_late() {
    let long = "x".repeat(2 * MAX_TEXT);
    for (exception, message, reason) in [
        (
            "RetriableException",
            format!("Cannot issue a token of {long}: in safe mode"),
            "hadoop-safe-mode",
        ),
        (
            "IOException",
            format!("{long}: Cannot locate a registered namenode for ns3"),
            "hadoop-unreachable",
        ),
        (
            "SecurityException",
            format!("User: {long} is not allowed to impersonate alice"),
            "proxy-user-not-allowed",
        ),
        (
            "SecurityException",
            format!("{long}: Unauthorized connection for super-user: k2h"),
            "proxy-host-not-allowed",
        ),
        (
            "IOException",
            format!("token (owner={long}) can't be found in cache"),
            "token-unknown",
        ),
        (
            "AccessControlException",
            format!("k2h tries to renew a token ({long}) with non-matching renewer b"),
            "not-renewer",
        ),
    ] {
        let error = remote(exception, &message);
        assert_eq!(error.reason(), reason, "{message}");
        assert!(error.to_string().len() < 2 * MAX_TEXT, "{error}");
    }
}

#[test]
fn a_server_that_has_the_key_is_told_from_a_stranger() {
    for owner in ["alice".into(), "x".repeat(2 * MAX_TEXT)] {
        for (exception, message, stranger) in [
            (
                "AccessControlException",
                format!("k2h is trying to renew a token (owner={owner}) with wrong password"),
                true,
            ),
            (
                "InvalidToken",
                format!(
                    "Unable to find master key for keyId=7 from cache. Failed to renew an unexpired token (owner={owner})"
                ),
                true,
            ),
            (
                "InvalidToken",
                format!("{owner}: Renewal request for unknown token"),
                false,
            ),
        ] {
            let error = remote(exception, &message);
            assert!(error.lost());
            assert_eq!(error.perhaps_a_stranger(), stranger, "{message}");
        }
    }
}

#[test]
fn what_is_not_hadoop_is_said_so() {
    for body in [
        "<html><head><title>Welcome to nginx!</title></head>",
        "",
        "{\"RemoteException\":",
        "\u{fffd}",
        "[]",
    ] {
        assert_eq!(
            read(answer(403, None, body)).reason(),
            "hadoop-bad-answer",
            "{body}"
        );
    }
    let text = read(answer(
        404,
        None,
        "<title>Error 404\n\u{1b}[31m Not\tFound</title>",
    ))
    .to_string();
    assert!(
        text.contains("404 Not Found, Error 404 [31m Not Found"),
        "{text}"
    );
    let long = "x".repeat(10_000);
    assert!(remote("IOException", &long).to_string().len() < 400);
    for body in [
        &b"{\"long\":"[..],
        b"<html>",
        b"{\"long\":\"x\"}",
        b"\xff\xfe",
    ] {
        let answer = Answer {
            status: StatusCode::OK,
            reason: None,
            body: Zeroizing::new(body.to_vec()),
        };
        let read: Result<std::collections::BTreeMap<String, u64>, _> = json(&answer, "http://nn1");
        assert_eq!(read.unwrap_err().reason(), "hadoop-bad-answer");
    }
}

#[test]
fn a_token_that_a_stranger_repeats_is_not_told() {
    let url = "/webhdfs/v1/?op=RENEWDELEGATIONTOKEN&token=KAAFYWxpY2U&x=1";
    let repeated = [
        answer(502, None, &format!("<title>Bad gateway for {url}</title>")),
        answer(403, Some(&format!("GSSException: {url}")), ""),
        answer(
            404,
            None,
            &format!(r#"{{"RemoteException":{{"exception":"X","message":"no {url}"}}}}"#),
        ),
    ];
    for answer in repeated {
        let text = read(answer).to_string();
        assert!(text.contains("token=…") && !text.contains("KAAF"), "{text}");
    }
}
