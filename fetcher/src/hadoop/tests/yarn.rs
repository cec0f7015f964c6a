//! ResourceManagers: their own API, their own identifiers, and who leads.

use super::known::KMS_CANCELLED as DENIED;
use super::*;

const STANDBY_MANAGER: Recorded = (
    307,
    "This is standby RM. The redirect url is: /ws/v1/cluster/delegation-token\n",
);
const GONE: Recorded = (
    400,
    r#"{"RemoteException":{"exception":"BadRequestException","message":"Token not found","javaClassName":"org.apache.hadoop.yarn.webapp.BadRequestException"}}"#,
);
const STATIC_USER: Recorded = (
    403,
    r#"{"RemoteException":{"exception":"ForbiddenException","message":"The default static user cannot carry out this operation.","javaClassName":"org.apache.hadoop.yarn.webapp.ForbiddenException"}}"#,
);

/// The group `rm1`, `rm2`, … of these, by their web addresses.
fn yarn(managers: &[SocketAddr]) -> HadoopServices {
    let ids: Vec<_> = (1..=managers.len()).map(|it| format!("rm{it}")).collect();
    let mut site = property("yarn.resourcemanager.ha.enabled", "true")
        + &property("yarn.resourcemanager.ha.rm-ids", &ids.join(","));
    for (id, address) in ids.iter().zip(managers) {
        site += &property(
            &format!("yarn.resourcemanager.address.{id}"),
            "localhost:8032",
        );
        site += &property(
            &format!("yarn.resourcemanager.webapp.address.{id}"),
            &address.to_string(),
        );
    }
    let core = property("fs.defaultFS", "hdfs://localhost");
    let files = [("core-site.xml", &*core), ("yarn-site.xml", &*site)];
    let kerberos = Arc::new(FakeKerberos::default());
    from_files(&files, kerberos, Duration::from_secs(5))
}

#[tokio::test]
async fn a_token_is_issued_renewed_and_cancelled_by_who_leads() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY_MANAGER);
    let (standby, first) = standby.start().await;
    let (leader, second) = Fake::default().start().await;
    let services = yarn(&[first, second]);
    let issued = issue(&services, "yarn").await.unwrap();
    assert_eq!(
        (issued.issued_at, issued.expires_at, issued.max_date),
        (ISSUED, ISSUED + INTERVAL, ISSUED + LIFE)
    );
    // A client finds its ResourceManager's address within the text.
    let found: Vec<_> = issued
        .tokens
        .iter()
        .map(|(_, token)| (token.kind(), token.service()))
        .collect();
    assert_eq!(
        found,
        [
            ("RM_DELEGATION_TOKEN", "127.0.0.1:8032,127.0.0.1:8032"),
            ("RM_DELEGATION_TOKEN", "localhost:8032,localhost:8032"),
        ]
    );
    let (service, [token]) = (services.get("yarn").unwrap(), &issued.distinct()[..]) else {
        panic!("{issued:?}")
    };
    assert_eq!(service.renew(token).await.unwrap(), ISSUED + INTERVAL);
    service.cancel(token).await.unwrap();
    *leader.always.lock().unwrap() = Some(GONE);
    service.cancel(token).await.unwrap();
    assert!(service.renew(token).await.unwrap_err().lost());
    assert_eq!((standby.asked(""), leader.asked("doAs=alice")), (1, 1));
}

#[tokio::test]
async fn only_who_leads_answers() {
    let standby = Fake::default();
    *standby.always.lock().unwrap() = Some(STANDBY_MANAGER);
    let (_, first) = standby.start().await;
    let (_, second) = Fake::default().start().await;
    let answers = async |services: HadoopServices| services.get("yarn").unwrap().answers().await;
    let error = answers(yarn(&[first])).await.unwrap_err();
    assert_eq!(error.reason(), "hadoop-standby");
    answers(yarn(&[first, second])).await.unwrap();
}

/// A standby denies every token, too.
#[tokio::test]
async fn a_token_is_unknown_only_where_who_leads_says_so() {
    let (standby, first) = Fake::default().start().await;
    let (leader, second) = Fake::default().start().await;
    let services = yarn(&[second, first]);
    let issued = issue(&services, "yarn").await.unwrap();
    let deny = |manager: &Fake, denies| {
        let denial = if denies { Some(DENIED) } else { None };
        manager.script.lock().unwrap().extend(denial);
    };
    for (denied_by_leader, leads, answer) in [
        (false, true, Some(true)),
        (true, true, Some(false)),
        (true, false, None),
    ] {
        *standby.always.lock().unwrap() = Some(STANDBY_MANAGER);
        *leader.always.lock().unwrap() = (!leads).then_some(STANDBY_MANAGER);
        deny(&standby, true);
        deny(&leader, denied_by_leader);
        let services = yarn(&[first, second]);
        let service = services.get("yarn").unwrap();
        let said = service.is_known(issued.distinct()[0]).await;
        assert_eq!(said.ok(), answer);
    }
    assert!(standby.script.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_manager_refuses_is_explained() {
    let (manager, address) = Fake::default().start().await;
    let services = yarn(&[address]);
    let told = async |recorded| {
        *manager.always.lock().unwrap() = Some(recorded);
        issue(&services, "yarn").await.unwrap_err().to_string()
    };
    assert!(
        told(STATIC_USER)
            .await
            .contains("hadoop.http.filter.initializers")
    );
    assert!(told(STANDBY_MANAGER).await.contains("yarn rmadmin"));
    assert!(
        told((200, "There is no active RM right now."))
            .await
            .contains("is standby")
    );
    let bobs: &str = Box::leak(fake::manager_issue("bob").into_boxed_str());
    assert!(
        told((200, bobs))
            .await
            .contains("a token of \"bob\" instead of alice")
    );
}

#[test]
fn identifiers_are_read_and_broken_ones_refused() {
    use crate::hadoop::yarn_identifier::parse;
    let bytes = fake::manager_identifier("alice");
    let read = parse(&bytes).unwrap();
    assert_eq!((read.owner.as_str(), read.sequence_number), ("alice", 7));
    assert_eq!(
        (read.issue_date, read.max_date),
        (ISSUED as i64, (ISSUED + LIFE) as i64)
    );
    // A field of a later version is passed over.
    assert_eq!(
        parse(&[&bytes[..], b"\x42\x01x\x4d1234\x5112345678"].concat()),
        Ok(read)
    );
    for bad in [
        &bytes[..3],
        b"\x00\x05alice",
        b"",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
        b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0a\x01\xff",
        b"\x0b",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}
