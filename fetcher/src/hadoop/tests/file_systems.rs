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
    assert_eq!(labels(&issued), [format!("kms-dt {uri}")]);
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
