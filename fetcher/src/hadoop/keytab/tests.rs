use super::*;

/// One record of `name@realm`, as ktutil writes it.
fn record(parts: &[&str], version: u8, long: Option<u32>) -> Vec<u8> {
    let mut body = (parts.len() as u16).to_be_bytes().to_vec();
    for text in ["EXAMPLE.COM"].iter().chain(parts) {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, version, 0, 18, 0, 2, 7, 7]);
    body.extend(long.map(u32::to_be_bytes).into_iter().flatten());
    let mut record = (body.len() as i32).to_be_bytes().to_vec();
    record.extend(body);
    record
}

fn keytab(records: &[Vec<u8>]) -> Vec<u8> {
    [vec![5, 2], records.concat()].concat()
}

#[test]
fn principals_and_their_newest_version_are_read() {
    let hole = [(-3_i32).to_be_bytes().to_vec(), vec![0; 3]].concat();
    let bytes = keytab(&[
        record(&["kube2hadoop"], 2, None),
        hole,
        record(&["kube2hadoop"], 44, Some(300)),
        record(&["HTTP", "nn1.test"], 1, Some(0)),
    ]);
    let read = Keytab::parse(&bytes).unwrap();
    let expected = [
        ("HTTP/nn1.test@EXAMPLE.COM", 1),
        ("kube2hadoop@EXAMPLE.COM", 300),
    ];
    assert_eq!(
        read.principals,
        expected
            .map(|(name, version)| (name.to_owned(), version))
            .into()
    );
}

#[test]
fn a_cut_keytab_is_corrupt() {
    let whole = keytab(&[record(&["a"], 1, None)]);
    for length in [0, 1, 3, 5, 6, 10, whole.len() - 1] {
        assert_eq!(Keytab::parse(&whole[..length]), None, "{length} bytes");
    }
    assert_eq!(Keytab::parse(b"not a keytab"), None);
}

#[test]
fn what_is_wrong_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("service.keytab");
    let open = |value: Option<&str>| Keytab::from_env_value(value).map(drop).unwrap_err();
    let file = format!("FILE:{}", path.display());
    assert!(matches!(open(None), KeytabError::NotSet));
    assert!(matches!(open(Some("MEMORY:x")), KeytabError::NoFile(_)));
    assert!(matches!(open(Some(&file)), KeytabError::Missing(_)));
    fs::write(&path, b"garbage").unwrap();
    assert!(matches!(open(Some(&file)), KeytabError::Corrupt(_)));
    fs::write(&path, [5, 2]).unwrap();
    assert!(matches!(open(Some(&file)), KeytabError::Empty(_)));
    fs::write(&path, keytab(&[record(&["other"], 1, None)])).unwrap();
    let (path, read) = Keytab::from_env_value(Some(&file)).unwrap();
    let error = read
        .key_version(&path, "kube2hadoop@EXAMPLE.COM")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no key of kube2hadoop@EXAMPLE.COM, only of other@EXAMPLE.COM"),
        "{error}"
    );
    assert_eq!(read.key_version(&path, "other@EXAMPLE.COM").unwrap(), 1);
}

#[test]
fn a_directory_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Keytab::read(dir.path()),
        Err(KeytabError::Unreadable { .. })
    ));
}
