//! What very many tokens cost the replica that leads, by simulation: no API server, no Hadoop, no waiting.

use std::process::Command;

use anyhow::Result;
use serde::Deserialize;

use super::example;
use super::table::Row;
use crate::process;

/// How many, and whether there are goals for so many.
const TOKENS: [(usize, bool); 2] = [(100_000, true), (1_000_000, false)];

/// What the example prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    start_up_millis: u64,
    resident_mb: f64,
    micros_per_renewal: f64,
    most_in_a_minute: usize,
}

pub(super) fn run() -> Result<Vec<Row>> {
    let program = example("kube2hadoop-fetcher", "leader_at_scale")?;
    let mut rows = Vec::new();
    for (tokens, goals) in TOKENS {
        let printed = process::run(Command::new(&program).arg(tokens.to_string()))?;
        let report: Report = serde_json::from_str(&printed)?;
        let row = |what: &str, measured| Row::new(format!("{tokens} tokens: {what}"), measured);
        let resident = row("MB resident", report.resident_mb);
        let start_up = row("s to start up", report.start_up_millis as f64 / 1000.0).digits(1);
        rows.extend(match goals {
            true => [resident.at_most(150.0), start_up.at_most(10.0)],
            false => [resident, start_up],
        });
        rows.push(row("µs a renewal", report.micros_per_renewal));
        rows.push(row(
            "renewals in the busiest minute",
            report.most_in_a_minute as f64,
        ));
    }
    Ok(rows)
}
