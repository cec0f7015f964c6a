//! The seeds, without a fuzzer: each is what its target is about, and the property holds for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;

fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let files = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let seeds: BTreeMap<_, _> = files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect();
    assert!(!seeds.is_empty());
    seeds
}

#[test]
fn every_seed_of_an_answer_means_what_it_says() {
    let seeds = seeds("answers");
    let found: Vec<_> = seeds
        .iter()
        .map(|(name, seed)| (name.as_str(), answers::comes_to(seed).unwrap()))
        .collect();
    let expected = [
        ("defaults-none", "done"),
        ("defaults-unknown", "done"),
        ("hdfs-cancelled", "done"),
        ("hdfs-impersonation", "proxy-user-not-allowed"),
        ("hdfs-known", "done"),
        ("hdfs-renewed", "done"),
        ("hdfs-safe-mode", "hadoop-safe-mode"),
        ("hdfs-standby", "hadoop-standby"),
        ("hdfs-token", "done"),
        ("hdfs-unknown", "done"),
        ("kms-gone", "done"),
        ("kms-token", "done"),
        ("kms-unknown", "token-unknown"),
        ("login-again", "ticket-refused"),
        ("ticket-refused", "ticket-refused"),
        ("yarn-known", "done"),
        ("yarn-refused", "not-renewer"),
        ("yarn-renewed", "done"),
        ("yarn-standby", "hadoop-standby"),
        ("yarn-token", "done"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_seed_of_a_configuration_is_of_a_cluster() {
    for (name, seed) in seeds("configuration") {
        assert!(configuration::is_understood(&seed), "{name}");
        configuration::holds(&seed);
    }
}
