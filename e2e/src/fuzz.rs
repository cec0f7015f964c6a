//! `cargo e2e fuzz`: libFuzzer looks for input that breaks a property, for a bounded time each. What it learns stays in
//! the cache, so that the next run goes on from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{dist, packages, places, process, progress};

const CARGO_FUZZ: &str = "0.13.2";
/// Sanitizers need a nightly compiler, and there is no unsafe code of ours for them to find fault with.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// A target, the directory of its crate, and where its seeds are.
struct Target {
    name: &'static str,
    fuzz_directory: &'static str,
    seeds: &'static [&'static str],
    dictionary: Option<&'static str>,
}

const TARGETS: [Target; 6] = [
    Target {
        name: "review",
        fuzz_directory: "webhook/fuzz",
        seeds: &["webhook/fuzz/seeds/review", "webhook/tests/fixtures"],
        dictionary: Some("webhook/fuzz/seeds/review.dict"),
    },
    Target {
        name: "stamp",
        fuzz_directory: "webhook/fuzz",
        seeds: &["webhook/fuzz/seeds/stamp"],
        dictionary: None,
    },
    Target {
        name: "paths",
        fuzz_directory: "webhook/fuzz",
        seeds: &["webhook/fuzz/seeds/paths"],
        dictionary: None,
    },
    Target {
        name: "credentials",
        fuzz_directory: "client/fuzz",
        seeds: &["client/tests/hadoop-3.4.1"],
        dictionary: None,
    },
    Target {
        name: "answers",
        fuzz_directory: "fetcher/fuzz",
        seeds: &["fetcher/fuzz/seeds/answers"],
        dictionary: None,
    },
    Target {
        name: "configuration",
        fuzz_directory: "fetcher/fuzz",
        seeds: &["fetcher/fuzz/seeds/configuration"],
        dictionary: None,
    },
];

/// What to look at, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Search {
    /// Targets: review, stamp, paths, credentials, answers, configuration; all where none is named.
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

/// Builds the targets and runs them, as many at once as there are cores; an error with the input where a property does not hold.
pub fn run(search: &Search) -> Result<()> {
    for name in &search.targets {
        let known = TARGETS.iter().any(|target| target.name == name);
        ensure!(known, "no target is named {name}");
    }
    packages::ensure(&dist::BUILD_PACKAGES, false)?;
    let cargo_fuzz = install()?;
    dist::forget_another_clone(&target_directory(), [cleaning()])?;
    let wanted = |target: &&Target| {
        search.targets.is_empty() || search.targets.iter().any(|name| name == target.name)
    };
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    for target in &targets {
        target.build(&cargo_fuzz)?;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    for together in targets.chunks(cores) {
        run_together(together, search.seconds)?;
    }
    Ok(())
}

/// A fuzzer keeps one core busy.
fn run_together(targets: &[&Target], seconds: u32) -> Result<()> {
    thread::scope(|scope| {
        let runs: Vec<_> = targets
            .iter()
            .map(|target| scope.spawn(|| target.run(seconds)))
            .collect();
        runs.into_iter().try_for_each(|run| {
            run.join()
                .unwrap_or_else(|_| bail!("a run of a fuzzer panicked"))
        })
    })
}

/// The program that knows which flags make the compiler count branches.
fn install() -> Result<PathBuf> {
    let root = places::cache().join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = root.join("bin/cargo-fuzz");
    if program.exists() {
        return Ok(program);
    }
    let step = progress::step(format!("building cargo-fuzz {CARGO_FUZZ}"));
    let aside = places::cache().join("cargo-fuzz-target");
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ]);
    cargo
        .arg("--root")
        .arg(&root)
        .arg("--target-dir")
        .arg(&aside);
    process::run(&mut cargo)?;
    fs::remove_dir_all(&aside)?;
    step.done("");
    Ok(program)
}

/// Apart from all other builds: the flags are the dependencies', too.
fn target_directory() -> PathBuf {
    places::cache().join("fuzz-target")
}

/// What takes our own crates out of it.
fn cleaning() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["clean", "--workspace", "--locked", "--release"]);
    cargo.args(["--target", TRIPLE, "--target-dir"]);
    cargo
        .arg(target_directory())
        .current_dir(places::repository());
    cargo
}

impl Target {
    fn build(&self, cargo_fuzz: &Path) -> Result<()> {
        let step = progress::step(format!("building the fuzz target {}", self.name));
        let mut cargo = Command::new(cargo_fuzz);
        cargo.args(["fuzz", "build", "--fuzz-dir", self.fuzz_directory]);
        cargo.args([
            "--sanitizer",
            "none",
            "--target",
            TRIPLE,
            "--codegen-units",
            "16",
        ]);
        cargo.args([
            "--debug-assertions",
            "--features",
            "libfuzzer",
            "--target-dir",
        ]);
        cargo.arg(target_directory()).arg(self.name);
        // Half the time to build, and most of the speed: what is compiled is changed more often than it runs for long.
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        process::run(cargo.current_dir(places::repository()))?;
        step.done("");
        Ok(())
    }

    fn run(&self, seconds: u32) -> Result<()> {
        let (corpus, found) = (self.kept("fuzz-corpus")?, self.kept("fuzz-found")?);
        let step = progress::step(format!("fuzzing {} for {seconds} s", self.name));
        let built = target_directory().join(TRIPLE).join("release");
        let mut fuzzer = Command::new(built.join(self.name));
        fuzzer.current_dir(places::repository()).arg(corpus);
        fuzzer.args(self.seeds);
        fuzzer.arg(format!("-max_total_time={seconds}"));
        fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
        fuzzer.args([
            "-timeout=5",
            "-max_len=16384",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]);
        fuzzer.args(
            self.dictionary
                .map(|dictionary| format!("-dict={dictionary}")),
        );
        let output = fuzzer.output().context("failed to start the fuzzer")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!(
                "{} does not hold; the input is in {}:\n{said}",
                self.name,
                found.display()
            );
        }
        let tried = tried(&said).context("the fuzzer does not say how much it tried")?;
        ensure!(tried > 0, "the fuzzer has tried nothing");
        step.done(format!("{tried} inputs"));
        Ok(())
    }

    /// A directory of the target's own, outside the tree.
    fn kept(&self, name: &str) -> Result<PathBuf> {
        let directory = places::cache().join(name).join(self.name);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}

/// From libFuzzer's closing lines.
fn tried(said: &str) -> Option<u64> {
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_say_how_much_was_tried() {
        let said = "Done 12 runs in 1 second(s)\nstat::number_of_executed_units: 12\nstat::peak_rss_mb: 50\n";
        assert_eq!(tried(said), Some(12));
        assert_eq!(tried("Done 12 runs"), None);
    }

    #[test]
    fn every_target_is_in_its_manifest_and_has_seeds() {
        for target in TARGETS {
            let root = places::repository();
            let manifest = root.join(target.fuzz_directory).join("Cargo.toml");
            let manifest = fs::read_to_string(manifest).unwrap();
            assert!(manifest.contains(&format!("name = \"{}\"", target.name)));
            for path in target.seeds.iter().chain(&target.dictionary) {
                assert!(root.join(path).exists(), "{path}");
            }
        }
    }
}
