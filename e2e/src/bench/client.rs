//! The init container's program as it is shipped, against the least that it could take.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::table::Row;
use crate::{dist, process, progress};

/// What the client's own benchmark prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    exec_to_files_micros: u64,
    bare_round_trip_micros: u64,
    ratio: f64,
}

pub(super) fn run() -> Result<Vec<Row>> {
    let step = progress::step("the client against a bare TLS round trip");
    let printed = process::run(&mut dist::client_benchmark("exec_to_files"))?;
    step.done("");
    let report = printed
        .lines()
        .find_map(|line| serde_json::from_str::<Report>(line).ok())
        .with_context(|| format!("the client's benchmark printed {printed}"))?;
    let program = std::fs::metadata(dist::program("kube2hadoop-client"))?;
    Ok(vec![
        Row::new(
            "µs from exec to the files",
            report.exec_to_files_micros as f64,
        )
        .over(report.bare_round_trip_micros as f64),
        Row::new("times a bare TLS round trip", report.ratio)
            .at_most(1.5)
            .digits(2),
        Row::new("MB of the program", program.len() as f64 / 1e6)
            .at_most(4.0)
            .digits(2),
    ])
}
