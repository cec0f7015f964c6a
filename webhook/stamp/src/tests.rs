use crate::*;

fn template() -> TemplateClaims {
    TemplateClaims {
        iss: "k2h".into(),
        ns: "team-a".into(),
        sa: "default".into(),
        sub: "alice".parse().unwrap(),
        submitter: "alice@example.com".into(),
        origin: Origin {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            name: ObjectName::Name("etl".into()),
        },
        job: None,
    }
}

fn pod(name: ObjectName) -> PodClaims {
    PodClaims {
        iss: "k2h".into(),
        ns: "team-a".into(),
        sa: "default".into(),
        sub: "alice".parse().unwrap(),
        submitter: "alice@example.com".into(),
        pod: name,
        origin: Some(template().origin),
        job: None,
        iat: 1_000,
    }
}

fn facts() -> PodFacts<'static> {
    PodFacts {
        namespace: "team-a",
        service_account: "default",
        name: "etl-x7k2p",
        generate_name: Some("etl-"),
        created_at: 1_010,
    }
}

fn generated() -> PodClaims {
    pod(ObjectName::GenerateName("etl-".into()))
}

#[test]
fn a_stamp_comes_back_as_it_was_signed() {
    let key = SigningKey::generate().unwrap();
    let stamp = key.sign_template(&template()).unwrap();
    assert_eq!(key.public().verify_template(&stamp, "k2h"), Ok(template()));
    let stamp = key.sign_pod(&generated()).unwrap();
    assert_eq!(key.public().verify_pod(&stamp, "k2h"), Ok(generated()));
}

#[test]
fn a_template_stamp_is_the_same_each_time() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(
        key.sign_template(&template()).unwrap(),
        key.sign_template(&template()).unwrap()
    );
}

#[test]
fn template_and_pod_stamps_are_not_taken_for_each_other() {
    let key = SigningKey::generate().unwrap();
    let of_template = key.sign_template(&template()).unwrap();
    let of_pod = key.sign_pod(&generated()).unwrap();
    assert!(matches!(
        key.public().verify_pod(&of_template, "k2h"),
        Err(StampError::Type(_))
    ));
    assert!(matches!(
        key.public().verify_template(&of_pod, "k2h"),
        Err(StampError::Type(_))
    ));
}

#[test]
fn every_changed_byte_is_noticed() {
    let key = SigningKey::generate().unwrap();
    let stamp = key.sign_pod(&generated()).unwrap();
    for at in 0..stamp.len() {
        let mut bytes = stamp.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        // The last character of a part may hold bits that base64 ignores; it is refused all the same.
        assert!(
            key.public().verify_pod(&changed, "k2h").is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn strange_keys_issuers_and_algorithms_are_refused() {
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let stamp = key.sign_pod(&generated()).unwrap();
    assert!(matches!(
        other.public().verify_pod(&stamp, "k2h"),
        Err(StampError::UnknownKey(_))
    ));
    assert!(matches!(
        key.public().verify_pod(&stamp, "other"),
        Err(StampError::Issuer(_))
    ));
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYSIsImtpZCI6ImIifQ.e30.AA";
    assert_eq!(
        key.public().verify_pod(none, "k2h"),
        Err(StampError::Algorithm)
    );
    for garbage in ["", ".", "..", "a.b.c", &"x".repeat(100_000)] {
        assert_eq!(
            key.public().verify_pod(garbage, "k2h"),
            Err(StampError::Malformed)
        );
    }
}

#[test]
fn the_key_of_a_template_is_named_if_it_is_ours() {
    let key = SigningKey::generate().unwrap();
    let stamp = key.sign_template(&template()).unwrap();
    assert_eq!(key.public().template_signer(&stamp), Some(key.kid()));
    let other = SigningKey::generate().unwrap().public();
    assert_eq!(other.template_signer(&stamp), None);
    let of_pod = key.sign_pod(&generated()).unwrap();
    for no_template in [&*of_pod, "", "a.b.c", &"x".repeat(100_000)] {
        assert_eq!(key.public().template_signer(no_template), None);
    }
}

#[test]
fn keys_survive_their_secret_and_their_config_map() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
    assert_eq!(again.kid(), key.kid());
    let public = VerifyingKeys::from_jwks(&key.public().to_jwks()).unwrap();
    assert_eq!(public, key.public());
    let renamed = key.public().to_jwks().replace(key.kid(), "other");
    assert!(VerifyingKeys::from_jwks(&renamed).is_err());
    assert!(!format!("{key:?}").contains("pair"));
}

#[test]
fn a_pod_stamp_fits_its_pod_only() {
    let claims = generated();
    assert_eq!(claims.check_pod(&facts(), 30), Ok(()));
    let wrong = |change: fn(&mut PodFacts<'static>)| {
        let mut facts = facts();
        change(&mut facts);
        claims.check_pod(&facts, 30).unwrap_err()
    };
    assert!(matches!(
        wrong(|f| f.namespace = "team-b"),
        StampError::Namespace(_)
    ));
    assert!(matches!(
        wrong(|f| f.service_account = "x"),
        StampError::ServiceAccount(_)
    ));
    assert_eq!(wrong(|f| f.generate_name = Some("other-")), StampError::Pod);
    assert_eq!(wrong(|f| f.generate_name = None), StampError::Pod);
    assert_eq!(wrong(|f| f.name = "etl-two-x7k2p"), StampError::Pod);
    assert!(matches!(
        wrong(|f| f.created_at = 1_031),
        StampError::Clock { .. }
    ));
    assert!(matches!(
        wrong(|f| f.created_at = 969),
        StampError::Clock { .. }
    ));
}

#[test]
fn a_name_binds_where_there_is_one() {
    let claims = pod(ObjectName::Name("etl-x7k2p".into()));
    assert_eq!(claims.check_pod(&facts(), 30), Ok(()));
    let other = pod(ObjectName::Name("etl-".into()));
    assert_eq!(other.check_pod(&facts(), 30), Err(StampError::Pod));
}

#[test]
fn long_prefixes_are_cut_as_the_api_server_cuts_them() {
    let prefix = "a".repeat(60);
    assert!(claims::is_generated_from(
        &format!("{}x7k2p", "a".repeat(58)),
        &prefix
    ));
    assert!(!claims::is_generated_from(
        &format!("{prefix}x7k2p"),
        &prefix
    ));
}

#[test]
fn a_job_is_the_origin_the_inherited_job_or_the_pod() {
    assert_eq!(generated().job_id("u1").as_str(), "team-a/Job.batch/etl");
    let mut alone = generated();
    alone.origin = None;
    assert_eq!(alone.job_id("u1").as_str(), "team-a/Pod/u1");
    alone.job = Some(JobId::of_pod("team-a", "driver"));
    assert_eq!(alone.job_id("u1").as_str(), "team-a/Pod/driver");
}

#[test]
fn claims_are_read_without_a_key_where_nobody_has_to_believe_them() {
    let stamp = SigningKey::generate()
        .unwrap()
        .sign_pod(&generated())
        .unwrap();
    assert_eq!(PodClaims::unverified(&stamp), Some(generated()));
    for garbage in ["", "a.b.c", "..", &"x".repeat(100_000)] {
        assert_eq!(PodClaims::unverified(garbage), None);
    }
}

#[test]
fn user_names_are_checked() {
    for good in ["alice", "a", "svc-etl.prod_1", "_x", &"a".repeat(64)] {
        assert!(good.parse::<HadoopUser>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "a b",
        "../x",
        "a/b",
        "a@B",
        "-a",
        "1a",
        "a\n",
        "é",
        "a*",
        &"a".repeat(65),
    ] {
        assert!(bad.parse::<HadoopUser>().is_err(), "{bad}");
    }
    assert!(DenyList::default().contains(&"HDFS".parse().unwrap()));
    assert!(!DenyList::default().contains(&"alice".parse().unwrap()));
}

#[test]
fn a_deny_list_adds_to_the_built_in_one_and_takes_out_what_it_says() {
    let read = |list: &str| serde_json::from_str::<DenyList>(list);
    let denies = |list: &str, name: &str| read(list).unwrap().contains(&name.parse().unwrap());
    for name in DEFAULT_DENIED.into_iter().chain(["svc-x"]) {
        assert!(denies(r#"["svc-x"]"#, name), "{name}");
    }
    let less = r#"["svc-x", "-Spark", "-HTTP"]"#;
    assert!(denies(less, "svc-x") && denies(less, "hdfs"));
    assert!(!denies(less, "spark") && !denies(less, "HTTP"));
    assert!(denies(r#"["spark", "-spark"]"#, "spark"));
    let refused = |list| read(list).unwrap_err().to_string();
    assert!(refused(r#"["-sparc"]"#).contains("the built-in one has no sparc: it has hdfs, "));
    assert!(refused(r#"["a b"]"#).contains("deny: \"a b\" is not a Hadoop user name"));
}
