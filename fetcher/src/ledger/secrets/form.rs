//! A record as a Secret: what people read in annotations, what they select by in labels, the tokens only in data.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube2hadoop_client::contract::Timestamp;
use kube2hadoop_client::credentials::Credentials;

use super::TYPE;
use crate::clock::timestamp;
use crate::issue::Issued;
use crate::ledger::Key;
use crate::ledger::place::{Place, hash};
use crate::ledger::record::{Entry, Live, Record, State, Versioned};

pub(super) const USER: &str = "kube2hadoop.io/user";
const JOB: &str = "kube2hadoop.io/job";
const SERVICE: &str = "kube2hadoop.io/service";
const STATE: &str = "kube2hadoop.io/state";
const SINCE: &str = "kube2hadoop.io/since";
const ISSUED: &str = "kube2hadoop.io/issued";
const RENEWED: &str = "kube2hadoop.io/renewed";
pub(super) const NEXT_RENEWAL: &str = "kube2hadoop.io/next-renewal";
const EXPIRES: &str = "kube2hadoop.io/expires";
const MAX_DATE: &str = "kube2hadoop.io/max-date";
const SEQUENCE: &str = "kube2hadoop.io/sequence-number";
const TOKENS: &str = "kube2hadoop.io/tokens";
const NAMESPACE: &str = "kube2hadoop.io/namespace";
const JOB_HASH: &str = "kube2hadoop.io/job-hash";
pub(super) const CREDENTIALS: &str = "credentials";

const CLAIMED: &str = "claimed";
const HELD: &str = "held";
const WORN: &str = "worn";

/// What is stored for a record.
pub(super) fn secret(
    place: &Place,
    record: &Record,
    next_renewal: Option<u64>,
    version: Option<String>,
) -> Secret {
    let key = &place.key;
    let mut annotations = notes(record);
    annotations.extend(next_renewal.map(|at| (NEXT_RENEWAL, timestamp(at).to_string())));
    annotations.extend([
        (USER, key.user.to_string()),
        (JOB, key.job.to_string()),
        (SERVICE, key.service.to_string()),
    ]);
    let state = annotations.get(STATE).cloned().unwrap_or_default();
    let labels = labels(key, state);
    let data = record.issued().map(|issued| {
        let content = ByteString(file(issued));
        BTreeMap::from([(CREDENTIALS.to_owned(), content)])
    });
    Secret {
        metadata: ObjectMeta {
            name: Some(place.name().to_owned()),
            labels: Some(owned(labels)),
            annotations: Some(owned(annotations)),
            resource_version: version,
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.into()),
        data,
        ..Secret::default()
    }
}

/// What fits no label stands in the annotations only: a user may be called `_x`, a job has slashes.
fn labels(key: &Key, state: String) -> impl Iterator<Item = (&'static str, String)> {
    let namespace = key.job.as_str().split('/').next().unwrap_or_default();
    let readable = [
        (STATE, state),
        (USER, key.user.to_string()),
        (SERVICE, key.service.to_string()),
        (NAMESPACE, namespace.to_owned()),
    ];
    let ours = "kube2hadoop-fetcher".to_owned();
    readable
        .into_iter()
        .filter(|(_, value)| fits_a_label(value))
        .chain([
            ("app.kubernetes.io/managed-by", ours),
            (JOB_HASH, hash(&[key.job.as_str()])),
        ])
}

/// As Kubernetes wants a label's value: at most 63 of its characters, a letter or digit at both ends.
fn fits_a_label(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = value.as_bytes();
    value.len() <= 63
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes.iter().all(|it| plain(*it) || b"-_.".contains(it))
}

fn owned(pairs: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn notes(record: &Record) -> BTreeMap<&'static str, String> {
    let (state, since) = match record {
        Record::Claimed { since } => (CLAIMED, Some(since)),
        Record::Held(_) => (HELD, None),
        Record::Worn { since, .. } => (WORN, Some(since)),
    };
    let mut notes = BTreeMap::from([(STATE, state.to_owned())]);
    notes.extend(since.map(|since| (SINCE, since.to_string())));
    if let Some(issued) = record.issued() {
        notes.extend([
            (ISSUED, timestamp(issued.issued_at).to_string()),
            (RENEWED, timestamp(issued.renewed_at).to_string()),
            (EXPIRES, timestamp(issued.expires_at).to_string()),
            (MAX_DATE, timestamp(issued.max_date).to_string()),
            (SEQUENCE, issued.sequence_number.to_string()),
            (TOKENS, issued.tokens.len().to_string()),
        ]);
    }
    notes
}

fn file(issued: &Issued) -> Vec<u8> {
    let mut credentials = Credentials::new();
    for (alias, token) in &issued.tokens {
        // What is longer than Hadoop reads was refused when it came from Hadoop.
        let _ = credentials.add(alias.clone(), token.clone());
    }
    credentials.to_bytes().expose().to_vec()
}

/// A Secret that cannot be read counts as a claim of long ago, so that it is written anew.
pub(super) fn read(secret: Secret) -> Versioned {
    let version = secret.metadata.resource_version.clone().unwrap_or_default();
    let notes = Notes::of(&secret.metadata);
    let record = tokens(&secret, &notes).unwrap_or_else(|| Record::Claimed {
        since: notes.since().unwrap_or(0),
    });
    Versioned { record, version }
}

fn tokens(secret: &Secret, notes: &Notes<'_>) -> Option<Record> {
    let live = notes.live()?;
    if secret.type_.as_deref() != Some(TYPE) {
        return None;
    }
    let credentials = Credentials::parse(&secret.data.as_ref()?.get(CREDENTIALS)?.0).ok()?;
    let issued = Arc::new(Issued {
        tokens: credentials
            .tokens()
            .map(|(alias, token)| (alias.to_owned(), token.clone()))
            .collect(),
        issued_at: live.issued_at,
        renewed_at: live.renewed_at,
        expires_at: live.expires_at,
        max_date: live.max_date,
        sequence_number: live.sequence_number,
    });
    Some(match live.worn {
        Some(since) => Record::Worn { issued, since },
        None => Record::Held(issued),
    })
}

/// What a Secret's metadata alone tells; none if it is no record of ours.
pub(super) fn entry(meta: &ObjectMeta) -> Option<Entry> {
    let notes = Notes::of(meta);
    let key = Key {
        job: serde_json::from_value(notes.get(JOB)?.into()).ok()?,
        user: notes.get(USER)?.parse().ok()?,
        service: notes.get(SERVICE)?.parse().ok()?,
    };
    let state = notes.live().map_or(State::Claimed, State::Live);
    Some(Entry {
        place: Place::found(key, meta.name.as_deref()?)?,
        version: meta.resource_version.clone()?,
        state,
    })
}

/// Does the Secret name another key than the one it was looked up by?
pub(super) fn is_anothers(meta: &ObjectMeta, key: &Key) -> bool {
    let notes = Notes::of(meta);
    let ours = [
        (USER, key.user.as_str()),
        (JOB, key.job.as_str()),
        (SERVICE, key.service.as_str()),
    ];
    let differs = |(name, value)| notes.get(name).is_some_and(|noted| noted != value);
    ours.into_iter().any(differs)
}

struct Notes<'a>(Option<&'a BTreeMap<String, String>>);

impl<'a> Notes<'a> {
    fn of(meta: &'a ObjectMeta) -> Self {
        Self(meta.annotations.as_ref())
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0?.get(name).map(String::as_str)
    }

    fn millis(&self, name: &str) -> Option<u64> {
        let time: Timestamp = self.get(name)?.parse().ok()?;
        time.unix_seconds().checked_mul(1000)
    }

    fn since(&self) -> Option<u64> {
        self.get(SINCE)?.parse().ok()
    }

    fn live(&self) -> Option<Live> {
        let worn = match self.get(STATE)? {
            HELD => None,
            WORN => Some(self.since()?),
            _ => return None,
        };
        Some(Live {
            issued_at: self.millis(ISSUED)?,
            renewed_at: self.millis(RENEWED)?,
            expires_at: self.millis(EXPIRES)?,
            max_date: self.millis(MAX_DATE)?,
            sequence_number: self.get(SEQUENCE)?.parse().ok()?,
            tokens: self.get(TOKENS)?.parse().ok()?,
            worn,
        })
    }
}
