//! Any path that a values file holds, and any object that it is followed in.

use kube2hadoop_webhook::kinds::{Kinds, Path, at, at_mut};
use serde_json::{Value, json};

/// A path on the first line, an object on the rest.
pub fn holds(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    let Some((path, object)) = text.and_then(|text| text.split_once('\n')) else {
        return;
    };
    as_a_kind(path, object);
    let (Ok(path), Ok(object)) = (
        Path::try_from(path.to_owned()),
        serde_json::from_str::<Value>(object),
    ) else {
        return;
    };
    let (mut copy, mut cut) = (object.clone(), object.clone());
    let places = path.places(&object);
    for place in &places {
        let found = at(&object, place);
        assert!(found.is_some(), "nothing is at {place:?}");
        assert_eq!(found, at_mut(&mut copy, place).map(|value| &*value));
    }
    path.remove(&mut cut);
    for place in &places {
        let (last, parent) = place.split_last().expect("a path has a step");
        // Items of a list are not taken out: the others would move.
        let of_a_map = at(&object, parent).is_some_and(Value::is_object);
        assert!(
            !of_a_map || at(&cut, place).is_none(),
            "{last} is still there"
        );
    }
    assert!(
        !places.is_empty() || cut == object,
        "something else was taken out"
    );
}

/// The same line where the chart's `kinds` has paths, absolute ones and relative ones.
fn as_a_kind(path: &str, object: &str) {
    let template = json!({"path": path, "metadata": "metadata", "serviceAccount": "spec/account"});
    let below = json!({"path": "/spec", "metadata": path, "serviceAccount": path});
    for place in [json!(path), template, below] {
        let kind = json!([{"group": "x.org", "kind": "X", "resource": "xs", "templates": [place], "notCode": []}]);
        let Ok(kinds) = serde_json::from_value::<Kinds>(kind) else {
            continue;
        };
        let Ok(object) = serde_json::from_str(object) else {
            continue;
        };
        for spot in kinds
            .find("x.org", "X")
            .expect("it was added")
            .spots(&object)
        {
            assert!(at(&object, &spot.template).is_some());
            assert!(spot.metadata.starts_with(&spot.template));
            assert!(spot.service_account.starts_with(&spot.template));
        }
    }
}
