//! `cargo e2e test`: the workspace's own tests, then the end-to-end cases, then the counts.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::Counts;
use super::took::{self, Cache};
use crate::places;
use crate::provider::Choice;
use crate::stage::Stage;

/// What to run.
#[derive(Args, Clone, Debug)]
pub struct Selection {
    /// Parts of end-to-end cases' names; with any, only those cases run.
    pub filters: Vec<String>,
    /// Leave out the workspace's unit and integration tests.
    #[arg(long)]
    pub only_e2e: bool,
}

/// Runs all that is selected; an error unless every test passed.
pub fn run(choice: Choice, selection: &Selection) -> Result<()> {
    let (started, cache) = (Instant::now(), Cache::now()?);
    let stage = Stage::up(choice)?;
    let complete = !selection.only_e2e && selection.filters.is_empty();
    let mut counts = Counts::default();
    if complete {
        counts = workspace_tests()?;
    }
    counts.add(super::run(&stage, &selection.filters)?);
    let Counts { passed, failed, .. } = counts;
    let took = started.elapsed();
    println!(
        "\nall of it took {} min {} s, beginning with a {} cache",
        took.as_secs() / 60,
        took.as_secs() % 60,
        cache.name()
    );
    println!("{counts}");
    ensure!(failed == 0 && passed > 0, "{failed} tests failed");
    if complete {
        took::remember(cache, took)?;
    }
    Ok(())
}

/// Unit and integration tests by cargo, their output passed on line by line.
fn workspace_tests() -> Result<Counts> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .current_dir(places::repository());
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some((passed, failed)) = result_line(&line) {
            counts.passed += passed;
            counts.failed += failed;
        }
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1; // did not compile, or a test binary died
    }
    Ok(counts)
}

/// The counts of a line `test result: ok. 12 passed; 0 failed; …`.
fn result_line(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("test result: ")?;
    let count = |word: &str| {
        let before = rest.split(word).next()?;
        before.trim_end().rsplit([' ', ';']).next()?.parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_cargos_closing_line() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(result_line(line), Some((12, 3)));
        assert_eq!(result_line("test x ... ok"), None);
    }
}
