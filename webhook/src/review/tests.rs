use super::*;

const FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/pod-create-review.json");

#[test]
fn a_review_is_read() {
    let request = parse(FIXTURE).unwrap();
    assert_eq!(&*request.uid, "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(&*request.user_info.username, "alice");
    assert_eq!(request.operation, Operation::Create);
    assert_eq!(request.kind.api_version(), "v1");
}

#[test]
fn what_is_no_review_is_refused_with_the_reason() {
    for (body, reason) in [
        ("", "EOF"),
        ("[]", "AdmissionReview"),
        ("{}", "missing field `apiVersion`"),
        (
            r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
            "got admission.k8s.io/v1beta1",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"Pod"}"#,
            "got admission.k8s.io/v1 Pod",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "no request",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}"#,
            "no request",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",
                "request":{"kind":{"version":"v1","kind":"Pod"},"operation":"CREATE"}}"#,
            "no uid",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","kind":"AdmissionReview"}"#,
            "duplicate",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"} x"#,
            "trailing",
        ),
    ] {
        let error = parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{body}: {error}");
    }
}

/// The patch goes to members of these objects; an API server always writes them.
#[test]
fn a_pod_whose_parts_are_no_objects_is_refused() {
    for (pod, reason) in [
        (r#""spec":{}"#, "missing field `metadata`"),
        (r#""metadata":null,"spec":{}"#, "null, expected an object"),
        (
            r#""metadata":["p"],"spec":{}"#,
            "sequence, expected an object",
        ),
        (
            r#""metadata":"p","spec":{}"#,
            "string \"p\", expected an object",
        ),
        (r#""metadata":{}"#, "missing field `spec`"),
        (r#""metadata":{},"spec":[]"#, "sequence, expected an object"),
        (
            r#""metadata":{},"spec":{"containers":[["main"]]}"#,
            "sequence, expected an object",
        ),
        (
            r#""metadata":{},"spec":{"initContainers":[["main"]],"containers":[]}"#,
            "sequence, expected an object",
        ),
    ] {
        let body = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{
                "uid":"u","kind":{{"version":"v1","kind":"Pod"}},"operation":"CREATE",
                "object":{{"apiVersion":"v1","kind":"Pod",{pod}}}}}}}"#
        );
        let error = parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{pod}: {error}");
    }
}
