//! New tokens for many jobs, against a bare loop of requests with the session's cookie at the same NameNode.
//!
//! ```sh
//! KRB5_CONFIG=krb5.conf KRB5_CLIENT_KTNAME=service.keytab KRB5CCNAME=MEMORY:x \
//!   cargo run --release -p kube2hadoop-fetcher --example many_jobs -- /etc/hadoop/conf kube2hadoop@EXAMPLE.COM alice
//! ```
//! Prints one line of JSON. All tokens are cancelled in the end.
#![allow(clippy::print_stdout)]

mod bare;
mod jobs;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use bare::Bare;
use futures::future::try_join_all;
use jobs::Jobs;
use kube2hadoop_client::credentials::Token;
use kube2hadoop_fetcher::config::Config;
use kube2hadoop_fetcher::hadoop::{HadoopServices, TokenService};
use kube2hadoop_fetcher::issue::configured::{Configured, settings};
use kube2hadoop_fetcher::metrics::Metrics;
use kube2hadoop_stamp::{DenyList, HadoopUser};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::sync::watch;

/// As many connections on either side.
const CONNECTIONS: usize = 16;
const PER_CONNECTION: usize = 60;
/// Many short ones in turns: a collection of the JVM's garbage, or a busy neighbour, spoils a few of them and not the median.
const RUNS: usize = 25;

fn main() -> Result<()> {
    // Reqwest wants to know one, though nothing here speaks TLS. There is no other yet.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(compare())
}

async fn compare() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing"))
    };
    let conf_dir = next("the configuration directory")?;
    let config = config(&conf_dir, &next("our principal")?)?;
    let user: HadoopUser = next("the user")?.parse()?;

    let (_unchanged, deny) = watch::channel(DenyList::default());
    let metrics = Metrics::new(&mut Registry::default());
    let issuer = Arc::new(Configured::new(&config, deny.clone(), metrics)?);
    let services = HadoopServices::from_conf(&settings(&config, deny))?;
    let bare = Bare::log_in(&config, &user).await?;
    let jobs = Jobs::new(issuer, &user)?;
    let namenode = services.all().first().context("no name service")?;

    // Both sides get to know the NameNode, which gets to know its work.
    for first in [Side::Jobs, Side::Bare] {
        side_by_side(&jobs, &bare, &**namenode, first).await?;
    }
    let mut runs = Vec::with_capacity(RUNS);
    for first in [Side::Jobs, Side::Bare].into_iter().cycle().take(RUNS) {
        runs.push(side_by_side(&jobs, &bare, &**namenode, first).await?);
    }
    let report = json!({
        "connections": CONNECTIONS,
        "jobsPerSecond": median(runs.iter().map(|(jobs, _)| jobs.per_second)),
        "barePerSecond": median(runs.iter().map(|(_, bare)| bare.per_second)),
        "partOfBare": median(runs.iter().map(|(jobs, bare)| jobs.per_second / bare.per_second)),
        "jobsCpuMicros": median(runs.iter().map(|(jobs, _)| jobs.cpu_micros)),
        "bareCpuMicros": median(runs.iter().map(|(_, bare)| bare.cpu_micros)),
    });
    println!("{report}");
    Ok(())
}

/// Nothing here holds anybody back but the NameNode.
fn config(conf_dir: &str, principal: &str) -> Result<Config> {
    let most = 1_000_000;
    let limits = json!({"perSecond": most, "perUserPerSecond": most, "concurrency": CONNECTIONS});
    let hadoop =
        json!({"confDir": conf_dir, "principal": principal, "kms": "off", "limits": limits});
    Ok(serde_json::from_value(json!({"hadoop": hadoop}))?)
}

#[derive(Clone, Copy)]
enum Side {
    Jobs,
    Bare,
}

struct Pace {
    per_second: f64,
    /// What one token costs this process.
    cpu_micros: f64,
}

/// The pace of the jobs and of the bare loop. Whoever is second finds the NameNode as the first left it.
async fn side_by_side(
    jobs: &Jobs,
    bare: &Bare,
    namenode: &dyn TokenService,
    first: Side,
) -> Result<(Pace, Pace)> {
    match first {
        Side::Jobs => {
            let of_jobs = of_jobs(jobs, namenode).await?;
            Ok((of_jobs, of_bare(bare, namenode).await?))
        }
        Side::Bare => {
            let of_bare = of_bare(bare, namenode).await?;
            Ok((of_jobs(jobs, namenode).await?, of_bare))
        }
    }
}

async fn of_jobs(jobs: &Jobs, namenode: &dyn TokenService) -> Result<Pace> {
    let (pace, tokens) = pace(|| jobs.next_token()).await?;
    cancel(namenode, tokens).await?;
    Ok(pace)
}

async fn of_bare(bare: &Bare, namenode: &dyn TokenService) -> Result<Pace> {
    let (pace, answers) = pace(|| bare.answer()).await?;
    let tokens = answers.iter().map(|answer| bare::token(answer));
    cancel(namenode, tokens.collect::<Result<_>>()?).await?;
    Ok(pace)
}

/// Asks on every connection, one question after the other.
async fn pace<T, F: Future<Output = Result<T>>>(ask: impl Fn() -> F) -> Result<(Pace, Vec<T>)> {
    let (began, cpu_before) = (Instant::now(), cpu_seconds()?);
    let loops = (0..CONNECTIONS).map(|_| async {
        let mut answers = Vec::with_capacity(PER_CONNECTION);
        for _ in 0..PER_CONNECTION {
            answers.push(ask().await?);
        }
        anyhow::Ok(answers)
    });
    let answers: Vec<T> = try_join_all(loops).await?.into_iter().flatten().collect();
    let count = answers.len() as f64;
    let pace = Pace {
        per_second: count / began.elapsed().as_secs_f64(),
        cpu_micros: 1e6 * (cpu_seconds()? - cpu_before) / count,
    };
    Ok((pace, answers))
}

/// Of this thread, on which everything runs but what waits for Kerberos; see proc_pid_schedstat(5).
fn cpu_seconds() -> Result<f64> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = schedstat.split(' ').next().unwrap_or_default();
    Ok(nanos.parse::<f64>()? / 1e9)
}

async fn cancel(namenode: &dyn TokenService, tokens: Vec<Token>) -> Result<()> {
    for batch in tokens.chunks(CONNECTIONS) {
        try_join_all(batch.iter().map(|token| namenode.cancel(token))).await?;
    }
    Ok(())
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}
