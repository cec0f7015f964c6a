//! What an object asks for, as far as adapters must find something out before the decision.

use kube2hadoop_stamp::names;
use serde_json::Value;

use crate::kinds::{Kinds, at};
use crate::review::Request;

/// The user that the first of the object's `run-as` annotations names.
pub fn run_as(request: &Request<'_>, kinds: &Kinds) -> Option<String> {
    let text = request.object?.get();
    // Almost no object does, and reading it twice would cost more than looking for the word.
    if !text.contains(names::RUN_AS) {
        return None;
    }
    let object: Value = serde_json::from_str(text).ok()?;
    let asked = |metadata: &Value| {
        let annotation = metadata.get("annotations")?.get(names::RUN_AS)?;
        annotation.as_str().map(str::to_owned)
    };
    let kind = &request.kind;
    if kind.group.is_empty() && &*kind.kind == "Pod" {
        return asked(object.get("metadata")?);
    }
    let spots = kinds.find(&kind.group, &kind.kind)?.spots(&object);
    let mut metadata = spots.iter().filter_map(|spot| at(&object, &spot.metadata));
    metadata.find_map(asked)
}
