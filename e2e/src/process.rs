//! Child processes: commands that end, and daemons that outlive this program.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::places;

const POLL: Duration = Duration::from_millis(100);
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// Runs a command to its end and gives its stdout. The error holds the end of its stderr.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {}", command.get_program().display()))?;
    finished(command, output)
}

/// Like [`run`], with `input` on its stdin.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    let output = fed(command, input)?;
    finished(command, output)
}

/// Like [`run_with_input`]; what a command that succeeded had to say on stderr comes first.
pub fn run_with_warnings(command: &mut Command, input: &str) -> Result<String> {
    let output = fed(command, input)?;
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(warnings + &finished(command, output)?)
}

fn fed(command: &mut Command, input: &str) -> Result<Output> {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {}", command.get_program().display()))?;
    let mut stdin = child.stdin.take().context("the child has no stdin")?;
    let input = input.to_owned();
    // Written aside: a child that prints before it has read all would block us both.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // A child that does not read to the end says why on stderr, if it matters.
    let _ = writer.join();
    Ok(output)
}

fn finished(command: &Command, output: Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{} failed ({}): {}",
        line_of(command),
        output.status,
        tail(&stderr, 4000).trim()
    )
}

/// Polls until `condition` gives something. Its error ends the waiting at once.
pub fn wait_until<T>(
    what: &str,
    timeout: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(found) = condition()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s in vain for {what}", timeout.as_secs());
        }
        std::thread::sleep(POLL);
    }
}

/// A process of ours that may outlive us, found again by its pid file.
pub struct Daemon {
    /// Names its log and pid file.
    pub name: String,
}

/// Starts a daemon in a session of its own, its output appended to `logs/<name>.log`.
/// One that is alive with the same command line is left alone; another command line replaces it.
/// True where one was started.
pub fn spawn(name: &str, command: &mut Command) -> Result<bool> {
    Daemon::new(name).start(command)
}

/// Ends a daemon: SIGTERM, and SIGKILL after 15 s. Nothing happens if none is alive.
pub fn stop(name: &str) -> Result<()> {
    Daemon::new(name).stop()
}

/// Ends the daemon as a crash would. Returns when it is gone.
pub fn kill(name: &str) -> Result<()> {
    let daemon = Daemon::new(name);
    if let Some(pid) = daemon.pid() {
        signal("KILL", pid);
    }
    daemon.stop()
}

/// Is the daemon running?
pub fn alive(name: &str) -> bool {
    Daemon::new(name).pid().is_some()
}

/// Removes the daemon's log.
pub fn remove_log(name: &str) -> Result<()> {
    remove_file(&Daemon::new(name).log())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The last lines of the daemon's log, for error messages.
pub fn last_words(name: &str) -> String {
    let log = fs::read(Daemon::new(name).log()).unwrap_or_default();
    tail(&String::from_utf8_lossy(&log), 2000).to_owned()
}

/// Waits until `ready`, and gives up at once with the log's end when the daemon dies.
pub fn wait_for_daemon(
    name: &str,
    timeout: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<()> {
    wait_until(&format!("{name} to be ready"), timeout, || {
        if !alive(name) {
            bail!(
                "{name} ended; its last words in {}:\n{}",
                Daemon::new(name).log().display(),
                last_words(name)
            );
        }
        Ok(ready().then_some(()))
    })
    .with_context(|| format!("see {}", Daemon::new(name).log().display()))
}

impl Daemon {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }

    /// Where its output goes.
    pub fn log(&self) -> PathBuf {
        places::logs().join(format!("{}.log", self.name))
    }

    fn pid_file(&self) -> PathBuf {
        places::pids().join(&self.name)
    }

    /// Its pid while it runs. The start time tells it from a stranger who was given the same pid later.
    pub fn pid(&self) -> Option<u32> {
        let record = fs::read_to_string(self.pid_file()).ok()?;
        let mut words = record.lines().next()?.split(' ');
        let pid = words.next()?.parse().ok()?;
        (started_at(pid)? == words.next()?.parse::<u64>().ok()?).then_some(pid)
    }

    fn runs(&self, line: &str) -> bool {
        let record = fs::read_to_string(self.pid_file()).unwrap_or_default();
        self.pid().is_some()
            && record
                .split_once('\n')
                .is_some_and(|(_, recorded)| recorded == line)
    }

    fn start(&self, command: &mut Command) -> Result<bool> {
        let line = line_of(command);
        if self.runs(&line) {
            return Ok(false);
        }
        self.stop()?;
        fs::create_dir_all(places::logs())?;
        fs::create_dir_all(places::pids())?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let child = detached(command, log)?
            .spawn()
            .with_context(|| format!("failed to start {}", self.name))?;
        let started =
            started_at(child.id()).with_context(|| format!("{} ended at once", self.name))?;
        fs::write(self.pid_file(), format!("{} {started}\n{line}", child.id()))?;
        Ok(true)
    }

    fn stop(&self) -> Result<()> {
        if let Some(pid) = self.pid() {
            signal("TERM", pid);
            let gone = || Ok(self.pid().is_none().then_some(()));
            if wait_until("its end", STOP_DEADLINE, gone).is_err() {
                signal("KILL", pid);
                wait_until(&format!("the end of {}", self.name), STOP_DEADLINE, gone)?;
            }
        }
        remove_file(&self.pid_file())
    }
}

/// Sends a signal; a process that is gone already is what was wanted.
pub fn signal(signal: &str, pid: u32) {
    let _ = run(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]));
}

/// Every process whose program has this file name, in pods too.
pub fn pids_of(program: &str) -> Vec<u32> {
    let runs = |pid: u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let first = command.split(|byte| *byte == 0).next().unwrap_or_default();
        Path::new(&*String::from_utf8_lossy(first))
            .file_name()
            .is_some_and(|name| name == program)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| runs(*pid))
        .collect()
}

/// Those of them that are a pod's: a test's own may run beside them.
pub fn pids_in_pods(program: &str) -> Vec<u32> {
    let mut pids = pids_of(program);
    pids.retain(|pid| is_in_cgroup(*pid, "kubepods"));
    pids
}

/// Does the name of one of the process's control groups hold this text?
pub fn is_in_cgroup(pid: u32, part: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(part))
}

/// Closes what else we were started with open: whoever holds a lock while we run must not hold it for ever.
const ALONE: &str = r#"exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$@""#;

/// The command in a session of its own, so that a Ctrl-C here does not reach it.
fn detached(command: &Command, log: File) -> Result<Command> {
    let mut detached = Command::new("setsid");
    detached.args(["sh", "-c", ALONE, "sh"]);
    detached.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => detached.env(key, value),
            None => detached.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        detached.current_dir(directory);
    }
    detached
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(detached)
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The process's start in clock ticks since boot; none if it is gone or a zombie.
fn started_at(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may hold blanks and parentheses itself.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_holds_what_the_child_said() {
        let error =
            run(Command::new("sh").args(["-c", "echo no such table >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no such table"), "{error}");
    }

    #[test]
    fn input_larger_than_a_pipe_arrives() {
        let input = "x".repeat(300_000);
        assert_eq!(
            run_with_input(&mut Command::new("cat"), &input).unwrap(),
            input
        );
    }

    #[test]
    fn a_tail_does_not_cut_a_character() {
        assert_eq!(tail("aé", 1), "");
        assert_eq!(tail("aé", 2), "é");
    }

    #[test]
    fn we_have_a_start_time() {
        assert!(started_at(std::process::id()).is_some_and(|ticks| ticks > 0));
    }
}
