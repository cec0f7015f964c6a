//! Whether a process that crashes leaves its memory to somebody. Both services' tests have it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Lets it crash while it waits for its configuration.
pub(crate) fn are_left_by_no_crash_of(binary: &str) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    let made = Command::new("mkfifo").arg(&config).status().unwrap();
    assert!(made.success());
    // Open for both, it gives no end of file.
    let pipe = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&config)
        .unwrap();
    // The limit is ours to see, not whatever this was started with.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -S -c $(ulimit -H -c); exec \"$@\"", "sh"])
        .args([binary, "--config"])
        .arg(&config)
        .current_dir(directory.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let limited = wait_for_limit(&child);
    let signal = Command::new("kill")
        .args(["-ABRT", &child.id().to_string()])
        .status();
    let ended = child.wait().unwrap();
    drop(pipe);
    assert!(limited, "the limit is not 0");
    assert!(signal.unwrap().success() && ended.signal().is_some());
    assert!(!ended.core_dumped());
}

fn wait_for_limit(child: &Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    let limits = format!("/proc/{}/limits", child.id());
    let limited = || {
        let limits = fs::read_to_string(&limits).unwrap_or_default();
        let mut cores = limits.lines().filter(|line| line.starts_with("Max core"));
        let line = cores.next().map(str::split_whitespace);
        line.is_some_and(|words| words.filter(|word| *word == "0").count() == 2)
    };
    while !limited() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
