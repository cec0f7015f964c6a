//! `doctor`: checks what the service rests on, and says of each what to change.

use std::io::Write;
use std::process::ExitCode;

use kube::Client;
use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::guards;
use kube2hadoop_stamp::HadoopUser;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::chain;
use crate::config::{Config, Standing, TlsSource};
use crate::hadoop::{HadoopServices, TokenService};
use crate::issue::configured::{Configured, settings};
use crate::metrics::Metrics;
use crate::serving_cert;
use crate::serving_cert::{CertError, Pair};
use crate::stamp_keys::{self, StampKeys};

mod clock;
mod kerberos;
mod registration;
mod rights;

/// One thing looked at.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, for example `namenodes of ns1`.
    pub check: String,
    pub ok: bool,
    /// What was found; where it is not good, what to change.
    pub detail: String,
}

impl Finding {
    fn good(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            ok: true,
            detail: detail.into(),
        }
    }

    fn bad(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            ok: false,
            detail: detail.into(),
        }
    }

    fn of<E: std::error::Error>(check: impl Into<String>, outcome: Result<String, E>) -> Self {
        match outcome {
            Ok(detail) => Self::good(check, detail),
            Err(error) => Self::bad(check, chain::text(&error)),
        }
    }
}

/// Looks at everything and prints it; success only if all of it is good.
pub(crate) async fn run(config: &Config, user: Option<&HadoopUser>, json: bool) -> ExitCode {
    let mut findings = vec![Finding::good(
        "configuration",
        "it can be read and holds together",
    )];
    findings.extend(hadoop(config, user).await);
    findings.extend(cluster(config).await);
    let good = findings.iter().all(|finding| finding.ok);
    let written = print(&findings, json, &mut std::io::stdout());
    if good && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(findings: &[Finding], json: bool, out: &mut impl Write) -> std::io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, findings)?;
        return writeln!(out);
    }
    for Finding { check, ok, detail } in findings {
        writeln!(
            out,
            "{:4}  {check}: {detail}",
            if *ok { "ok" } else { "FAIL" }
        )?;
    }
    Ok(())
}

async fn hadoop(config: &Config, user: Option<&HadoopUser>) -> Vec<Finding> {
    const CONF: &str = "hadoop configuration";
    let mut findings = vec![];
    // The names are checked as the service checks them; the services themselves are used below.
    let (_, Standing { deny, .. }) = Standing::new(config);
    let checked = Configured::new(config, deny.clone(), Metrics::new(&mut Registry::default()));
    if let Err(error) = checked {
        findings.push(Finding::bad(CONF, chain::text(&error)));
        return findings;
    }
    match HadoopServices::from_conf(&settings(config, deny)) {
        Err(error) => findings.push(Finding::bad(CONF, chain::text(&error))),
        Ok(services) => {
            let names: Vec<_> = services
                .all()
                .iter()
                .map(|service| service.name())
                .collect();
            findings.push(Finding::good(
                CONF,
                format!("services: {}", names.join(", ")),
            ));
            findings.extend(kerberos::check(config, &services).await);
            for service in services.all() {
                findings.push(try_out(&**service, user).await);
            }
        }
    }
    findings
}

/// Only an issue proves proxy user rights; the token is cancelled at once.
async fn try_out(service: &dyn TokenService, user: Option<&HadoopUser>) -> Finding {
    let check = format!("tokens of {}", service.name());
    let Some(user) = user else {
        return Finding::good(
            check,
            "not tried: give --user NAME to issue a token and cancel it",
        );
    };
    let issued = match service.issue(user).await {
        Ok(issued) => issued,
        Err(error) => return Finding::bad(check, chain::text(&error)),
    };
    let mut strangers = Vec::new();
    for token in issued.distinct() {
        strangers.extend(service.strangers_to(token).await);
        if let Err(error) = service.cancel(token).await {
            return Finding::bad(
                check,
                format!("issued, but not cancelled: {}", chain::text(&error)),
            );
        }
    }
    if strangers.is_empty() {
        return Finding::good(check, format!("one was issued for {user} and cancelled"));
    }
    Finding::bad(
        check,
        format!(
            "{} does not know what another KMS issued, and pods cannot tell which did: set \
             hadoop.kms.authentication.zk-dt-secret-manager.enable on each",
            strangers.join(", ")
        ),
    )
}

async fn cluster(config: &Config) -> Vec<Finding> {
    const API: &str = "api server";
    let client = match Clients::try_default().await {
        Ok(clients) => clients.calls,
        Err(error) => {
            let detail = format!("{}: run in the pod, or set KUBECONFIG", chain::text(&error));
            return vec![Finding::bad(API, detail)];
        }
    };
    let mut findings = vec![Finding::of(
        API,
        client
            .apiserver_version()
            .await
            .map(|version| format!("version {}", version.git_version)),
    )];
    let missing = guards::check(&client, &config.guards.all()).await;
    findings.extend(
        missing
            .iter()
            .map(|problem| Finding::bad("guards", problem.to_string())),
    );
    if missing.is_empty() {
        findings.push(Finding::good(
            "guards",
            "the admission policies are bound and deny",
        ));
    }
    findings.extend(rights::check(config, &client).await);
    findings.push(Finding::of("stamp keys", stamp_keys(config, &client).await));
    let pair = certificate(config, &client).await;
    let fits = pair
        .as_ref()
        .map(|_| "certificate and key fit together".into());
    findings.push(Finding::of("serving certificate", fits));
    findings.extend(registration(config, &client, pair.ok().as_ref()).await);
    findings
}

async fn registration(config: &Config, client: &Client, pair: Option<&Pair>) -> Vec<Finding> {
    const REGISTRATION: &str = "registration";
    // One from files is of another CA than the webhook's.
    let pair = pair.filter(|_| matches!(config.tls, TlsSource::Secret(_)));
    let excluded = config.all_excluded_namespaces();
    let name = &config.webhook_configuration;
    let problems = registration::check(client, name, &excluded, pair).await;
    if problems.is_empty() {
        let detail = "the API server shows the webhook every pod of a labelled namespace";
        return vec![Finding::good(REGISTRATION, detail)];
    }
    let problems = problems.iter();
    problems
        .map(|problem| Finding::bad(REGISTRATION, chain::text(problem)))
        .collect()
}

async fn stamp_keys(
    config: &Config,
    client: &Client,
) -> Result<String, stamp_keys::StampKeysError> {
    let source = stamp_keys::Source::new(&config.stamp_keys, client, &config.namespace);
    StampKeys::default().replace(&source.read().await?)?;
    Ok("they can be read".into())
}

async fn certificate(config: &Config, client: &Client) -> Result<Pair, CertError> {
    let source = serving_cert::Source::new(&config.tls, client, &config.namespace);
    let pair = source.read().await?;
    pair.check()?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool) -> String {
        let findings = [
            Finding::good("guards", "in force"),
            Finding::bad("keytab", "it is empty: mount it"),
        ];
        let mut out = vec![];
        print(&findings, json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_say_what_to_change() {
        assert_eq!(
            printed(false),
            "ok    guards: in force\nFAIL  keytab: it is empty: mount it\n"
        );
    }

    #[test]
    fn json_holds_the_same() {
        let read: serde_json::Value = serde_json::from_str(&printed(true)).unwrap();
        assert_eq!(read[1]["ok"], false);
        assert_eq!(read[1]["check"], "keytab");
    }
}
