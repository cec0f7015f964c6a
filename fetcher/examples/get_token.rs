//! Issues, renews and cancels a real token at every service of a configuration.
//!
//! ```sh
//! KRB5_CONFIG=krb5.conf KRB5_CLIENT_KTNAME=service.keytab KRB5CCNAME=MEMORY:x \
//!   cargo run -p kube2hadoop-fetcher --example get_token -- /etc/hadoop/conf kube2hadoop@EXAMPLE.COM alice
//! ```
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube2hadoop_fetcher::hadoop::{HadoopServices, Settings, TokenService};
use kube2hadoop_stamp::{DenyList, HadoopUser};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &'static str| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing"))
    };
    let (conf_dir, principal) = (next("the configuration directory")?, next("our principal")?);
    let user: HadoopUser = next("the user")?.parse()?;
    let renewer = principal
        .split(['/', '@'])
        .next()
        .unwrap_or_default()
        .to_owned();
    let services = HadoopServices::from_conf(&Settings {
        conf_dir: conf_dir.into(),
        principal,
        renewer,
        ca_file: None,
        require_https: false,
        krb5_conf: String::new(),
        kms: true,
        timeout: Duration::from_secs(10),
        deny: tokio::sync::watch::channel(DenyList::default()).1,
    })?;
    for (name, content) in services.client_conf() {
        println!("--- {name}\n{}", String::from_utf8_lossy(content));
    }
    for service in services.all() {
        match round(&**service, &user).await {
            Ok(()) => println!("{}: done", service.name()),
            Err(error) => println!("{}: {error:#}", service.name()),
        }
    }
    Ok(())
}

async fn round(service: &dyn TokenService, user: &HadoopUser) -> Result<()> {
    for attempt in ["first", "second"] {
        let start = Instant::now();
        let issued = service.issue(user).await?;
        println!(
            "{}: {attempt} issue took {:?}",
            service.name(),
            start.elapsed()
        );
        for (alias, token) in &issued.tokens {
            println!("  {alias}: {token:?} {:?}", token.parse_identifier()?);
        }
        println!(
            "  issued {}, until {}, at most {}",
            issued.issued_at, issued.expires_at, issued.max_date
        );
        for token in issued.distinct() {
            println!("  renewed until {}", service.renew(token).await?);
            service.cancel(token).await?;
            service.cancel(token).await?;
            match service.renew(token).await {
                Ok(until) => println!("  renewed after cancel until {until}!"),
                Err(error) => println!("  cancelled; renewing says: {} ({error})", error.reason()),
            }
        }
    }
    Ok(())
}
