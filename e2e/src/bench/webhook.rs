//! Full mutation with a stamp, as the API server would ask for it.

use std::io::Write;

use anyhow::Result;
use tempfile::NamedTempFile;

use super::server::{Measured, Sent, Server, Size};
use super::{load, median};
use crate::places;
use crate::stage::Stage;

const RUNS: usize = 5;
const WARM_UP: Size = Size {
    connections: 16,
    requests: 20_000,
};
const BUSY: Size = Size {
    connections: 16,
    requests: 60_000,
};
const ALONE: Size = Size {
    connections: 1,
    requests: 10_000,
};
const MANY: Size = Size {
    connections: 256,
    requests: 20_000,
};

/// Interleaves runs at 16 connections, at one, and at 256, and prints the medians.
pub(super) fn run(stage: &Stage) -> Result<()> {
    let generator = load::build()?;
    let server = Server::find(stage, "kube2hadoop-webhook")?;
    let body = review()?;
    let sent = Sent {
        path: "/mutate/object",
        body: body.path(),
        header: None,
        expect: Some(r#""patchType":"JSONPatch""#),
    };
    let go = |size| server.load(&generator, sent.clone(), size);
    go(WARM_UP)?;
    let (mut busy, mut alone, mut nowhere) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        busy.push(go(BUSY)?);
        alone.push(go(ALONE)?);
        let sent = Sent {
            path: "/nowhere",
            expect: None,
            ..sent.clone()
        };
        nowhere.push(server.load(&generator, sent, BUSY)?);
    }
    let many = go(MANY)?;
    let of = |runs: &[Measured], value: fn(&Measured) -> f64| {
        median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or_default()
    };
    println!("webhook, pod of 5.7 KB, full mutation with stamp, one core, TLS 1.3 keep-alive:");
    println!(
        "  16 connections   {:.0} admissions/s, {:.1} CPU µs each",
        of(&busy, |m| m.report.per_second),
        of(&busy, |m| m.cpu_per_request)
    );
    println!(
        "                   {:.0} requests/s, {:.1} CPU µs each where the same server only says 404 to the same body",
        of(&nowhere, |m| m.report.per_second),
        of(&nowhere, |m| m.cpu_per_request)
    );
    println!(
        "   1 connection    p50 {:.0} µs",
        of(&alone, |m| m.report.p50 as f64)
    );
    println!(" 256 connections   {:.1} MB resident", many.resident_mb);
    let failed: usize = busy
        .iter()
        .chain(&alone)
        .chain([&many])
        .map(|m| m.report.failed)
        .sum();
    anyhow::ensure!(failed == 0, "{failed} answers held no patch");
    Ok(())
}

/// The recorded review, asked for by a user whom a mapping rule knows, byte for byte as the API server orders it.
fn review() -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(
        recorded()?
            .replace(r#""username":"alice""#, r#""username":"alice@example.com""#)
            .as_bytes(),
    )?;
    Ok(file)
}

/// The recorded review of a pod's creation.
pub(super) fn recorded() -> Result<String> {
    let recorded = places::repository().join("webhook/tests/fixtures/pod-create-review.json");
    Ok(std::fs::read_to_string(recorded)?)
}
