//! What one admission costs on this machine: `cargo run --release -p kube2hadoop-webhook --example admit_cost`.

use std::hint::black_box;
use std::time::Instant;

use kube2hadoop_stamp::SigningKey;
use kube2hadoop_webhook::admission::{
    Caller, Connect, Context, Keys, Policy, Scope, UnmappedUpdate, admit,
};
use kube2hadoop_webhook::review::parse;
use serde_json::json;

/// As in the program.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REVIEW: &[u8] = include_bytes!("../tests/fixtures/pod-create-review.json");
const ROUNDS: u32 = 20_000;

fn main() -> anyhow::Result<()> {
    let mappings = json!({"mappings": [{"match": "^(?<name>[a-z]+)$", "user": "${name}"}]});
    let inject = json!({"image": "client", "fetcherUrl": "https://kube2hadoop-fetcher:443"});
    let policy = Policy {
        identity: serde_json::from_value(mappings)?,
        inject: serde_json::from_value(inject)?,
        issuer: "kube2hadoop".into(),
        unmapped_update: UnmappedUpdate::Deny,
        kinds: serde_json::from_value(json!([]))?,
        connect: Connect::Warn,
    };
    let signing = SigningKey::generate()?;
    let keys = Keys {
        verifying: signing.public(),
        signing,
        // About what a P-256 certificate takes.
        ca: "x".repeat(700),
    };
    let caller = Caller::default();
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
    time("write the answer", || {
        black_box(decision.answer.to_json(&request.uid)?);
        Ok(())
    })?;
    time("all of it", || {
        let request = parse(REVIEW)?;
        let decision = admit(&request, &context)?;
        black_box(decision.answer.to_json(&request.uid)?);
        Ok(())
    })
}

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn time(what: &str, mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Instant::now();
        for _ in 0..ROUNDS / 5 {
            once()?;
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(ROUNDS / 5));
    }
    println!("{what}: {:.1} µs", best * 1e6);
    Ok(())
}
