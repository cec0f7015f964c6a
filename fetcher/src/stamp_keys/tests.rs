use std::io::Write;

use kube2hadoop_stamp::SigningKey;

use super::*;

#[test]
fn bad_keys_leave_the_old_ones_in_force() {
    let keys = StampKeys::default();
    assert!(keys.current().is_none());
    keys.replace(&jwks_of(&SigningKey::generate().unwrap()))
        .unwrap();
    let before = keys.current().unwrap();
    for bad in ["", "{", r#"{"keys":[]}"#] {
        assert!(keys.replace(bad).is_err(), "{bad:?}");
        assert!(Arc::ptr_eq(&before, &keys.current().unwrap()));
    }
    keys.replace(&jwks_of(&SigningKey::generate().unwrap()))
        .unwrap();
    assert!(!Arc::ptr_eq(&before, &keys.current().unwrap()));
}

#[tokio::test]
async fn keys_come_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let jwks = jwks_of(&SigningKey::generate().unwrap());
    file.write_all(jwks.as_bytes()).unwrap();
    let source = Source::File(file.path().to_owned());
    assert_eq!(source.read().await.unwrap(), jwks);
    let gone = Source::File("/does/not/exist".into())
        .read()
        .await
        .unwrap_err();
    assert!(gone.to_string().contains("/does/not/exist"));
}
