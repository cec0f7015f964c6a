//! New tokens for many jobs, against a bare loop at the same NameNode; both run on this machine.

use std::process::Command;

use anyhow::Result;
use serde::Deserialize;

use super::example;
use super::table::Row;
use crate::stage::Stage;
use crate::{process, progress};

const SERVICE: &str = "kube2hadoop";
const USER: &str = "alice";

/// What the example prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    jobs_per_second: f64,
    bare_per_second: f64,
    /// The median of what short runs side by side gave, each as a part of its neighbour.
    part_of_bare: f64,
    jobs_cpu_micros: f64,
    bare_cpu_micros: f64,
}

pub(super) fn run(stage: &Stage) -> Result<Vec<Row>> {
    let mut program = Command::new(example("kube2hadoop-fetcher", "many_jobs")?);
    let hadoop = &stage.hadoop;
    program
        .env("KRB5_CONFIG", hadoop.krb5_conf())
        .env("KRB5_CLIENT_KTNAME", hadoop.keytab(SERVICE))
        .env("KRB5CCNAME", "MEMORY:bench")
        .arg(hadoop.conf_dir())
        .args([&hadoop.principal(SERVICE), USER]);
    let step = progress::step("tokens of many jobs against a bare loop");
    let printed = process::run(&mut program)?;
    step.done("");
    let report: Report = serde_json::from_str(&printed)?;
    let part = 100.0 * report.part_of_bare;
    Ok(vec![
        Row::new(
            "new tokens in a second, 16 connections",
            report.jobs_per_second,
        )
        .over(report.bare_per_second),
        Row::new("% of a bare loop's rate", part).at_least(90.0),
        Row::new("CPU µs each", report.jobs_cpu_micros).over(report.bare_cpu_micros),
    ])
}
