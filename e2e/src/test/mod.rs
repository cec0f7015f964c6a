//! The end-to-end tests: each case acts on the real cluster, in namespaces of its own.

mod attacks;
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
mod identity;
mod keys;
mod legacy;
mod lifecycle;
mod main_job;
mod operations;
mod origins;
mod reinvocation;
mod rights;
mod scene;
mod spark;
pub mod suite;
mod training;
mod updates;

use std::time::Instant;

use anyhow::Result;

use crate::stage::Stage;
pub use cases::{Case, all};
pub use scene::{Scene, annotation, text};

/// How many cases passed and failed.
#[derive(Default, Clone, Copy)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
}

/// Runs the cases whose name contains one of `filters` (all where there is none), one after the other.
pub fn run(stage: &Stage, filters: &[String]) -> Result<Counts> {
    let mut counts = Counts::default();
    for case in all().into_iter().filter(|case| wanted(case.name, filters)) {
        if run_case(stage, &case)? {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
    }
    Ok(counts)
}

fn wanted(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
}

fn run_case(stage: &Stage, case: &Case) -> Result<bool> {
    let started = Instant::now();
    let scene = Scene::open(stage, case.name)?;
    let outcome = (case.run)(&scene);
    let seconds = started.elapsed().as_secs_f32();
    match &outcome {
        Ok(()) => println!("test e2e::{} ... ok ({seconds:.1} s)", case.name),
        Err(error) => {
            println!(
                "test e2e::{} ... FAILED ({seconds:.1} s)\n  {error:#}",
                case.name
            );
            scene.dump();
        }
    }
    scene.close()?;
    Ok(outcome.is_ok())
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
    fn every_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = all().iter().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
