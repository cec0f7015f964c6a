//! Whatever stands in a stamp's place: garbage is refused, and what our own key has signed is read as one thing only.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use kube2hadoop_stamp::{ObjectName, PodClaims, PodFacts, SigningKey, VerifyingKeys};

use crate::people::{ISSUER, NOW, SEED, WORLD};

/// The input is taken as a stamp, as keys, and as a header and claims, one a line, that our key signs.
pub fn holds(data: &[u8]) {
    let _ = SigningKey::from_pkcs8_der(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let keys = WORLD.verifying();
    let _ = PodClaims::unverified(text);
    assert!(keys.verify_template(text, ISSUER).is_err(), "forged");
    assert!(keys.verify_pod(text, ISSUER).is_err(), "forged");
    if let Ok(read) = VerifyingKeys::from_jwks(text) {
        assert_eq!(VerifyingKeys::from_jwks(&read.to_jwks()), Ok(read));
    }
    if let Some((header, claims)) = text.split_once('\n') {
        signed(&signature_of(header, claims));
    }
}

/// Is it a key set, or claims that are read once they are signed?
#[cfg(test)]
pub(crate) fn is_understood(text: &str) -> bool {
    let signed = text
        .split_once('\n')
        .map(|(header, claims)| signature_of(header, claims));
    let keys = WORLD.verifying();
    VerifyingKeys::from_jwks(text).is_ok()
        || signed.is_some_and(|stamp| {
            keys.verify_template(&stamp, ISSUER).is_ok() || keys.verify_pod(&stamp, ISSUER).is_ok()
        })
}

/// As if somebody had our key, or we signed what we should not.
fn signature_of(header: &str, claims: &str) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = pair.sign(message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(signature))
}

fn signed(stamp: &str) {
    let (keys, signing) = (WORLD.verifying(), &WORLD.keys.signing);
    let template = keys.verify_template(stamp, ISSUER);
    let pod = keys.verify_pod(stamp, ISSUER);
    assert!(
        template.is_err() || pod.is_err(),
        "both a template's and a pod's"
    );
    if let Ok(claims) = &template {
        let again = signing.sign_template(claims).unwrap();
        assert_eq!(keys.verify_template(&again, ISSUER).as_ref(), Ok(claims));
    }
    if let Ok(claims) = &pod {
        let again = signing.sign_pod(claims).unwrap();
        assert_eq!(keys.verify_pod(&again, ISSUER).as_ref(), Ok(claims));
        of_its_pod_only(claims);
    }
    if template.is_ok() || pod.is_ok() {
        altered(stamp);
    }
}

/// A character less, or another one, and it is nobody's.
fn altered(stamp: &str) {
    let keys = WORLD.verifying();
    let end = stamp.len() - 1;
    let other = if stamp.ends_with('A') { "Q" } else { "A" };
    for altered in [stamp[..end].to_owned(), format!("{}{other}", &stamp[..end])] {
        assert!(keys.verify_template(&altered, ISSUER).is_err());
        assert!(keys.verify_pod(&altered, ISSUER).is_err());
    }
}

fn of_its_pod_only(claims: &PodClaims) {
    let (name, generate_name) = match &claims.pod {
        ObjectName::Name(name) => (name.clone(), None),
        ObjectName::GenerateName(prefix) => (format!("{prefix}x7k2p"), Some(prefix.as_str())),
    };
    let own = PodFacts {
        namespace: &claims.ns,
        service_account: &claims.sa,
        name: &name,
        generate_name,
        created_at: claims.iat,
    };
    if matches!(claims.pod, ObjectName::Name(_)) {
        assert_eq!(claims.check_pod(&own, 30), Ok(()));
    }
    let namespace = format!("{}x", claims.ns);
    let longer = format!("{name}x");
    let others = [
        PodFacts {
            namespace: &namespace,
            ..own
        },
        PodFacts {
            service_account: &namespace,
            ..own
        },
        PodFacts {
            name: &longer,
            ..own
        },
        PodFacts {
            created_at: claims.iat ^ (NOW << 10),
            ..own
        },
    ];
    for other in others {
        // The service account may have the very name that another namespace got here.
        let differs = other.namespace != own.namespace
            || other.service_account != own.service_account
            || other.name != own.name
            || other.created_at != own.created_at;
        assert!(
            !differs || claims.check_pod(&other, 30).is_err(),
            "{other:?}"
        );
    }
}
