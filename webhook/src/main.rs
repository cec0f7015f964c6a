//! The webhook's process.

use std::process::ExitCode;

use clap::Parser;
use kube2hadoop_webhook::run;

#[tokio::main]
async fn main() -> ExitCode {
    run::main(run::Args::parse()).await
}
