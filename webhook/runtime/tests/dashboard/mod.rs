//! Whether the dashboard asks for metrics that there are. Both services' tests have it.

use std::collections::BTreeSet;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

const DASHBOARD: &str = include_str!("../../../../deploy/chart/kube2hadoop/dashboard.json");

/// It asks for at least so many that begin with `prefix`, and the registry shows each of them.
pub(crate) fn asks_for_metrics_of(registry: &Registry, prefix: &str, at_least: usize) {
    let words = DASHBOARD.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let asked: BTreeSet<_> = words.filter(|word| word.starts_with(prefix)).collect();
    assert!(asked.len() >= at_least, "{asked:?}");

    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let shown: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let missing: Vec<_> = asked.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
