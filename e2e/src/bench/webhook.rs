//! Full mutation with a stamp, as the API server would ask for it.

use std::io::Write;

use anyhow::{Result, ensure};
use tempfile::NamedTempFile;

use super::server::{Floor, Measured, Sent, Server, Size};
use super::table::Row;
use super::{load, median};
use crate::places;
use crate::stage::Stage;

const RUNS: usize = 5;
const WARM_UP: Size = Size::new(16, 20_000);
const BUSY: Size = Size::new(16, 40_000).awake();
const ALONE: Size = Size::new(1, 10_000);
const MANY: Size = Size::new(256, 20_000);

/// The webhook and the floor, in turns.
#[derive(Default)]
struct Runs {
    busy: Vec<Measured>,
    alone: Vec<Measured>,
}

impl Runs {
    fn add(&mut self, go: impl Fn(Size) -> Result<Measured>) -> Result<()> {
        self.busy.push(go(BUSY)?);
        self.alone.push(go(ALONE)?);
        Ok(())
    }
}

/// Medians at 16 connections and at one, and the memory at 256.
pub(super) fn run(stage: &Stage) -> Result<Vec<Row>> {
    let generator = load::build()?;
    let server = Server::find(stage, "kube2hadoop-webhook")?;
    let body = review()?;
    let sent = Sent {
        path: "/mutate/object",
        body: body.path(),
        vary: None,
        header: None,
        expect: Some(r#""patchType":"JSONPatch""#),
    };
    let go = |size| {
        let measured = server.load(&generator, sent.clone(), size)?;
        let failed = measured.report.failed;
        ensure!(failed == 0, "{failed} answers held no patch");
        Ok(measured)
    };
    let answer = go(WARM_UP)?.report.answer_bytes;
    let floor = Floor::start(answer)?;
    let fixed = Sent {
        expect: None,
        ..sent.clone()
    };
    let least = |size| floor.server.load(&generator, fixed.clone(), size);
    least(WARM_UP)?;
    let (mut ours, mut floors) = (Runs::default(), Runs::default());
    for _ in 0..RUNS {
        ours.add(go)?;
        floors.add(least)?;
    }
    let many = (go(MANY)?.resident_mb, least(MANY)?.resident_mb);
    Ok(rows(&ours, &floors, many))
}

fn rows(ours: &Runs, floors: &Runs, many: (f64, f64)) -> Vec<Row> {
    let rate = |runs: &Runs| middle(&runs.busy, |run| run.report.per_second);
    let cpu = |runs: &Runs| middle(&runs.busy, |run| run.cpu_per_request);
    let p50 = |runs: &Runs| middle(&runs.alone, |run| run.report.p50 as f64);
    vec![
        Row::new("admissions in a second, 16 connections", rate(ours))
            .at_least(20_000.0)
            .over(rate(floors)),
        Row::new("CPU µs of each", cpu(ours))
            .at_most(45.0)
            .over(cpu(floors))
            .digits(1),
        // On the machine that the goals come from, the floor is 13 µs and 67 µs.
        Row::new("times the floor's CPU", cpu(ours) / cpu(floors))
            .at_most(45.0 / 13.0)
            .digits(2),
        Row::new("p50 at one connection, µs", p50(ours))
            .at_most(120.0)
            .over(p50(floors)),
        Row::new("times the floor's p50", p50(ours) / p50(floors))
            .at_most(120.0 / 67.0)
            .digits(2),
        Row::new("MB resident at 256 connections", many.0)
            .at_most(16.0)
            .over(many.1)
            .digits(1),
    ]
}

fn middle(runs: &[Measured], value: fn(&Measured) -> f64) -> f64 {
    let values: Vec<f64> = runs.iter().map(value).collect();
    median(&values).unwrap_or_default()
}

/// The recorded review, asked for by a user whom a mapping rule knows, in a namespace that is there: what an API server
/// asks about is never in another, and the webhook would look for it each time.
fn review() -> Result<NamedTempFile> {
    let review = recorded()?
        .replace(r#""username":"alice""#, r#""username":"alice@example.com""#)
        .replace(r#""namespace":"team-a""#, r#""namespace":"default""#);
    let mut file = NamedTempFile::new()?;
    file.write_all(review.as_bytes())?;
    Ok(file)
}

/// The recorded review of a pod's creation.
pub(super) fn recorded() -> Result<String> {
    let recorded = places::repository().join("webhook/tests/fixtures/pod-create-review.json");
    Ok(std::fs::read_to_string(recorded)?)
}
