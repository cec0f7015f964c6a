//! The key that stamps are signed with, in a Secret, and its successors; the public halves, retired keys' too, in a
//! ConfigMap.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube2hadoop_stamp::{SigningKey, StampError, VerifyingKeys};

use super::AgreeError;

const CURRENT: &str = "signing.der";
const MADE: &str = "signing.made";
/// The successor: everybody learns to verify its stamps before the first one is signed.
const NEXT: &str = "next.der";
const NEXT_MADE: &str = "next.made";
/// A JWK Set of public keys that verify and no longer sign.
const RETIRED: &str = "retired.json";
/// Written by the administrator, whatever its value: make a successor now.
const ROTATE: &str = "rotate";
/// Written by the administrator: names of keys, of which no stamp is believed any more.
const REVOKE: &str = "revoke";

/// From the successor's making until it signs, in seconds: twice what replicas and fetchers take at most to learn of
/// it.
const OVERLAP: u64 = 30;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error(transparent)]
    Agree(#[from] AgreeError),
    #[error(
        "the signing key's Secret is damaged ({0}): restore it; deleting it revokes every stamp"
    )]
    Damaged(#[from] StampError),
    #[error("the signing key's Secret is damaged: retired.json is no UTF-8")]
    Retired,
}

type Data = BTreeMap<String, ByteString>;

/// The key that signs by now, and all that verify. Makes the first one; makes and promotes a successor when its time
/// has come or the administrator asks; forgets what the administrator revokes. `life` is in seconds, none: no schedule.
pub(super) fn advance(
    data: &mut Data,
    now: u64,
    life: Option<u64>,
) -> Result<(SigningKey, VerifyingKeys), SigningError> {
    let mut retired = retired(data)?;
    revoke(data, &mut retired)?;
    let mut signing = match read(data, CURRENT)? {
        Some(key) => key,
        None => replacement(data, now)?,
    };
    let made = *time(data, MADE).get_or_insert(now);
    let mut next = read(data, NEXT)?;
    let ripe = time(data, NEXT_MADE).is_none_or(|made| now >= made.saturating_add(OVERLAP));
    let asked = data.remove(ROTATE).is_some();
    let due = life.is_some_and(|life| now >= made.saturating_add(life));
    next = match next {
        Some(successor) if ripe => {
            retired.merge(signing.public());
            signing = successor;
            data.remove(NEXT);
            data.remove(NEXT_MADE);
            write(data, (CURRENT, MADE), &signing, now)?;
            None
        }
        None if asked || due => {
            let successor = SigningKey::generate()?;
            write(data, (NEXT, NEXT_MADE), &successor, now)?;
            Some(successor)
        }
        waiting => waiting,
    };
    if time(data, MADE).is_none() {
        data.insert(MADE.into(), ByteString(made.to_string().into_bytes()));
    }
    if !retired.is_empty() || data.contains_key(RETIRED) {
        data.insert(RETIRED.into(), ByteString(retired.to_jwks().into_bytes()));
    }
    let mut verifying = signing.public();
    verifying.merge(retired);
    if let Some(next) = next {
        verifying.merge(next.public());
    }
    Ok((signing, verifying))
}

/// The successor where there is one, since it is known already; else a new key.
fn replacement(data: &mut Data, now: u64) -> Result<SigningKey, SigningError> {
    let key = match read(data, NEXT)? {
        Some(next) => next,
        None => SigningKey::generate()?,
    };
    data.remove(NEXT);
    data.remove(NEXT_MADE);
    write(data, (CURRENT, MADE), &key, now)?;
    Ok(key)
}

/// A key that signs, or is about to, goes as well: its place is taken at once.
fn revoke(data: &mut Data, retired: &mut VerifyingKeys) -> Result<(), SigningError> {
    let Some(asked) = data.remove(REVOKE) else {
        return Ok(());
    };
    let asked = String::from_utf8_lossy(&asked.0).into_owned();
    for kid in asked.split([',', ' ', '\n']).filter(|kid| !kid.is_empty()) {
        retired.remove(kid);
        for (place, made) in [(CURRENT, MADE), (NEXT, NEXT_MADE)] {
            if read(data, place)?.is_some_and(|key| key.kid() == kid) {
                data.remove(place);
                data.remove(made);
            }
        }
    }
    Ok(())
}

/// The names of published keys that verify nothing any more; none: there are no such keys. They were revoked, or their
/// Secret was lost, and then they stay lost: whoever may write the ConfigMap must not say what is believed.
pub(super) fn gone(published: Option<&str>, verifying: &VerifyingKeys) -> Option<String> {
    let published = VerifyingKeys::from_jwks(published?).ok()?;
    let gone: Vec<_> = published
        .kids()
        .filter(|kid| verifying.kids().all(|known| known != *kid))
        .collect();
    (!gone.is_empty()).then(|| gone.join(" "))
}

fn read(data: &Data, place: &str) -> Result<Option<SigningKey>, SigningError> {
    let key = data
        .get(place)
        .map(|der| SigningKey::from_pkcs8_der(&der.0));
    Ok(key.transpose()?)
}

fn write(
    data: &mut Data,
    (place, made): (&str, &str),
    key: &SigningKey,
    now: u64,
) -> Result<(), SigningError> {
    data.insert(place.into(), ByteString(key.to_pkcs8_der()?.to_vec()));
    data.insert(made.into(), ByteString(now.to_string().into_bytes()));
    Ok(())
}

fn time(data: &Data, key: &str) -> Option<u64> {
    std::str::from_utf8(&data.get(key)?.0).ok()?.parse().ok()
}

fn retired(data: &Data) -> Result<VerifyingKeys, SigningError> {
    let Some(retired) = data.get(RETIRED) else {
        return Ok(VerifyingKeys::default());
    };
    let text = std::str::from_utf8(&retired.0).map_err(|_| SigningError::Retired)?;
    Ok(VerifyingKeys::from_jwks(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;
    const DAY: u64 = 86_400;

    fn at(data: &mut Data, now: u64) -> (String, Vec<String>) {
        let (signing, verifying) = advance(data, now, Some(90 * DAY)).unwrap();
        let kids = verifying.kids().map(str::to_owned).collect();
        (signing.kid().to_owned(), kids)
    }

    fn ask(data: &mut Data, key: &str, value: &str) {
        data.insert(key.into(), ByteString(value.as_bytes().to_vec()));
    }

    #[test]
    fn the_first_replica_makes_the_key_and_the_second_reads_it() {
        let mut data = Data::new();
        let (first, kids) = at(&mut data, NOW);
        let written = data.clone();
        assert_eq!(at(&mut data, NOW + 5), (first.clone(), kids.clone()));
        assert_eq!(kids, [first]);
        assert_eq!(data, written, "reading writes nothing");
    }

    #[test]
    fn a_successor_is_known_before_it_signs_and_the_old_key_verifies_after_it() {
        for asked in [true, false] {
            let mut data = Data::new();
            let (first, _) = at(&mut data, NOW);
            let start = if asked { NOW + 1 } else { NOW + 90 * DAY };
            if asked {
                ask(&mut data, ROTATE, "now");
            }
            let (signs, kids) = at(&mut data, start);
            assert_eq!((signs == first, kids.len()), (true, 2));
            let (signs, known) = at(&mut data, start + OVERLAP - 1);
            assert_eq!((signs == first, &known), (true, &kids));
            let (second, known) = at(&mut data, start + OVERLAP);
            assert_eq!((second != first, &known), (true, &kids));
            let (signs, known) = at(&mut data, start + OVERLAP + 1);
            assert_eq!((signs, known), (second, kids));
        }
    }

    #[test]
    fn asking_again_while_a_successor_waits_makes_no_other() {
        let mut data = Data::new();
        at(&mut data, NOW);
        ask(&mut data, ROTATE, "1");
        let (_, kids) = at(&mut data, NOW + 1);
        ask(&mut data, ROTATE, "2");
        assert_eq!(at(&mut data, NOW + 2).1, kids);
    }

    #[test]
    fn a_key_made_before_there_was_a_schedule_is_new() {
        let mut data = Data::new();
        let (first, _) = at(&mut data, NOW);
        data.remove(MADE);
        assert_eq!(at(&mut data, NOW + 100 * DAY), (first.clone(), vec![first]));
        let made = NOW + 100 * DAY;
        assert_eq!(time(&data, MADE), Some(made));
    }

    #[test]
    fn a_revoked_key_verifies_nothing_wherever_it_stands() {
        let mut data = Data::new();
        let (first, _) = at(&mut data, NOW);
        ask(&mut data, ROTATE, "");
        at(&mut data, NOW);
        let (second, _) = at(&mut data, NOW + OVERLAP);

        ask(&mut data, REVOKE, &format!("{first}\n"));
        assert_eq!(
            at(&mut data, NOW + 100),
            (second.clone(), vec![second.clone()])
        );
        ask(&mut data, REVOKE, &second);
        let (third, kids) = at(&mut data, NOW + 101);
        assert!(third != second && kids == [third.clone()]);

        // The waiting successor steps in.
        ask(&mut data, ROTATE, "");
        let (_, kids) = at(&mut data, NOW + 200);
        ask(&mut data, REVOKE, &third);
        let (fourth, left) = at(&mut data, NOW + 201);
        assert!(kids.contains(&fourth) && left == [fourth]);
    }

    #[test]
    fn published_keys_that_are_gone_are_named() {
        let mut data = Data::new();
        let (first, _) = at(&mut data, NOW);
        let (_, before) = advance(&mut data, NOW, None).unwrap();
        let published = before.to_jwks();
        let missing = |data: &mut Data| {
            let (_, verifying) = advance(data, NOW + OVERLAP, None).unwrap();
            gone(Some(&published), &verifying)
        };
        ask(&mut data, ROTATE, "");
        at(&mut data, NOW);
        assert_eq!(missing(&mut data), None, "a retired key verifies");
        assert_eq!(missing(&mut Data::new()), Some(first.clone()));
        ask(&mut data, REVOKE, &first);
        assert_eq!(missing(&mut data), Some(first));
        assert_eq!(gone(Some("{"), &before), None);
        assert_eq!(gone(None, &before), None);
    }

    #[test]
    fn a_damaged_secret_is_never_overwritten() {
        let mut data = Data::new();
        at(&mut data, NOW);
        for place in [CURRENT, NEXT, RETIRED] {
            let mut damaged = data.clone();
            ask(&mut damaged, place, "{");
            assert!(advance(&mut damaged, NOW, None).is_err(), "{place}");
        }
    }
}
