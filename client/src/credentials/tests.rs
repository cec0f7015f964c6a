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
        prop_assert!(Credentials::parse(bytes.expose().get(..cut).unwrap()).is_err());
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

/// Bytes that Hadoop 3.4.1 wrote: see `Fixture.java` beside them.
mod written_by_hadoop {
    use super::*;

    const CREDENTIALS: &[u8] = include_bytes!("../../tests/hadoop-3.4.1/credentials");
    const IDENTIFIER: &[u8] = include_bytes!("../../tests/hadoop-3.4.1/identifier");
    const NUMBERS: &[u8] = include_bytes!("../../tests/hadoop-3.4.1/numbers");
    const HDFS: &str = include_str!("../../tests/hadoop-3.4.1/hdfs.url-string");
    const KMS: &str = include_str!("../../tests/hadoop-3.4.1/kms.url-string");

    fn counting(length: usize) -> SecretBytes {
        (0..length).map(|i| i as u8).collect::<Vec<_>>().into()
    }

    fn identifier() -> Identifier {
        Identifier {
            owner: "alice".to_owned(),
            renewer: "kube2hadoop".to_owned(),
            real_user: "kube2hadoop/host@EXAMPLE.COM".to_owned(),
            issue_date: 1_769_860_800_123,
            max_date: 1_770_465_600_123,
            sequence_number: 1_234_567,
            master_key_id: -300,
        }
    }

    fn hdfs() -> Token {
        let identifier = identifier().to_bytes().into();
        Token::new(
            identifier,
            counting(20),
            "HDFS_DELEGATION_TOKEN",
            "ha-hdfs:ns1",
        )
        .unwrap()
    }

    fn kms() -> Token {
        let service = "kms://https@käse:9600/kms";
        Token::new(counting(200), counting(300), "kms-dt", service).unwrap()
    }

    fn credentials() -> Credentials {
        Credentials {
            tokens: [("ha-hdfs:ns1", hdfs()), ("kms-1", kms())]
                .map(|(alias, token)| (alias.to_owned(), token))
                .into(),
            secrets: [("key".to_owned(), counting(130))].into(),
        }
    }

    #[test]
    fn the_file_is_byte_for_byte_the_same() {
        assert_eq!(Credentials::parse(CREDENTIALS), Ok(credentials()));
        assert_eq!(credentials().to_bytes().expose(), CREDENTIALS);
    }

    #[test]
    fn identifiers_are_the_same() {
        assert_eq!(Identifier::parse(IDENTIFIER), Ok(identifier()));
        assert_eq!(identifier().to_bytes(), IDENTIFIER);
        assert_eq!(hdfs().parse_identifier(), Ok(identifier()));
    }

    #[test]
    fn url_strings_are_the_same() {
        for (text, token) in [(HDFS, hdfs()), (KMS, kms())] {
            assert_eq!(Token::from_url_string(text).as_ref(), Ok(&token));
            assert_eq!(token.to_url_string().expose(), text);
        }
    }

    #[test]
    fn numbers_are_the_same() {
        let numbers = [
            0,
            1,
            127,
            128,
            255,
            256,
            65_535,
            65_536,
            -1,
            -112,
            -113,
            -128,
            -129,
            -256,
            -257,
            1_769_860_800_123,
            i32::MAX.into(),
            i32::MIN.into(),
            i64::MAX,
            i64::MIN,
        ];
        let mut reader = Reader::new(NUMBERS);
        let mut writer = Writer::with_capacity(NUMBERS.len());
        for number in numbers {
            assert_eq!(reader.vlong(), Ok(number));
            writer.vlong(number);
        }
        assert_eq!(reader.finish(), Ok(()));
        assert_eq!(writer.finish().expose(), NUMBERS);
    }
}
