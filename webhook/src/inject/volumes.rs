//! The memory volume that carries the token, and the projected identity of the pod.

use serde_json::{Value, json};

use super::written::Written;
use super::{Conflict, IDENTITY_VOLUME, Injection, Ops, VOLUME};

const PATH: [&str; 2] = ["spec", "volumes"];
/// Seconds; the shortest life that the API server issues.
const IDENTITY_LIFE: u32 = 600;

/// Our volumes by name.
pub(super) type Fixed = [(&'static str, Written); 2];

pub(super) fn fixed(audience: &str) -> Fixed {
    [
        (VOLUME, Written::of(&memory())),
        (IDENTITY_VOLUME, Written::of(&identity(audience))),
    ]
}

pub(super) fn add(ops: &mut Ops, injection: &Injection<'_>) -> Result<(), Conflict> {
    let volumes = injection.pod.spec.volumes.as_deref();
    let mut missing = Vec::new();
    for (name, wanted) in &injection.policy.fixed().volumes {
        let mut names = volumes.unwrap_or_default().iter();
        match names.position(|volume| &*volume.name == *name) {
            None => missing.push(wanted),
            Some(_) if !injection.names_are_ours() => return Err(Conflict::Volume(name)),
            Some(at) if injection.differs(PATH, at, wanted) => {
                ops.replace(PATH.into_iter().chain([at.to_string().as_str()]), wanted);
            }
            Some(_) => {}
        }
    }
    ops.append(&PATH, volumes.is_some(), &missing);
    Ok(())
}

fn memory() -> Value {
    json!({"name": VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}})
}

fn identity(audience: &str) -> Value {
    let token = json!({"audience": audience, "expirationSeconds": IDENTITY_LIFE, "path": "token"});
    json!({"name": IDENTITY_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}})
}

/// Is all of `wanted` in `present`? The API server adds defaults between two calls of the webhook.
pub(super) fn covers(present: &Value, wanted: &Value) -> bool {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            present
                .get(key)
                .is_some_and(|present| covers(present, value))
        }),
        (Value::Array(present), Value::Array(wanted)) => {
            present.len() == wanted.len()
                && present
                    .iter()
                    .zip(wanted)
                    .all(|(present, wanted)| covers(present, wanted))
        }
        (present, wanted) => present == wanted,
    }
}
