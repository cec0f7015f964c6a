use super::*;
use proptest::prelude::*;

#[test]
fn an_answer_has_the_documented_shape() {
    let answer = TokenResponse {
        credentials: SecretBytes::from(&b"HDTS"[..]),
        conf: BTreeMap::from([(
            FileName::try_from("core-site.xml").unwrap(),
            FileContent(b"<c/>".to_vec()),
        )]),
        user: "alice".to_owned(),
        expires_at: Timestamp::from_unix_seconds(1_769_860_800),
        refresh_at: Timestamp::from_unix_seconds(1_769_857_200),
        ca: Some("PEM".to_owned()),
    };
    let json = serde_json::json!({
        "credentials": "SERUUw==",
        "conf": {"core-site.xml": "PGMvPg=="},
        "user": "alice",
        "expiresAt": "2026-01-31T12:00:00Z",
        "refreshAt": "2026-01-31T11:00:00Z",
        "ca": "PEM",
    });
    assert_eq!(serde_json::to_value(&answer).unwrap(), json);
    assert_eq!(
        serde_json::from_str::<TokenResponse>(&json.to_string()).unwrap(),
        answer
    );
    assert!(!format!("{answer:?}").contains("HDTS"));
}

#[test]
fn a_request_for_everything_is_an_empty_object() {
    let all = TokenRequest::default();
    assert_eq!(serde_json::to_string(&all).unwrap(), "{}");
    assert_eq!(serde_json::from_str::<TokenRequest>("{}").unwrap(), all);
}

#[test]
fn a_problem_of_a_newer_fetcher_is_understood() {
    let text = r#"{"type":"urn:kube2hadoop:problem:new","title":"t","status":418,"extra":1}"#;
    let problem: Problem = serde_json::from_str(text).unwrap();
    assert_eq!((problem.name(), problem.retryable), ("new", false));
}

#[test]
fn a_problem_says_its_status_once() {
    let problem = Problem::new(ProblemType::StampClock, "sync the clocks").with_request_id("r1");
    let json = serde_json::to_value(&problem).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "type": "urn:kube2hadoop:problem:stamp-clock",
            "title": "The stamp's time does not fit the pod's",
            "status": 403,
            "detail": "sync the clocks",
            "retryable": false,
            "requestId": "r1",
        })
    );
}

#[test]
fn server_faults_are_retried_and_client_faults_are_not() {
    for problem in ProblemType::ALL {
        let temporary = problem.status() >= 500 || matches!(problem.status(), 408 | 429);
        assert_eq!(problem.retryable(), temporary, "{problem:?}");
    }
}

#[test]
fn hostile_file_names_are_refused() {
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "a\0",
        "a\n",
        "-rf",
        "ä",
    ] {
        assert!(FileName::try_from(name).is_err(), "{name:?}");
    }
    assert!(FileName::try_from("x".repeat(101)).is_err());
    for name in ["core-site.xml", "truststore.jks", "x"] {
        assert!(FileName::try_from(name).is_ok(), "{name:?}");
    }
}

#[test]
fn known_days_have_their_dates() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] {
        let time = Timestamp::from_unix_seconds(seconds);
        assert_eq!(time.to_string(), text);
        assert_eq!(text.parse(), Ok(time));
    }
}

#[test]
fn other_texts_are_no_times() {
    for text in [
        "",
        "Z",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+01:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "1969-12-31T23:59:59Z",
        "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.xZ",
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text:?}");
    }
    assert_eq!(
        "1970-01-01T00:00:01.999Z".parse(),
        Ok(Timestamp::from_unix_seconds(1))
    );
}

proptest! {
    #[test]
    fn every_second_survives(seconds in 0..=253_402_300_799_u64) {
        let time = Timestamp::from_unix_seconds(seconds);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = text.parse::<Timestamp>();
    }
}
