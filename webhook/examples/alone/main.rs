//! The webhook without a cluster, for whoever looks where its time goes.
//!
//! `cargo run --release -p kube2hadoop-webhook --example alone` prints what each step of one admission costs;
//! with `-- serve CA_FILE` it serves on 127.0.0.1:8443 until it is stopped, for a load generator and a profiler.

mod cost;
mod serve;

use kube2hadoop_stamp::{SigningKey, StampError};
use kube2hadoop_webhook::admission::{Connect, Keys, Policy, UnmappedUpdate};
use serde_json::json;

/// As in the program.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REVIEW: &[u8] = include_bytes!("../../tests/fixtures/pod-create-review.json");

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => cost::print(),
        ["serve", ca_file] => serve::until_stopped(ca_file.as_ref()),
        _ => anyhow::bail!("want no argument, or: serve CA_FILE"),
    }
}

/// As much as the recorded review needs.
fn policy() -> Result<Policy, serde_json::Error> {
    let mappings = json!({"mappings": [{"match": "^(?<name>[a-z]+)$", "user": "${name}"}]});
    let inject = json!({"image": "client", "fetcherUrl": "https://kube2hadoop-fetcher:443"});
    Ok(Policy {
        identity: serde_json::from_value(mappings)?,
        inject: serde_json::from_value(inject)?,
        issuer: "kube2hadoop".into(),
        stamp_window_seconds: 30,
        unmapped_update: UnmappedUpdate::Deny,
        kinds: serde_json::from_value(json!([]))?,
        connect: Connect::Warn,
    })
}

fn keys() -> Result<Keys, StampError> {
    let signing = SigningKey::generate()?;
    Ok(Keys {
        verifying: signing.public(),
        signing,
        // About what a P-256 certificate takes.
        ca: "x".repeat(700).into(),
    })
}
