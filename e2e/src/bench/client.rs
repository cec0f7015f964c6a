//! The init container's program as it is shipped, against the least that it could take.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{dist, process, progress};

/// What the client's own benchmark prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    exec_to_files_micros: u64,
    bare_round_trip_micros: u64,
    ratio: f64,
}

pub(super) fn run() -> Result<()> {
    let step = progress::step("the client against a bare TLS round trip");
    let printed = process::run(&mut dist::client_benchmark("exec_to_files"))?;
    step.done("");
    let report = printed
        .lines()
        .find_map(|line| serde_json::from_str::<Report>(line).ok())
        .with_context(|| format!("the client's benchmark printed {printed}"))?;
    println!("client, exec to files written, both ends on this machine:");
    println!(
        "  {} µs; a bare TLS round trip with the same bytes {} µs: {:.2} times",
        report.exec_to_files_micros, report.bare_round_trip_micros, report.ratio
    );
    Ok(())
}
