//! The seeds, without a fuzzer: each is what its target is about, and the property holds for it.

use std::fs;
use std::path::Path;

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
