//! What is going on and how long it takes, one line per step.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two signs of life, at first and after a minute.
const HEARTBEAT: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

static NEXT: AtomicU64 = AtomicU64::new(1);
/// The step whose line the cursor stands on, 0 for none.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Work in progress. Dropped without [`Step::done`], it says that it failed.
pub struct Step {
    number: u64,
    what: String,
    started: Instant,
    stop: Option<Sender<()>>,
    heartbeat: Option<JoinHandle<()>>,
    finished: bool,
}

/// Prints `what …` and, every few seconds, the time that has passed.
pub fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    close_line();
    print!("{what} …");
    flush();
    OPEN.store(number, Ordering::SeqCst);
    let started = Instant::now();
    let (stop, stopped) = channel::<()>();
    let heartbeat = std::thread::spawn(move || {
        let [often, seldom] = HEARTBEAT;
        let pause = || match started.elapsed().as_secs() {
            ..60 => often,
            _ => seldom,
        };
        while stopped.recv_timeout(pause()) == Err(RecvTimeoutError::Timeout) {
            if OPEN.load(Ordering::SeqCst) == number {
                print!(" {}s", started.elapsed().as_secs());
                flush();
            }
        }
    });
    Step {
        number,
        what,
        started,
        stop: Some(stop),
        heartbeat: Some(heartbeat),
        finished: false,
    }
}

impl Step {
    /// Ends the line: `what … 3.1 s (note)`; an empty note is left out.
    pub fn done(mut self, note: impl AsRef<str>) {
        self.finished = true;
        let note = note.as_ref();
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(" ({note})")
        };
        self.end(&format!(
            "{:.1} s{note}",
            self.started.elapsed().as_secs_f32()
        ));
    }

    fn end(&mut self, result: &str) {
        drop(self.stop.take());
        if let Some(heartbeat) = self.heartbeat.take() {
            // The thread only prints; there is nothing to learn from how it ended.
            let _ = heartbeat.join();
        }
        if OPEN
            .compare_exchange(self.number, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
        {
            println!(" {result}");
        } else {
            close_line();
            println!("{} … {result}", self.what);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.end(&format!(
                "failed after {:.1} s",
                self.started.elapsed().as_secs_f32()
            ));
        }
    }
}

/// One line of news, apart from any open step.
pub fn say(line: impl AsRef<str>) {
    close_line();
    println!("{}", line.as_ref());
}

fn close_line() {
    if OPEN.swap(0, Ordering::SeqCst) != 0 {
        println!();
    }
}

fn flush() {
    // Progress that cannot be shown must not stop the work.
    let _ = std::io::stdout().flush();
}
