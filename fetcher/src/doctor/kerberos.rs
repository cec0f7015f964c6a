//! The keytab, and the KDC behind it.

use super::{Finding, clock};
use crate::chain;
use crate::config::Config;
use crate::hadoop::HadoopServices;
use crate::hadoop::http::Host;
use crate::hadoop::keytab::{Keytab, KeytabError};
use crate::hadoop::spnego::{Principal, Spnego};

/// Looks into the keytab, and gets a ticket for every web server with it.
pub(super) async fn check(config: &Config, services: &HadoopServices) -> Vec<Finding> {
    let named = std::env::var("KRB5_CLIENT_KTNAME").ok();
    let mut findings = vec![Finding::of("keytab", keytab(config, named.as_deref()))];
    let Ok(principal) = config.hadoop.principal.parse::<Principal>() else {
        return findings;
    };
    let spnego = Spnego::new(principal);
    let mut servers: Vec<_> = services.servers().collect();
    match services.key_servers().await {
        Ok(kms) => servers.extend(kms),
        Err(error) => findings.push(Finding::bad("kms", chain::text(&error))),
    }
    findings.push(wire(&servers));
    for server in &servers {
        let ticket = spnego.probe(server.name()).await;
        let check = format!("ticket for HTTP/{}", server.name());
        findings.push(Finding::of(
            check,
            ticket.map(|()| "the KDC gives one".into()),
        ));
    }
    findings.extend(clock::check(services, &servers).await);
    findings
}

/// It is the operator's choice whom the network is trusted with.
fn wire(servers: &[Host]) -> Finding {
    let plain = servers.iter().filter(|server| server.is_plain());
    let plain: Vec<_> = plain.map(Host::base).collect();
    let detail = match &plain[..] {
        [] => "every server is reached by https".into(),
        _ => format!(
            "{} by http: who sees the wire has our session there, and the tokens; serve https, and set \
             hadoop.requireHttps",
            plain.join(", ")
        ),
    };
    Finding::good("wire to hadoop", detail)
}

fn keytab(config: &Config, named: Option<&str>) -> Result<String, KeytabError> {
    let (path, keytab) = Keytab::from_env_value(named)?;
    let principal = &config.hadoop.principal;
    let version = keytab.key_version(&path, principal)?;
    Ok(format!(
        "{} has key version {version} of {principal}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_keytab_says_what_to_change() {
        let config: Config = serde_yaml_ng::from_str("hadoop: {principal: a@R}").unwrap();
        let finding = Finding::of("keytab", keytab(&config, Some("/does/not/exist")));
        assert!(!finding.ok);
        assert!(chain::text(&keytab(&config, None).unwrap_err()).contains("KRB5_CLIENT_KTNAME"));
    }
}
