//! Logs to stderr, as JSON lines for machines or as text for people.

use std::io::{BufWriter, Write, stderr};
use std::str::FromStr;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// Lines that may wait to be written.
const LINES: usize = 1_000;
/// Bytes that are written at once.
const BATCH: usize = 64 * 1024;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For machines.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Lines that are not written yet. Dropping it writes them: hold it to the end of the program.
#[derive(Debug)]
#[must_use]
pub struct Unwritten(#[expect(dead_code, reason = "its drop is what it is for")] WorkerGuard);

/// What is said on the command line about the log.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LogArgs {
    /// How log lines are written (standard error; audit lines go to standard output).
    #[arg(long, global = true, value_enum, default_value = "json")]
    log_format: LogFormat,
    /// What is logged: off, error, warn, info, debug or trace, for parts of it as in info,kube_client=debug. Default: as
    /// the variable RUST_LOG says, or info.
    #[arg(long, global = true)]
    log_level: Option<LogLevel>,
}

/// Directives of a filter, separated by commas, each of them LEVEL or TARGET=LEVEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

/// Why a filter says nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no level: give off, error, warn, info, debug or trace, for a part of the log as in kube_client=debug"
)]
pub struct LogLevelError(String);

impl FromStr for LogLevel {
    type Err = LogLevelError;

    /// A word that is no level would count as a target, and log all of it.
    fn from_str(text: &str) -> Result<Self, LogLevelError> {
        for directive in text.split(',') {
            let level = directive.rsplit('=').next().unwrap_or_default();
            let known = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
            if !known || directive.parse::<Directive>().is_err() {
                return Err(LogLevelError(directive.to_owned()));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

/// Starts logging. A second call changes nothing.
pub fn init(args: &LogArgs) -> Unwritten {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = match &args.log_level {
        Some(LogLevel(directives)) => filter.parse_lossy(directives),
        None => filter.from_env_lossy(),
    };
    let (writer, unwritten) = batched(stderr(), "log");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // Whoever was first keeps the say.
    let _ = match args.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    unwritten
}

/// A thread of its own writes what has come together since its last write: under load that is many lines at once,
/// where each line would otherwise cost its request a system call. No line is dropped: who logs faster than can be
/// written waits.
pub(crate) fn batched(out: impl Write + Send + 'static, thread: &str) -> (NonBlocking, Unwritten) {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(LINES)
        .thread_name(thread)
        .finish(BufWriter::with_capacity(BATCH, out));
    (writer, Unwritten(guard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_levels() {
        for good in [
            "debug",
            "WARN",
            "off",
            "info,kube_client=debug",
            "warn,kube2hadoop_webhook::ldap=trace",
        ] {
            assert!(good.parse::<LogLevel>().is_ok(), "{good}");
        }
        for (bad, named) in [
            ("verbose", "verbose"),
            ("info,kube_client", "kube_client"),
            ("kube=loud", "kube=loud"),
            ("info,", ""),
            ("", ""),
        ] {
            let error = bad.parse::<LogLevel>().unwrap_err();
            assert_eq!(error.0, named, "{bad}");
            assert!(
                error.to_string().contains("give off, error, warn"),
                "{error}"
            );
        }
    }
}
