//! The end-to-end tests: each case acts on the real cluster, in namespaces of its own.

mod attacks;
mod audit;
mod bad_input;
mod bearers;
mod cases;
mod clients;
mod connect;
mod copies;
mod credentials;
mod expectations;
mod faults;
mod guards;
mod hadoop_2;
mod identity;
mod keys;
mod legacy;
mod lifecycle;
mod main_job;
mod operations;
mod origins;
mod outside;
mod reinvocation;
mod rights;
mod scene;
mod services;
mod silent;
mod slow;
pub mod soak;
mod spark;
pub mod suite;
pub mod took;
mod training;
mod updates;

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::progress::say;
use crate::provider::Unsupported;
use crate::stage::Stage;
pub use cases::{Case, all};
pub use scene::{Scene, annotation, text};

/// How many cases passed, failed, and found a provider that cannot do what they need.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    /// One case.
    fn of(outcome: &Result<()>) -> Self {
        let mut counts = Self::default();
        match outcome {
            Ok(()) => counts.passed = 1,
            Err(error) if error.is::<Unsupported>() => counts.skipped = 1,
            Err(_) => counts.failed = 1,
        }
        counts
    }

    fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// How many cases run at a time where they may. Most of a case is waiting; two cores start pods for so many.
const AT_A_TIME: usize = 3;

/// Runs the cases whose name contains one of `filters` (all where there is none).
pub fn run(stage: &Stage, filters: &[String]) -> Result<Counts> {
    let chosen = |cases: Vec<Case>| {
        cases
            .into_iter()
            .filter(|case| wanted(case.name, filters))
            .collect()
    };
    let mut counts = run_with(stage, AT_A_TIME, chosen(cases::side_by_side()))?;
    counts.add(run_with(stage, 1, chosen(cases::alone()))?);
    Ok(counts)
}

/// Takes one case after the other with this many hands.
fn run_with(stage: &Stage, hands: usize, cases: VecDeque<Case>) -> Result<Counts> {
    let queue = Mutex::new(cases);
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    };
    let work = || {
        let mut counts = Counts::default();
        while let Some(case) = next() {
            counts.add(run_case(stage, &case)?);
        }
        anyhow::Ok(counts)
    };
    thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(work)).collect();
        let mut counts = Counts::default();
        for hand in hands {
            counts.add(hand.join().map_err(|_| anyhow!("a case panicked"))??);
        }
        Ok(counts)
    })
}

fn wanted(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
}

fn run_case(stage: &Stage, case: &Case) -> Result<Counts> {
    let started = Instant::now();
    let scene = Scene::open(stage, case.name)?;
    let outcome = (case.run)(&scene);
    report(&scene, case.name, &outcome, started.elapsed());
    scene.close()?;
    Ok(Counts::of(&outcome))
}

/// One failure's states, events and logs stay together.
fn report(scene: &Scene<'_>, name: &str, outcome: &Result<()>, took: Duration) {
    static PRINTING: Mutex<()> = Mutex::new(());
    let _turn = PRINTING.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = took.as_secs_f32();
    match outcome {
        Ok(()) => say(format!("test e2e::{name} ... ok ({seconds:.1} s)")),
        Err(error) if error.is::<Unsupported>() => {
            say(format!("test e2e::{name} ... skipped: {error:#}"));
        }
        Err(error) => {
            say(format!(
                "test e2e::{name} ... FAILED ({seconds:.1} s)\n  {error:#}"
            ));
            scene.dump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_part_of_the_name() {
        assert!(wanted("attacks::copied_stamp", &["copied".to_owned()]));
        assert!(!wanted("attacks::copied_stamp", &["main_job".to_owned()]));
        assert!(wanted("attacks::copied_stamp", &[]));
    }

    #[test]
    fn what_a_provider_cannot_do_is_no_failure() {
        use anyhow::Context;

        let unsupported: Result<()> = Err(Unsupported("no".into()).into());
        let mut counts = Counts::of(&unsupported.context("in the middle of it"));
        assert_eq!(counts.to_string(), "0 passed, 0 failed, 1 skipped");
        counts.add(Counts::of(&Ok(())));
        counts.add(Counts::of(&Err(anyhow!("no"))));
        assert_eq!(counts.to_string(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(Counts::default().to_string(), "0 passed, 0 failed");
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = all().iter().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
