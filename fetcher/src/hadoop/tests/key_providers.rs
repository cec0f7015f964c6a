//! Several file systems, each of which may have a KMS of its own, and one of which is down.

use super::*;

const AWAY: Recorded = (503, "<title>Service Unavailable</title>");

/// Name services `ns1` and `ns2`, of one NameNode each.
struct Two {
    namenodes: [Arc<Fake>; 2],
    services: HadoopServices,
}

impl Two {
    async fn start() -> Self {
        let (first, at) = Fake::default().start().await;
        let (second, too) = Fake::default().start().await;
        let mut text = property("dfs.nameservices", "ns1,ns2");
        for (id, address) in [("ns1", at), ("ns2", too)] {
            let (rpc, http) = ("dfs.namenode.rpc-address", "dfs.namenode.http-address");
            text += &property(&format!("{rpc}.{id}"), "nn.test:8020");
            text += &property(&format!("{http}.{id}"), &address.to_string());
        }
        Self {
            namenodes: [first, second],
            services: from_text(&text, Arc::new(FakeKerberos::default())),
        }
    }

    /// A KMS that the file system of this index names.
    async fn kms_of(&self, index: usize) -> Arc<Fake> {
        let (kms, address) = Fake::default().start().await;
        self.names(index, &format!("kms://http@{address}/kms"));
        kms
    }

    fn names(&self, index: usize, uri: &str) {
        *self.namenodes[index].key_provider.lock().unwrap() = uri.into();
    }

    fn say(&self, index: usize, recorded: Option<Recorded>) {
        *self.namenodes[index].always.lock().unwrap() = recorded;
    }
}

#[tokio::test]
async fn one_that_is_down_does_not_take_the_others_keys_away() {
    let two = Two::start().await;
    let kms = two.kms_of(0).await;
    two.say(1, Some(AWAY));
    assert_eq!(
        issue(&two.services, "kms").await.unwrap().distinct().len(),
        1
    );
    assert_eq!(kms.asked("GETDELEGATIONTOKEN"), 1);
}

/// It would be believed for an hour, of a job whose encryption zones are on the one that is down.
#[tokio::test]
async fn one_that_is_down_does_not_mean_that_there_is_no_kms() {
    let two = Two::start().await;
    let kms = two.kms_of(0).await;
    two.say(0, Some(AWAY));
    let error = issue(&two.services, "kms").await.unwrap_err();
    assert!(error.retryable(), "{error}");
    two.say(0, None);
    issue(&two.services, "kms").await.unwrap();
    // What it said once holds while it is away.
    two.say(0, Some(AWAY));
    assert_eq!(
        issue(&two.services, "kms").await.unwrap().distinct().len(),
        1
    );
    assert_eq!(kms.asked("GETDELEGATIONTOKEN"), 2);
}

/// Keys in a file need no tokens.
#[tokio::test]
async fn a_key_provider_that_is_no_kms_is_none() {
    let two = Two::start().await;
    two.names(0, "jceks://file@/a");
    assert_eq!(issue(&two.services, "kms").await.unwrap().tokens.len(), 0);
    two.kms_of(1).await;
    let issued = issue(&two.services, "kms").await.unwrap();
    assert_eq!(issued.distinct().len(), 1);
}

#[tokio::test]
async fn a_kms_whose_address_is_broken_does_not_take_anothers_keys_away() {
    let two = Two::start().await;
    two.names(0, "kms://http@kms.test:x/kms");
    let error = issue(&two.services, "kms").await.unwrap_err().to_string();
    assert!(
        error.contains("key.provider.path on the NameNodes"),
        "{error}"
    );
    two.kms_of(1).await;
    let issued = issue(&two.services, "kms").await.unwrap();
    assert_eq!(issued.distinct().len(), 1);
}

#[tokio::test]
async fn the_token_of_one_kms_is_taken_back_where_another_gives_none() {
    let two = Two::start().await;
    let (good, bad) = (two.kms_of(0).await, two.kms_of(1).await);
    *bad.always.lock().unwrap() = Some(AWAY);
    issue(&two.services, "kms").await.unwrap_err();
    assert_eq!(good.asked("GETDELEGATIONTOKEN"), 1);
    assert_eq!(good.asked("PUT op=CANCEL"), 1);
}

#[tokio::test]
async fn each_kms_has_an_interval_of_its_own() {
    let two = Two::start().await;
    let [first, second] = [two.kms_of(0).await, two.kms_of(1).await];
    *first.longer.lock().unwrap() = 60_000;
    for _ in 0..2 {
        let issued = issue(&two.services, "kms").await.unwrap();
        assert_eq!(issued.expires_at, ISSUED + INTERVAL);
    }
    let renewals = [first, second].map(|it| it.asked("PUT op=RENEW"));
    assert_eq!(renewals, [1, 1]);
}
