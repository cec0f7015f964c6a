//! Paths with wildcards: `/spec/tfReplicaSpecs/*/template`, `/spec/workerGroupSpecs/[]/template`.

use serde::Deserialize;
use serde_json::Value;

/// Where something stands in an object, once or many times.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Entries,
    Items,
}

/// A path that could never be followed, or not be said in the registration's match conditions.
#[derive(Debug, thiserror::Error)]
#[error(
    "«{0}» is no path: begin it with /, and name fields, * (each entry of a map) or [] (each item of a list) between slashes"
)]
pub struct InvalidPath(String);

impl TryFrom<String> for Path {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        let steps = text.strip_prefix('/').map(|rest| rest.split('/').map(step));
        let steps: Option<Vec<Step>> = steps.and_then(Iterator::collect);
        steps.map(Self).ok_or(InvalidPath(text))
    }
}

fn step(token: &str) -> Option<Step> {
    match token {
        "*" => Some(Step::Entries),
        "[]" => Some(Step::Items),
        name if is_field(name) => Some(Step::Key(name.to_owned())),
        _ => None,
    }
}

/// A name that CEL takes as it is.
pub(super) fn is_field(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Path {
    /// Every place in the object that the path leads to, as keys and indices.
    pub fn places(&self, object: &Value) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        follow(&self.0, object, &mut Vec::new(), &mut found);
        found
    }

    /// Takes out what the path leads to.
    pub fn remove(&self, object: &mut Value) {
        for place in self.places(object) {
            let Some((last, parents)) = place.split_last() else {
                continue;
            };
            if let Some(Value::Object(parent)) = at_mut(object, parents) {
                parent.remove(last);
            }
        }
    }
}

fn follow(steps: &[Step], value: &Value, here: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(here.clone());
        return;
    };
    let mut enter = |token: String, value: &Value| {
        here.push(token);
        follow(rest, value, here, found);
        here.pop();
    };
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => {
            if let Some(value) = map.get(key) {
                enter(key.clone(), value);
            }
        }
        (Step::Entries, Value::Object(map)) => {
            map.iter()
                .for_each(|(key, value)| enter(key.clone(), value));
        }
        (Step::Items, Value::Array(list)) => {
            let items = list.iter().enumerate();
            items.for_each(|(index, value)| enter(index.to_string(), value));
        }
        _ => {}
    }
}

/// What stands at a place.
pub fn at<'a>(object: &'a Value, place: &[String]) -> Option<&'a Value> {
    place.iter().try_fold(object, |value, token| match value {
        Value::Object(map) => map.get(token),
        Value::Array(list) => list.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The same, to be changed.
pub fn at_mut<'a>(object: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(object, |value, token| match value {
        Value::Object(map) => map.get_mut(token),
        Value::Array(list) => list.get_mut(token.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn wildcards_find_every_place_and_keys_are_taken_as_they_are() {
        let object = json!({"spec": {"m": {"a/b": {"t": 1}, "c~1": {"t": 2}, "none": {}}, "l": [{"t": 3}, 4]}});
        assert_eq!(
            path("/spec/m/*/t").places(&object),
            [["spec", "m", "a/b", "t"], ["spec", "m", "c~1", "t"]]
        );
        let items = path("/spec/l/[]/t").places(&object);
        assert_eq!(items, [["spec", "l", "0", "t"]]);
        assert_eq!(at(&object, &items[0]), Some(&json!(3)));
        // A map where a list is declared is somebody's trick, or another version: nothing is there.
        assert!(path("/spec/m/[]/t").places(&object).is_empty());
        assert!(path("/spec/l/*/t").places(&object).is_empty());
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest() {
        let mut object = json!({"l": [{"t": 3, "u": 1}], "t": 2});
        path("/l/[]/t").remove(&mut object);
        assert_eq!(object, json!({"l": [{"u": 1}], "t": 2}));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "", "spec", "/", "/spec/", "/spec//x", "/a b", "/x'", "/spec/**",
        ] {
            assert!(Path::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
