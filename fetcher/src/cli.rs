//! The command line, and what each way of ending says to the shell.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kube2hadoop_runtime::config::{EXIT_CODE, File};
use kube2hadoop_runtime::core_files;
use kube2hadoop_runtime::logging::{self, LogArgs};
use kube2hadoop_stamp::HadoopUser;
use prometheus_client::registry::Registry;

use crate::config::{Config, ConfigError, Standing};
use crate::issue::configured::Configured;
use crate::metrics::Metrics;
use crate::{chain, doctor, serve};

/// Proves which pod asks, and hands out Hadoop delegation tokens of its user.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, default_value = "/etc/kube2hadoop/fetcher.yaml")]
    config: PathBuf,
    /// Only check the configuration: exit 0 if it is good, 64 if not.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check keytab, KDC, NameNodes, KMS and guards, and say what to change.
    Doctor {
        /// Issue a token of this Hadoop user at each service, and cancel it.
        #[arg(long)]
        user: Option<HadoopUser>,
        /// A JSON list instead of lines.
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// Does what the command line says.
    pub async fn run(self) -> ExitCode {
        let _unwritten = logging::init(&self.log);
        core_files::forbid();
        let (config, file) = match load(&self.config) {
            Ok(read) => read,
            Err(error) => {
                let problem = chain::text(&error);
                tracing::error!(%problem, "the configuration cannot be used");
                return EXIT_CODE.into();
            }
        };
        match self.command {
            Some(Command::Doctor { user, json }) => doctor::run(&config, user.as_ref(), json).await,
            None if self.check => check(&config),
            None => serve_until_asked_to_stop(config, file).await,
        }
    }
}

fn load(path: &std::path::Path) -> Result<(Config, File), ConfigError> {
    let file = File::read(path)?;
    Ok((Config::parse(&file)?, file))
}

fn check(config: &Config) -> ExitCode {
    let (_, standing) = Standing::new(config);
    let metrics = Metrics::new(&mut Registry::default());
    match Configured::new(config, standing.deny, metrics) {
        Ok(_) => {
            tracing::info!("the configuration is good");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(
                problem = chain::text(&error),
                "the configuration cannot be used"
            );
            EXIT_CODE.into()
        }
    }
}

async fn serve_until_asked_to_stop(config: Config, file: File) -> ExitCode {
    match serve::run(config, file).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = chain::text(&error), "stopped");
            if error.is_config() {
                EXIT_CODE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
