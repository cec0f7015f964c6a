//! Logs to stderr, as JSON lines for machines or as text for people.

use std::io::{BufWriter, Write, stderr};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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

/// Starts logging at level info, or as RUST_LOG says. A second call changes nothing.
pub fn init(format: LogFormat) -> Unwritten {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let (writer, unwritten) = batched(stderr(), "log");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // Whoever was first keeps the say.
    let _ = match format {
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
