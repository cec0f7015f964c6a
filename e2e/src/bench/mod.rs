//! `cargo e2e bench`: what the parts cost, measured on this machine against what is up.

mod client;
mod fetcher;
mod identity;
mod leader;
mod load;
mod many_jobs;
mod pod_start;
mod server;
mod table;
mod webhook;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use self::table::Row;
use crate::stage::Stage;
use crate::test::took;
use crate::{dist, places, process, progress};

/// Measures each part, and prints one table.
pub fn run(stage: &Stage) -> Result<()> {
    // Processes that have done nothing yet tell how little they need.
    stage.restart_services()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let idle = fetcher::idle()?;
    let sections = [
        (
            "webhook: a pod of 5.7 KB, full mutation with stamp, one core",
            webhook::run(stage)?,
        ),
        (
            "webhook: µs at one connection, by who is behind the request",
            identity::run(stage)?,
        ),
        ("client", client::run()?),
        ("fetcher", fetcher::run(stage, idle)?),
        ("fetcher: many jobs", many_jobs::run(stage)?),
        (
            "fetcher that leads, by simulation, all tokens issued in one minute",
            leader::run()?,
        ),
        (
            "pod, from its creation to the application's first instruction",
            pod_start::run(stage)?,
        ),
        ("cargo e2e test, when it last passed here", tests()?),
    ];
    println!("\nload of this machine before: {}", load.trim());
    print!("{}", table::render(&sections));
    Ok(())
}

/// Nothing where it never did.
fn tests() -> Result<Vec<Row>> {
    let minutes = |(cache, seconds): (String, u64)| {
        let what = format!("minutes, beginning with a {cache} cache");
        Row::new(what, seconds as f64 / 60.0).digits(1)
    };
    Ok(took::remembered()?.into_iter().map(minutes).collect())
}

/// Builds an example of ours as the services are built, and gives its path.
fn example(package: &str, name: &str) -> Result<PathBuf> {
    let step = progress::step(format!("building {name}"));
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            package,
            "--example",
            name,
        ])
        .arg("--target-dir")
        .arg(dist::target_directory())
        .current_dir(places::repository());
    process::run(&mut cargo)?;
    step.done("");
    Ok(dist::target_directory().join("release/examples").join(name))
}

/// The middle value; of an even count the upper one.
fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_does_not_care_for_order() {
        assert_eq!(median(&[9, 1, 5]), Some(5));
        assert_eq!(median::<u8>(&[]), None);
    }
}
