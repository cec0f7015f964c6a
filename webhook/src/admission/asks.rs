//! What an object asks for, as far as adapters must find something out before the decision.

use kube2hadoop_stamp::names;
use serde_json::Value;

use crate::kinds::{Kinds, at};
use crate::review::{Object, Request};

/// The user that the first of the object's `run-as` annotations names.
pub fn run_as(request: &Request<'_>, kinds: &Kinds) -> Option<String> {
    let object = match request.object.as_ref()? {
        Object::Pod(pod) => return pod.metadata.annotation(names::RUN_AS).map(str::to_owned),
        Object::Other(object) => object,
    };
    let asked = |metadata: &Value| {
        let annotation = metadata.get("annotations")?.get(names::RUN_AS)?;
        annotation.as_str().map(str::to_owned)
    };
    let kind = &request.kind;
    let spots = kinds.find(&kind.group, &kind.kind)?.spots(object);
    let mut metadata = spots.iter().filter_map(|spot| at(object, &spot.metadata));
    metadata.find_map(asked)
}
