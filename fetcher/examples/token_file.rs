//! Writes what a pod gets from the fetcher, without a cluster: tokens of every service of a configuration in one file,
//! and the client configuration. Asks whether they are known, renews and cancels them later.
//!
//! ```sh
//! KRB5_CONFIG=krb5.conf KRB5_CLIENT_KTNAME=service.keytab KRB5CCNAME=MEMORY:x \
//!   cargo run -p kube2hadoop-fetcher --example token_file -- issue alice --conf /etc/hadoop/conf \
//!   --principal kube2hadoop@EXAMPLE.COM --directory /var/run/kube2hadoop
//! ```
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use kube2hadoop_client::credentials::{Credentials, Token};
use kube2hadoop_fetcher::hadoop::{HadoopServices, Issued, Settings, TokenService};
use kube2hadoop_stamp::{DenyList, HadoopUser};

#[derive(Parser)]
struct Args {
    deed: Deed,
    user: HadoopUser,
    /// Directory with core-site.xml.
    #[arg(long)]
    conf: PathBuf,
    #[arg(long)]
    principal: String,
    /// PEM bundle of private CAs.
    #[arg(long)]
    ca: Option<PathBuf>,
    #[arg(long)]
    krb5: PathBuf,
    /// What a pod has under /var/run/kube2hadoop.
    #[arg(long)]
    directory: PathBuf,
    /// Only these services.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Deed {
    Issue,
    Check,
    Renew,
    Cancel,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let services = HadoopServices::from_conf(&settings(&args)?)?;
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut all = Credentials::new();
    for service in services.all().iter().filter(|it| wanted(it.name())) {
        let name = service.name();
        let file = args.directory.join("services").join(name);
        let done = match args.deed {
            Deed::Issue => issue(&**service, &args.user, &file, &mut all).await,
            Deed::Check => check(&**service, &file).await,
            Deed::Renew => renew(&**service, &file).await,
            Deed::Cancel => cancel(&**service, &file).await,
        };
        println!("{name}: {}", done.with_context(|| name.to_owned())?);
    }
    if matches!(args.deed, Deed::Issue) {
        write(&args.directory.join("hdfs-delegation-token"), &all)?;
        let conf = args.directory.join("conf");
        fs::create_dir_all(&conf)?;
        for (file, content) in services.client_conf() {
            fs::write(conf.join(file), content)?;
        }
    }
    Ok(())
}

fn settings(args: &Args) -> Result<Settings> {
    let renewer = args.principal.split(['/', '@']).next().unwrap_or_default();
    Ok(Settings {
        conf_dir: args.conf.clone(),
        principal: args.principal.clone(),
        renewer: renewer.to_owned(),
        ca_file: args.ca.clone(),
        require_https: false,
        krb5_conf: fs::read_to_string(&args.krb5).context("no krb5.conf")?,
        kms: true,
        timeout: Duration::from_secs(20),
        deny: tokio::sync::watch::channel(DenyList::default()).1,
    })
}

async fn issue(
    service: &dyn TokenService,
    user: &HadoopUser,
    file: &Path,
    all: &mut Credentials,
) -> Result<String> {
    let issued = service.issue(user).await?;
    let mut own = Credentials::new();
    let mut found = String::new();
    for (alias, token) in &issued.tokens {
        found += &format!("\n  {} {}", token.kind(), token.service());
        own.add(alias.as_str(), token.clone())?;
        all.add(alias.as_str(), token.clone())?;
    }
    write(file, &own)?;
    Ok(format!("issued{found}"))
}

async fn check(service: &dyn TokenService, file: &Path) -> Result<String> {
    let mut known = String::new();
    for token in issued(file)?.distinct() {
        known += if service.is_known(token).await? {
            " known"
        } else {
            " unknown"
        };
    }
    Ok(known)
}

async fn renew(service: &dyn TokenService, file: &Path) -> Result<String> {
    let mut until = String::new();
    for token in issued(file)?.distinct() {
        until += &format!(" {}", service.renew(token).await?);
        for host in service.strangers_to(token).await {
            until += &format!(", unknown to {host}");
        }
    }
    Ok(format!("renewed until{until}"))
}

async fn cancel(service: &dyn TokenService, file: &Path) -> Result<String> {
    let issued = issued(file)?;
    let tokens: Vec<&Token> = issued.distinct();
    for token in &tokens {
        anyhow::ensure!(service.is_known(token).await?, "it is unknown too early");
        service.cancel(token).await?;
        // Whoever comes late finds it done.
        service.cancel(token).await?;
        anyhow::ensure!(!service.is_known(token).await?, "it is known too long");
        let renewed = service.renew(token).await;
        anyhow::ensure!(
            renewed.as_ref().is_err_and(|error| error.lost()),
            "after its end, renewing it says {renewed:?}"
        );
    }
    Ok(format!("cancelled {}", tokens.len()))
}

fn write(file: &Path, credentials: &Credentials) -> Result<()> {
    fs::create_dir_all(file.parent().context("a file lies in a directory")?)?;
    fs::write(file, credentials.to_bytes().expose())?;
    Ok(())
}

/// What was written; when does not matter here.
fn issued(file: &Path) -> Result<Issued> {
    let read = fs::read(file).with_context(|| format!("no tokens in {}", file.display()))?;
    let tokens = Credentials::parse(&read)?;
    let tokens = tokens
        .tokens()
        .map(|(alias, token)| (alias.to_owned(), token.clone()));
    Ok(Issued {
        tokens: tokens.collect(),
        issued_at: 0,
        renewed_at: 0,
        expires_at: 0,
        max_date: 0,
        sequence_number: 0,
    })
}
