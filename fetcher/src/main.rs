//! The token service: `kube2hadoop-fetcher --config PATH [--check]`, or `… doctor [--json]`.

use std::process::ExitCode;

use clap::Parser;
use kube2hadoop_fetcher::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
