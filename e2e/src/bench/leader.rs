//! What very many tokens cost the replica that leads, by simulation: no API server, no Hadoop, no waiting.

use std::process::Command;

use anyhow::Result;
use serde::Deserialize;

use super::example;
use crate::process;

const TOKENS: [usize; 2] = [100_000, 1_000_000];

/// What the example prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    tokens: usize,
    start_up_millis: u64,
    resident_mb: f64,
    micros_per_renewal: f64,
    most_in_a_minute: usize,
}

pub(super) fn run() -> Result<()> {
    let program = example("kube2hadoop-fetcher", "leader_at_scale")?;
    println!(
        "fetcher that leads, besides the API server's and Hadoop's own time, all tokens issued in one minute:"
    );
    for tokens in TOKENS {
        let printed = process::run(Command::new(&program).arg(tokens.to_string()))?;
        let report: Report = serde_json::from_str(&printed)?;
        println!(
            "  {:>9} tokens   start-up {:.1} s, {:.0} MB resident, {:.0} µs a renewal, at most {} in a minute",
            report.tokens,
            report.start_up_millis as f64 / 1000.0,
            report.resident_mb,
            report.micros_per_renewal,
            report.most_in_a_minute,
        );
    }
    Ok(())
}
