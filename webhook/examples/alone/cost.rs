//! What each step of one admission costs.

use std::hint::black_box;
use std::time::Instant;

use kube2hadoop_webhook::admission::{Caller, Context, Scope, admit};
use kube2hadoop_webhook::review::parse;

use super::{REVIEW, keys, policy};

const ROUNDS: u32 = 4_000;
const RUNS: usize = 5;

pub(super) fn print() -> anyhow::Result<()> {
    let (policy, keys, caller) = (policy()?, keys()?, Caller::default());
    let context = Context {
        policy: &policy,
        keys: &keys,
        scope: Scope::Namespace,
        caller: &caller,
        now: 1,
    };
    time("parse the review", || {
        black_box(parse(REVIEW)?);
        Ok(())
    })?;
    let request = parse(REVIEW)?;
    time("decide, sign and patch", || {
        black_box(admit(&request, &context)?);
        Ok(())
    })?;
    let decision = admit(&request, &context)?;
    time("copy and write the answer", || {
        black_box(decision.answer.clone().into_json(&request.uid)?);
        Ok(())
    })?;
    time("all of it", || {
        let request = parse(REVIEW)?;
        let decision = admit(&request, &context)?;
        black_box(decision.answer.into_json(&request.uid)?);
        Ok(())
    })
}

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn time(what: &str, mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            once()?;
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(ROUNDS));
    }
    println!("{what}: {:.1} µs", best * 1e6);
    Ok(())
}
