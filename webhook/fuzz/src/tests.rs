//! The seeds, without a fuzzer: each is what its target is about, and the property holds for it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::people::WORLD;

/// The recorded review of a pod, in which much is skipped unparsed.
const RECORDED: &[u8] = include_bytes!("../../tests/fixtures/pod-create-review.json");

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    let read = files.map(|path| (path.display().to_string(), fs::read(path).unwrap()));
    let read: Vec<_> = read.collect();
    assert!(!read.is_empty());
    read
}

#[test]
fn every_seed_of_a_review_is_one() {
    review::holds(RECORDED);
    for (name, seed) in seeds("review") {
        let body = WORLD.with_stamps(&seed).unwrap();
        let parsed = kube2hadoop_webhook::review::parse(body.as_bytes());
        assert!(parsed.is_ok(), "{name}: {:?}", parsed.err());
        review::holds(&seed);
    }
}

#[test]
fn every_seed_of_a_stamp_is_signed_or_a_key() {
    for (name, seed) in seeds("stamp") {
        let text = std::str::from_utf8(&seed).unwrap();
        assert!(stamp::is_understood(text), "{name} means nothing");
        stamp::holds(&seed);
    }
}

#[test]
fn every_seed_of_a_path_leads_somewhere() {
    for (name, seed) in seeds("paths") {
        let text = std::str::from_utf8(&seed).unwrap();
        let (path, object) = text.split_once('\n').unwrap();
        let path = kube2hadoop_webhook::kinds::Path::try_from(path.to_owned()).unwrap();
        let object = serde_json::from_str(object).unwrap();
        assert!(!path.places(&object).is_empty(), "{name}");
        paths::holds(&seed);
    }
}

/// Every value in it, itself first.
fn all(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Object(map) => map.values().flat_map(all).collect(),
        Value::Array(list) => list.iter().flat_map(all).collect(),
        _ => Vec::new(),
    };
    [value].into_iter().chain(below).collect()
}

/// Puts another value in the place of the one of this number, as [`all`] counts.
fn put(value: &mut Value, number: &mut usize, other: &Value) {
    if *number == 0 {
        *value = other.clone();
    }
    *number = number.wrapping_sub(1);
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| put(value, number, other)),
        Value::Array(list) => list.iter_mut().for_each(|value| put(value, number, other)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What a fuzzer of bytes takes long to find: parts of reviews in the place of parts of others.
    #[test]
    fn reviews_made_of_parts_of_reviews_hold(
        which: Index,
        grafts in proptest::collection::vec((any::<Index>(), any::<Index>()), 1..5),
    ) {
        let seeds = seeds("review");
        let seeds: Vec<Value> = seeds.iter().map(|(_, seed)| serde_json::from_slice(seed).unwrap()).collect();
        let odd = [json!(null), json!({}), json!([]), json!(""), json!(7), json!("kube2hadoop.io/stamp")];
        let parts = seeds.iter().flat_map(|seed| all(seed).into_iter().cloned());
        let parts: Vec<Value> = parts.chain(odd).collect();
        let mut review = which.get(&seeds).clone();
        for (place, part) in grafts {
            let request = &mut review["request"];
            let mut number = place.index(all(request).len());
            put(request, &mut number, part.get(&parts));
        }
        review::holds(review.to_string().as_bytes());
    }
}
