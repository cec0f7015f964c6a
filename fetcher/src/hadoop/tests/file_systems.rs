//! Which copies of a token each kind of file system gets: what clients look for.

use super::*;

fn services(text: &str) -> HadoopServices {
    from_text(text, Arc::new(FakeKerberos::default()))
}

fn labels(issued: &Issued) -> Vec<String> {
    let tokens = issued.tokens.iter();
    tokens
        .map(|(alias, token)| {
            assert_eq!(alias, token.service());
            format!("{} {alias}", token.kind())
        })
        .collect()
}

#[tokio::test]
async fn a_single_namenode_is_found_by_address_and_by_name() {
    let (_, address) = Fake::default().start().await;
    let port = address.port();
    let text = property("fs.defaultFS", "hdfs://localhost:9000")
        + &property("dfs.namenode.http-address", &format!("localhost:{port}"));
    let issued = issue(&services(&text), "localhost").await.unwrap();
    assert_eq!(
        labels(&issued),
        [
            "HDFS_DELEGATION_TOKEN 127.0.0.1:9000".to_owned(),
            "HDFS_DELEGATION_TOKEN localhost:9000".to_owned(),
            format!("WEBHDFS delegation 127.0.0.1:{port}"),
            format!("WEBHDFS delegation localhost:{port}"),
        ]
    );
    assert_eq!(issued.distinct().len(), 1);
}

#[tokio::test]
async fn a_member_that_a_mount_names_by_itself_is_found_by_its_address_too() {
    let (_, address) = Fake::default().start().await;
    let text = ha_text(&[address])
        + &property("fs.defaultFS", "viewfs://v/")
        + &property("fs.viewfs.mounttable.v.link./a", "hdfs://ns1/a")
        + &property(
            "fs.viewfs.mounttable.v.link./b",
            &format!("webhdfs://{address}/b"),
        );
    let issued = issue(&services(&text), "ns1").await.unwrap();
    assert_eq!(
        labels(&issued),
        [
            "HDFS_DELEGATION_TOKEN ha-hdfs:ns1".to_owned(),
            "WEBHDFS delegation ha-webhdfs:ns1".to_owned(),
            format!("WEBHDFS delegation {address}"),
        ]
    );
}

#[tokio::test]
async fn an_httpfs_has_a_token_of_its_own_for_webhdfs_only() {
    let (gate, address) = Fake::default().start().await;
    let text = property("fs.defaultFS", &format!("webhdfs://{address}/"));
    let services = services(&text);
    let issued = issue(&services, "127.0.0.1").await.unwrap();
    assert_eq!(labels(&issued), [format!("WEBHDFS delegation {address}")]);
    let service = services.get("127.0.0.1").unwrap();
    service.cancel(&issued.tokens[0].1).await.unwrap();
    assert_eq!(gate.asked("PUT op=CANCELDELEGATIONTOKEN"), 1);
    // What is gone is cancelled; but a stranger's 404 must not make a token lost.
    *gate.always.lock().unwrap() = Some((404, ""));
    service.cancel(&issued.tokens[0].1).await.unwrap();
    let renewed = service.renew(&issued.tokens[0].1).await.unwrap_err();
    assert_eq!(renewed.reason(), "hadoop-bad-answer");
}

/// As HttpFS answers GETSERVERDEFAULTS before 3.4.
#[tokio::test]
async fn who_knows_no_server_defaults_has_no_kms() {
    let fake = Fake::default();
    let unknown = r#"{"RemoteException":{"message":"java.lang.IllegalArgumentException: No enum constant","exception":"QueryParamException"}}"#;
    *fake.always.lock().unwrap() = Some((400, unknown));
    let (_, address) = fake.start().await;
    let services = services(&property("fs.defaultFS", &format!("webhdfs://{address}/")));
    assert!(issue(&services, "kms").await.unwrap().tokens.is_empty());
}

/// As a router of 3.4.1 answers.
#[tokio::test]
async fn who_cannot_say_which_kms_leaves_it_to_the_configuration() {
    let fake = Fake::default();
    let unsupported = r#"{"RemoteException":{"exception":"UnsupportedOperationException","javaClassName":"java.lang.UnsupportedOperationException","message":"op=GETSERVERDEFAULTS is not supported"}}"#;
    *fake.always.lock().unwrap() = Some((400, unsupported));
    let (_, router) = fake.start().await;
    let (kms, address) = Fake::default().start().await;
    let uri = format!("kms://http@{address}/kms");
    let text = ha_text(&[router]) + &property("hadoop.security.key.provider.path", &uri);
    let issued = issue(&services(&text), "kms").await.unwrap();
    let copies = [format!("kms-dt {uri}"), format!("kms-dt {address}")];
    assert_eq!(labels(&issued), copies);
    assert_eq!(kms.asked("doAs=alice"), 1);
}

/// A NameNode of 2.7 does not know the question; one that came before the KMS was named does not answer all of it. What
/// their clients go by is `dfs.encryption.key.provider.uri`.
#[tokio::test]
async fn the_kms_of_an_old_namenode_is_what_its_clients_are_told() {
    let unknown = r#"{"RemoteException":{"exception":"IllegalArgumentException","javaClassName":"java.lang.IllegalArgumentException","message":"Invalid value for webhdfs parameter \"op\": No enum constant org.apache.hadoop.hdfs.web.resources.GetOpParam.Op.GETSERVERDEFAULTS"}}"#;
    let silent = r#"{"FsServerDefaults":{"blockSize":134217728,"keyProviderUri":null}}"#;
    let (kms, address) = Fake::default().start().await;
    let uri = format!("kms://http@localhost:{}/kms", address.port());
    let site = property("dfs.encryption.key.provider.uri", &uri)
        + &property("hadoop.security.key.provider.path", "kms://http@b:1/kms");
    for recorded in [(400, unknown), (200, silent)] {
        let fake = Fake::default();
        *fake.always.lock().unwrap() = Some(recorded);
        let (_, namenode) = fake.start().await;
        let services = services(&(ha_text(&[namenode]) + &site));
        let issued = issue(&services, "kms").await.unwrap();
        let expected = [
            format!("kms-dt {uri}"),
            format!("kms-dt {address}"),
            format!("kms-dt localhost:{}", address.port()),
        ];
        assert_eq!(labels(&issued), expected);
        let told = String::from_utf8_lossy(&services.client_conf()["core-site.xml"]).into_owned();
        assert!(
            told.contains(&uri) && !told.contains("key.provider.path"),
            "{told}"
        );
    }
    assert_eq!(kms.asked("doAs=alice"), 2);
}

/// The one that has a KMS knows which; none means that there is none, whatever else is configured.
#[tokio::test]
async fn a_namenode_that_says_it_has_no_kms_is_believed() {
    let (_, namenode) = Fake::default().start().await;
    let text =
        ha_text(&[namenode]) + &property("dfs.encryption.key.provider.uri", "kms://http@b:1/kms");
    let issued = issue(&services(&text), "kms").await.unwrap();
    assert!(issued.tokens.is_empty());
}

/// It names all members, however short it is.
#[tokio::test]
async fn a_kms_is_renewed_by_the_copy_with_its_uri() {
    let (kms, address) = Fake::default().start().await;
    let uri = format!("kms://http@127.0.0.1:{}/k", address.port());
    let (namenode, at) = Fake::default().start().await;
    *namenode.key_provider.lock().unwrap() = uri.clone();
    let mut issued = issue(&services(&ha_text(&[at])), "kms").await.unwrap();
    let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:9600";
    let copy = issued.tokens[0].1.relabelled("kms-dt", long).unwrap();
    for at in [0, issued.tokens.len()] {
        issued.tokens.insert(at, (long.into(), copy.clone()));
        let distinct = issued.distinct();
        assert_eq!((distinct.len(), distinct[0].service()), (1, uri.as_str()));
    }
    assert_eq!(kms.asked("doAs=alice"), 1);
}

#[tokio::test]
async fn an_address_that_answers_nobody_names_the_key_that_gives_it() {
    let dead = closed();
    let text = property("fs.defaultFS", "hdfs://127.0.0.1:9000")
        + &property("dfs.namenode.http-address", &dead.to_string());
    let error = issue(&services(&text), "127.0.0.1").await.unwrap_err();
    assert!(
        error.to_string().contains("dfs.namenode.http-address"),
        "{error}"
    );
}
