//! The webhook that is fuzzed: its policy, its key, and the genuine stamps that an attacker may have read.

use std::sync::LazyLock;

use kube2hadoop_stamp::{SigningKey, VerifyingKeys};
use kube2hadoop_webhook::admission::{Caller, Connect, Keys, Policy, UnmappedUpdate};
use serde_json::json;

use crate::claims;

/// The seed is no secret: input must be able to hold stamps of the same key at every run.
pub(crate) const SEED: [u8; 32] = [7; 32];
pub(crate) const ISSUER: &str = "k";
pub(crate) const NAMESPACE: &str = "team";
pub(crate) const NOW: u64 = 1_000_000;

/// Text in the input that stands for bob's stamps, which no fuzzer could write.
pub(crate) const TEMPLATE_STAMP: &str = "STAMP-OF-BOBS-JOB";
pub(crate) const POD_STAMP: &str = "STAMP-OF-BOBS-POD";

pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) keys: Keys,
    /// What is known of the caller: nothing, or that it is carol's pod.
    pub(crate) callers: [Caller; 2],
    template: String,
    pod: String,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// RFC 8410: a PKCS#8 document of version 1 is this and the seed.
pub(crate) fn signing_key() -> SigningKey {
    const PREFIX: [u8; 16] = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    SigningKey::from_pkcs8_der(&[PREFIX.as_slice(), &SEED].concat()).expect("an Ed25519 key")
}

impl World {
    fn new() -> Self {
        let identity = json!({
            "mappings": [{"match": r"^(?<n>[a-z]+)@example\.com$", "user": "${n}"}],
            "trustedOperators": [{"serviceAccount": "ray/operator", "kinds": ["Pod", "RayCluster.ray.io"]}],
            "mutators": [{"serviceAccount": "kueue/kueue"}],
            "runAs": {"grantable": ["^etl$"]},
        });
        let inject = json!({"image": "client", "fetcherUrl": "https://fetcher"});
        let signing = signing_key();
        let carols = Caller {
            pod: Some(claims::of_pod("carol", "driver")),
            ..Caller::default()
        };
        Self {
            policy: Policy {
                identity: serde_json::from_value(identity).expect("an identity policy"),
                inject: serde_json::from_value(inject).expect("an inject policy"),
                issuer: ISSUER.into(),
                stamp_window_seconds: 30,
                unmapped_update: UnmappedUpdate::Deny,
                kinds: serde_json::from_value(json!([])).expect("the built-in kinds"),
                connect: Connect::Deny,
            },
            template: signing.sign_template(&claims::of_job("bob")).unwrap(),
            pod: signing.sign_pod(&claims::of_pod("bob", "p")).unwrap(),
            keys: Keys {
                verifying: signing.public(),
                signing,
                ca: "PEM".to_owned().into(),
            },
            callers: [Caller::default(), carols],
        }
    }

    pub(crate) fn verifying(&self) -> &VerifyingKeys {
        &self.keys.verifying
    }

    /// The input with genuine stamps where it names them; none where it is no text.
    pub(crate) fn with_stamps(&self, data: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(data).ok()?;
        let text = text.replace(TEMPLATE_STAMP, &self.template);
        Some(text.replace(POD_STAMP, &self.pod))
    }
}
