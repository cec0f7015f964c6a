//! The command line.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::{Parser, Subcommand};

use crate::kubectl::Kubectl;
use crate::provider::{self, Choice, ImageArchive, users};
use crate::stage::Stage;
use crate::test::soak::{self, Size};
use crate::test::suite::{self, Selection};
use crate::{bench, chart, demo, dist, fuzz, packages};

/// A real cluster and a real secure Hadoop on this machine.
#[derive(Parser)]
#[command(name = "cargo e2e", version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Brings everything up and runs the main job, for a person to watch; leaves everything up.
    Demo(Choice),
    /// Brings everything up and runs all tests: the workspace's own, then the end-to-end cases.
    Test {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        at: Choice,
    },
    /// Brings everything up, runs many jobs while replicas of the fetcher are killed, and asks the NameNode what is left.
    Soak {
        #[command(flatten)]
        size: Size,
        #[command(flatten)]
        at: Choice,
    },
    /// Brings everything up and prints what its parts cost on this machine.
    Bench(Choice),
    /// Brings up what is not up yet: cluster, Hadoop and Kube2Hadoop; safe to run again after a crash of anything.
    Up(Choice),
    /// Removes all that `up` made; only the cache stays.
    Down(Choice),
    /// Prints the path of a kubeconfig that acts as a user; the cluster signs its certificate.
    Kubeconfig {
        /// The user's name: alice@example.com.
        user: String,
        /// A group of the user; may be given again.
        #[arg(long = "group")]
        groups: Vec<String>,
        #[command(flatten)]
        at: Choice,
    },
    /// Makes an image archive known to the cluster's nodes.
    Load {
        /// What pods call the image.
        name: String,
        /// What `buildah push … docker-archive:FILE:NAME` wrote.
        archive: PathBuf,
        #[command(flatten)]
        at: Choice,
    },
    /// Installs the Debian packages that a build of the workspace needs.
    Install {
        /// Install nothing; say what is missing.
        #[arg(long)]
        no_install: bool,
    },
    /// Looks for input that breaks what must hold of any; the first time this builds cargo-fuzz.
    Fuzz(fuzz::Search),
    /// Lints the Helm chart; the first time this builds Helm.
    LintChart,
    /// kubectl as the cluster's admin, or as KUBECONFIG says.
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Runs the command line; errors go to stderr with their causes.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

#[allow(clippy::print_stderr)]
fn report(error: &Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn run(command: Verb) -> Result<()> {
    match command {
        Verb::Demo(at) => demo::run(&Stage::up(at)?),
        Verb::Test { selection, at } => suite::run(at, &selection),
        Verb::Soak { size, at } => soak::run(&Stage::up(at)?, size),
        Verb::Bench(at) => bench::run(&Stage::up(at)?),
        Verb::Up(at) => Stage::up(at).map(drop),
        Verb::Down(at) => Stage::down(at),
        Verb::Kubeconfig { user, groups, at } => kubeconfig(at, &user, &groups),
        Verb::Load { name, archive, at } => {
            let image = ImageArchive {
                name,
                path: archive,
            };
            provider::choose(at)?.load_image(&image)
        }
        Verb::Install { no_install } => packages::ensure(&dist::BUILD_PACKAGES, no_install),
        Verb::Fuzz(search) => fuzz::run(&search),
        Verb::LintChart => chart::lint().map(|said| print!("{said}")),
        Verb::Kubectl { args } => kubectl(&args),
    }
}

fn kubeconfig(at: Choice, user: &str, groups: &[String]) -> Result<()> {
    let admin = Kubectl::new(provider::choose(at)?.kubeconfig()?);
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    println!(
        "{}",
        users::user_kubeconfig(&admin, user, &groups)?.display()
    );
    Ok(())
}

/// Becomes kubectl, so that `exec -it` and Ctrl-C work.
fn kubectl(args: &[String]) -> Result<()> {
    let kubeconfig = match std::env::var_os("KUBECONFIG") {
        Some(path) => path.into(),
        None => crate::places::kubeconfig_of("admin"),
    };
    Err(Kubectl::new(kubeconfig).command().args(args).exec().into())
}
