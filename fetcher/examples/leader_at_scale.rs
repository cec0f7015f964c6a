//! What very many tokens cost the replica that leads, without an API server or Hadoop:
//! `cargo run --release -p kube2hadoop-fetcher --example leader_at_scale -- 100000`. Prints one line of JSON.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube2hadoop_fetcher::attest::PodRef;
use kube2hadoop_fetcher::clock::timestamp;
use kube2hadoop_fetcher::ledger::place::Place;
use kube2hadoop_fetcher::ledger::record::{Entry, State};
use kube2hadoop_fetcher::ledger::{Key, secrets};
use kube2hadoop_fetcher::lifecycle::jobs::LivePod;
use kube2hadoop_fetcher::lifecycle::keeper::{Keeper, Outcome};
use kube2hadoop_fetcher::lifecycle::timing::Terms;
use kube2hadoop_stamp::DenyList;
use serde_json::json;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
const START: u64 = 1_700_000_000_000;

fn main() -> Result<()> {
    let tokens: usize = std::env::args()
        .nth(1)
        .context("how many tokens?")?
        .parse()?;
    let mut keeper = keeper();
    let before = resident_mb()?;
    let took = read_all(&mut keeper, tokens)?;
    let resident = resident_mb()?;
    let began = Instant::now();
    let (renewals, busiest) = a_day(&mut keeper)?;
    let report = json!({
        "tokens": tokens,
        "startUpMillis": took.as_millis(),
        "residentMb": resident,
        "residentMbBefore": before,
        "renewals": renewals,
        "mostInAMinute": busiest,
        "microsPerRenewal": began.elapsed().as_micros() as f64 / renewals.max(1) as f64,
    });
    println!("{report}");
    Ok(())
}

fn keeper() -> Keeper {
    let terms = Terms {
        renew_fraction: 0.7,
        renew_spread: 0.2,
        grace: MINUTE,
        claim: MINUTE,
    };
    Keeper::new(terms, DenyList::default(), 8)
}

/// As the first lists of a new leader: Secrets' metadata, and a live pod for each.
fn read_all(keeper: &mut Keeper, tokens: usize) -> Result<Duration> {
    let mut took = Duration::ZERO;
    keeper.entries_restart();
    keeper.pods_restart();
    for number in 0..tokens {
        let key = key(number)?;
        let text = metadata(&key, number);
        let began = Instant::now();
        let meta: ObjectMeta = serde_json::from_str(&text)?;
        let entry = secrets::entry(&meta).context("this is no record")?;
        keeper.entry_seen(entry, START);
        keeper.pod_seen(pod(&key, number));
        took += began.elapsed();
    }
    let began = Instant::now();
    keeper.entries_complete(0);
    keeper.pods_complete(START);
    Ok(took + began.elapsed())
}

fn key(number: usize) -> Result<Key> {
    Ok(Key {
        job: serde_json::from_value(json!(format!(
            "team-{}/Job.batch/nightly-{number}",
            number % 100
        )))?,
        user: format!("user{}", number % 1000).parse()?,
        service: "ns1".parse()?,
    })
}

/// Issued within one minute, and renewed within hours.
fn metadata(key: &Key, number: usize) -> String {
    let issued = START + number as u64 % MINUTE;
    let note = |name: &str| format!("kube2hadoop.io/{name}");
    let metadata = json!({
        "name": Place::current(key).name(),
        "namespace": "kube2hadoop-ledger",
        "resourceVersion": (number + 1).to_string(),
        "annotations": {
            note("state"): "held",
            note("user"): key.user,
            note("job"): key.job,
            note("service"): key.service.to_string(),
            note("issued"): timestamp(issued).to_string(),
            note("renewed"): timestamp(issued).to_string(),
            note("expires"): timestamp(issued + DAY).to_string(),
            note("max-date"): timestamp(issued + 7 * DAY).to_string(),
            note("sequence-number"): number.to_string(),
            note("tokens"): "1",
        },
    });
    metadata.to_string()
}

fn pod(key: &Key, number: usize) -> LivePod {
    LivePod {
        pod: PodRef {
            namespace: format!("team-{}", number % 100),
            name: format!("nightly-{number}-x7k2p"),
            uid: format!("{number:08x}-c209-4443-a73f-4cede0ace625"),
        },
        job: key.job.clone(),
        refreshed: false,
    }
}

/// Every renewal of a day succeeds at once. How many there were, and how many in the busiest minute.
fn a_day(keeper: &mut Keeper) -> Result<(usize, usize)> {
    let (mut all, mut busiest) = (0, 0);
    let mut version = u64::MAX / 2;
    for now in (START..START + DAY).step_by(usize::try_from(MINUTE)?) {
        let mut in_this_minute = 0;
        while let Some(task) = keeper.take(now) {
            version += 1;
            let renewed = renewed(&task.entry, now, version);
            keeper.settle(&task, Outcome::Stands(renewed), now);
            in_this_minute += 1;
        }
        all += in_this_minute;
        busiest = busiest.max(in_this_minute);
    }
    Ok((all, busiest))
}

fn renewed(entry: &Entry, now: u64, version: u64) -> Entry {
    let mut entry = entry.clone();
    entry.version = version.to_string();
    if let State::Live(live) = &mut entry.state {
        live.renewed_at = now;
        live.expires_at = now + DAY;
    }
    entry
}

fn resident_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes / 1024.0)
}
