//! What the chart refuses to render, and whether it says what to set.

use anyhow::{Result, bail, ensure};

use super::Form;
use super::rendered::manifest_with;

/// The least values but for these options, and what must stand in the refusal.
struct Refusal {
    form: Form,
    options: &'static [&'static str],
    said: &'static str,
}

const fn inside(options: &'static [&'static str], said: &'static str) -> Refusal {
    let form = Form::Inside;
    Refusal {
        form,
        options,
        said,
    }
}

const fn outside(options: &'static [&'static str], said: &'static str) -> Refusal {
    let form = Form::Outside;
    Refusal {
        form,
        options,
        said,
    }
}

const LDAP: &str =
    "--set=identity.runAs.ldap.urls={ldaps://ldap.example.com},identity.runAs.ldap.ca.configMap=ca";
const BASE: &str = "--set=identity.runAs.ldap.base=dc=example";
const FILTER: &str = "--set=identity.runAs.ldap.filter=(cn={account})";

const REFUSALS: &[Refusal] = &[
    inside(
        &["--set=hadoop.conf.configMap="],
        "the Hadoop configuration is missing: set hadoop.conf.configMap",
    ),
    inside(
        &["--set=hadoop.conf.yarnSite=<configuration/>"],
        "the Hadoop configuration is given twice",
    ),
    inside(
        &["--set=hadoop.principal="],
        "the Kerberos principal is missing: set hadoop.principal",
    ),
    inside(
        &["--set=hadoop.keytab.secret="],
        "the keytab is missing: kubectl create secret generic kube2hadoop-keytab -n kube2hadoop",
    ),
    inside(
        &["--set=hadoop.krb5.configMap="],
        "krb5.conf is missing: set hadoop.krb5.configMap",
    ),
    inside(
        &["--set-json=identity.mappings=[]"],
        "the mapping rules are missing: set identity.mappings",
    ),
    inside(
        &["--set-json=lifecycle={\"renewFraction\":0.3,\"renewSpread\":0.25}"],
        "lifecycle.renewFraction 0.3 less renewSpread 0.25 leaves no time to renew",
    ),
    inside(
        &["--set=ledger.namespace=kube2hadoop"],
        "ledger.namespace is the release namespace",
    ),
    inside(
        &[BASE],
        "the LDAP servers are missing: set identity.runAs.ldap.urls",
    ),
    inside(
        &["--set=identity.runAs.ldap.urls={ldap://ldap.example.com}"],
        "identity.runAs.ldap.urls has ldap://, which would carry names and the password in the clear",
    ),
    inside(
        &["--set=identity.runAs.ldap.urls={ldaps://ldap.example.com}"],
        "the CA of the LDAP servers is missing: kubectl create configmap ldap-ca -n kube2hadoop",
    ),
    inside(
        &[LDAP, "--set=identity.runAs.ldap.bind.dn=cn=reader"],
        "the password of identity.runAs.ldap.bind.dn is missing: kubectl create secret generic ldap-password",
    ),
    inside(
        &[LDAP, "--set=identity.runAs.ldap.bind.secret=password"],
        "identity.runAs.ldap.bind.secret is the password of nobody",
    ),
    inside(&[LDAP], "identity.runAs.ldap.base is missing"),
    inside(&[LDAP, BASE], "identity.runAs.ldap.filter is missing"),
    inside(
        &[LDAP, BASE, FILTER],
        "identity.runAs.ldap.grantable is missing",
    ),
    outside(
        &["--set=fetcher.outside.url="],
        "the fetcher's address is missing: set fetcher.outside.url",
    ),
    outside(
        &["--set=fetcher.outside.caBundle="],
        "the fetcher's CA is missing: give the one that signs its certificate",
    ),
    // The schema's, in words of Helm.
    inside(
        &["--set=image.registry=registry.example.com/"],
        "'registry.example.com/' does not match pattern",
    ),
    inside(
        &["--set=image.client=client:1"],
        "'client:1' does not match pattern",
    ),
    inside(
        &["--set=listenAddress=10.0.0.1"],
        "at '/listenAddress': value must be one of '0.0.0.0', '[::]'",
    ),
    // No ports at all would open all of them.
    inside(
        &["--set-json=networkPolicy.dnsPorts=[]"],
        "at '/networkPolicy/dnsPorts': minItems: got 0, want 1",
    ),
    inside(
        &["--set=lifecycle.enable=false"],
        "additional properties 'enable' not allowed",
    ),
];

/// Each of them.
pub(super) fn say_what_to_set() -> Result<()> {
    for Refusal {
        form,
        options,
        said,
    } in REFUSALS
    {
        let Err(error) = manifest_with(*form, "webhook-config", options) else {
            bail!("with {options:?} the chart renders, and should not: it should say «{said}»");
        };
        let error = format!("{error:#}");
        ensure!(
            error.contains(said),
            "with {options:?} the chart does not say «{said}»:\n{error}"
        );
    }
    Ok(())
}
