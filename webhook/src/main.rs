//! The webhook's process.

use std::process::ExitCode;

use clap::Parser;
use kube2hadoop_webhook::run;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run::main(&run::Args::parse())
}
