use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn token() -> impl Strategy<Value = Token> {
    (
        vec(any::<u8>(), 0..150),
        vec(any::<u8>(), 0..40),
        ".{0,30}",
        ".{0,30}",
    )
        .prop_map(|(identifier, password, kind, service)| {
            Token::new(identifier.into(), password.into(), kind, service).unwrap()
        })
}

fn credentials() -> impl Strategy<Value = Credentials> {
    (
        btree_map(".{0,20}", token(), 0..20),
        btree_map(
            ".{0,20}",
            vec(any::<u8>(), 0..40).prop_map(SecretBytes::from),
            0..5,
        ),
    )
        .prop_map(|(tokens, secrets)| Credentials { tokens, secrets })
}

fn identifier() -> impl Strategy<Value = Identifier> {
    (
        ".{0,40}",
        ".{0,40}",
        ".{0,40}",
        any::<(i64, i64, i32, i32)>(),
    )
        .prop_map(
            |(
                owner,
                renewer,
                real_user,
                (issue_date, max_date, sequence_number, master_key_id),
            )| {
                Identifier {
                    owner,
                    renewer,
                    real_user,
                    issue_date,
                    max_date,
                    sequence_number,
                    master_key_id,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_survive(credentials in credentials()) {
        let bytes = credentials.to_bytes();
        prop_assert!(bytes.len() <= credentials.written_size());
        prop_assert_eq!(Credentials::parse(bytes.expose()), Ok(credentials));
    }

    #[test]
    fn url_strings_survive(token in token()) {
        prop_assert_eq!(Token::from_url_string(token.to_url_string().expose()), Ok(token));
    }

    #[test]
    fn identifiers_survive(identifier in identifier()) {
        prop_assert_eq!(Identifier::parse(&identifier.to_bytes()), Ok(identifier));
    }

    #[test]
    fn a_cut_file_is_refused(credentials in credentials(), cut in any::<prop::sample::Index>()) {
        let bytes = credentials.to_bytes();
        let cut = cut.index(bytes.len());
        prop_assert!(Credentials::parse(&bytes.expose()[..cut]).is_err());
    }

    #[test]
    fn no_bytes_panic(version: u8, bytes in vec(any::<u8>(), 0..200), text in ".{0,80}") {
        let file = [MAGIC, &[version % 2], &bytes].concat();
        let _ = Credentials::parse(&file);
        let _ = Credentials::parse(&bytes);
        let _ = Identifier::parse(&bytes);
        let _ = Token::from_url_string(&text);
    }
}

#[test]
fn a_second_token_under_an_alias_replaces_the_first() {
    let make = |service: &str| Token::new(vec![1].into(), vec![2].into(), "k", service).unwrap();
    let mut credentials = Credentials::new();
    credentials.add("a", make("old")).unwrap();
    credentials.add("a", make("new")).unwrap();
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials.get("a").map(Token::service), Some("new"));
}

#[test]
fn debug_shows_neither_identifier_nor_password() {
    let token = Token::new(b"ident".to_vec().into(), b"pass".to_vec().into(), "k", "s").unwrap();
    let mut credentials = Credentials::new();
    credentials.add("a", token).unwrap();
    assert_eq!(
        format!("{credentials:?}"),
        "Credentials { tokens: {\"a\": Token { identifier: [redacted, 5 bytes], \
         password: [redacted, 4 bytes], kind: \"k\", service: \"s\" }}, secrets: {} }"
    );
}

#[test]
fn an_identifier_of_the_resource_manager_is_refused() {
    assert_eq!(
        Identifier::parse(b"\x0a\x05alice\x12\x04yarn"),
        Err(CredentialsError::UnknownIdentifier(0x0a))
    );
}

#[test]
fn files_of_other_versions_and_files_with_more_behind_are_refused() {
    assert_eq!(
        Credentials::parse(b"HDTS\x01\x00"),
        Err(CredentialsError::UnknownVersion(1))
    );
    assert_eq!(
        Credentials::parse(b"HDTX\x00"),
        Err(CredentialsError::NotCredentials)
    );
    assert_eq!(
        Credentials::parse(b"HDTS\x00\x00\x00\x00"),
        Err(CredentialsError::TrailingBytes(1))
    );
}
