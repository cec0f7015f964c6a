//! Kube2Hadoop's own Helm chart, given what an operator of the test bench's Hadoop would give it.

mod metrics;
mod refusals;
mod rendered;
mod settings;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use crate::hadoop::SecureHadoop;
use crate::kubectl::Kubectl;
use crate::{directory, images, places, process, progress, toolchain};

/// Name of the release and of its namespace.
const RELEASE: &str = "kube2hadoop";
const KEYTAB_SECRET: &str = "kube2hadoop-keytab";
const LDAP_SECRET: &str = "ldap-password";
const LDAP_CA: &str = "ldap-ca";
/// A namespace of which the webhook is shown nothing.
pub const LEFT_OUT: &str = "left-out";
/// Who Kube2Hadoop is to the KDC.
const PRINCIPAL: &str = "kube2hadoop";
/// What `helm template` assumes; a live cluster answers for itself.
const KUBE_VERSION: &str = "1.34.4";

/// Installs or upgrades, and waits until all replicas are ready.
pub fn install(admin: &Kubectl, hadoop: &SecureHadoop) -> Result<()> {
    toolchain::HELM.build()?;
    namespace_with_keytab(admin, hadoop)?;
    directorys_ca_and_password(admin)?;
    let step = progress::step("installing the chart");
    let values = values_file(&values(hadoop, Some(images::fingerprint())))?;
    let mut helm = helm(hadoop)?;
    helm.args(["upgrade", "--install", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--wait", "--timeout", "180s"])
        .arg("--values")
        .arg(values.path())
        .arg("--kubeconfig")
        .arg(admin.kubeconfig())
        .env("NO_PROXY", places::no_proxy());
    unlock(admin)?;
    process::run(&mut helm).inspect_err(|_| explain(admin))?;
    step.done("");
    Ok(())
}

/// The chart as Helm would send it to the API server.
pub fn render(hadoop: &SecureHadoop) -> Result<String> {
    toolchain::HELM.build()?;
    let values = values_file(&values(hadoop, None))?;
    let mut helm = helm(hadoop)?;
    helm.args(["template", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--include-crds", "--no-hooks"]);
    helm.args(["--kube-version", KUBE_VERSION, "--values"]);
    process::run(helm.arg(values.path()))
}

/// The chart for a fetcher outside the cluster, at this address and with a certificate from this CA; the user that it is
/// to the API server, or none where it is its service account.
pub fn render_outside(url: &str, ca: &str, user: Option<&str>) -> Result<String> {
    toolchain::HELM.build()?;
    let outside =
        json!({"enabled": true, "url": url, "caBundle": ca, "user": user.unwrap_or_default()});
    let mut values = json!({"fetcher": {"outside": outside}});
    values["identity"] = identity();
    let values = values_file(&values)?;
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args(["template", RELEASE]).arg(chart());
    helm.args(["--namespace", RELEASE, "--include-crds"]);
    helm.args(["--kube-version", KUBE_VERSION, "--values"]);
    process::run(helm.arg(values.path()))
}

/// Lints the chart with the least values that an installation needs, in either of its forms, compares what it renders
/// with what the webhook's own tests take for it, and the three places that tell what is left out, and tries what single
/// values change, what is refused, and whether the metrics that alerts and dashboard ask for are there.
pub fn lint() -> Result<String> {
    toolchain::HELM.build()?;
    let said = lint_with(&Form::Inside.least_values())?
        + &lint_with(&Form::Outside.least_values())?
        + &lint_with(&places::repository().join("deploy/kustomize/values.yaml"))?;
    rendered::compare()?;
    rendered::leaves_out_alike()?;
    settings::are_rendered()?;
    refusals::say_what_to_set()?;
    metrics::are_registered()?;
    Ok(said)
}

fn lint_with(values: &Path) -> Result<String> {
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args([
        "lint",
        "--strict",
        "--quiet",
        "--kube-version",
        KUBE_VERSION,
    ]);
    helm.arg(chart()).arg("--values").arg(values);
    process::run(&mut helm)
}

/// Where the fetcher runs.
#[derive(Clone, Copy, Debug)]
enum Form {
    Inside,
    Outside,
}

impl Form {
    fn least_values(self) -> PathBuf {
        chart().join(match self {
            Self::Inside => "ci/lint-values.yaml",
            Self::Outside => "ci/outside-values.yaml",
        })
    }
}

/// `helm test`: the doctor's words; an error with them where it is not content.
pub fn doctor(admin: &Kubectl) -> Result<String> {
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    helm.args([
        "test",
        RELEASE,
        "--namespace",
        RELEASE,
        "--logs",
        "--kubeconfig",
    ]);
    helm.arg(admin.kubeconfig())
        .env("NO_PROXY", places::no_proxy());
    process::run(&mut helm)
}

/// Where the chart lies.
pub fn chart() -> PathBuf {
    places::repository().join("deploy/chart/kube2hadoop")
}

/// With the files of the test bench's Hadoop among the values.
fn helm(hadoop: &SecureHadoop) -> Result<Command> {
    let conf = hadoop.conf_dir();
    let mut helm = Command::new(toolchain::HELM.binary("helm")?);
    for (value, file) in [
        ("hadoop.conf.coreSite", conf.join("core-site.xml")),
        ("hadoop.conf.hdfsSite", conf.join("hdfs-site.xml")),
        ("hadoop.krb5.conf", hadoop.krb5_conf()),
    ] {
        helm.arg("--set-file")
            .arg(format!("{value}={}", file.display()));
    }
    Ok(helm)
}

/// `--set` knows no regular expression without an escape for each of its signs; JSON in a file is YAML.
fn values_file(values: &Value) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), values.to_string())?;
    Ok(file)
}

/// alice@example.com is alice, a service account named robot is etl; whoever comes from elsewhere is nobody.
fn identity() -> Value {
    json!({
        "mappings": [
            {"match": r"^(?<name>[a-z][a-z0-9]*)@example\.com$", "user": "${name}"},
            {"match": "^system:serviceaccount:[a-z0-9-]+:robot$", "user": "etl"},
            // Names that a directory must not take for anything but names.
            {"match": r"^.*@guests\.example\.com$", "user": "guest"},
        ],
        "trustedOperators": [
            {"serviceAccount": "kubeflow/training-operator", "kinds": ["Pod"]},
            {"user": "rollouts", "kinds": ["ReplicaSet.apps"]},
        ],
        "mutators": [{"user": "queue", "annotations": ["kueue.x-k8s.io/podset"]}],
        "runAs": {"grantable": ["^etl-[a-z]+$"], "ldap": groups()},
    })
}

fn values(hadoop: &SecureHadoop, images: Option<String>) -> Value {
    let changed = images.map_or_else(|| json!({}), |images| json!({"images": images}));
    json!({
        "hadoop": {
            "principal": hadoop.principal(PRINCIPAL),
            "keytab": {"secret": KEYTAB_SECRET},
        },
        "identity": identity(),
        // What tests wait for shall not take minutes.
        "inject": {"deadlineSeconds": 45},
        "lifecycle": {"graceSeconds": 10},
        "doctor": {"user": "alice"},
        "legacy": {"enabled": true},
        "webhook": {"podAnnotations": changed, "excludedNamespaces": [LEFT_OUT]},
        "fetcher": {"podAnnotations": changed},
    })
}

/// Nothing answers there, but for the case that starts it.
fn groups() -> Value {
    json!({
        "urls": directory::URLS,
        "startTls": true,
        "ca": {"configMap": LDAP_CA},
        "bind": {"dn": directory::READER, "secret": LDAP_SECRET},
        "base": directory::BASE,
        "filter": "(&(objectClass=posixGroup)(cn={account})(|(memberUid={user})(memberUid={submitter})))",
        "grantable": ["^etl-(nightly|weekly)$"],
        "cacheSeconds": 2,
    })
}

fn directorys_ca_and_password(admin: &Kubectl) -> Result<()> {
    let ca = format!("--from-file=ca.crt={}", directory::ca().display());
    let password = directory::password_file();
    let password = format!("--from-file=password={}", password.display());
    for create in [
        ["configmap", LDAP_CA, &ca].as_slice(),
        &["secret", "generic", LDAP_SECRET, &password],
    ] {
        let create = [
            &["create"],
            create,
            &["-n", RELEASE, "--dry-run=client", "-o", "json"],
        ];
        let object = admin.run(&create.concat())?;
        admin.apply(&object)?;
    }
    Ok(())
}

fn namespace_with_keytab(admin: &Kubectl, hadoop: &SecureHadoop) -> Result<()> {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELEASE, "labels": labels}});
    admin.apply(&namespace.to_string())?;
    let keytab = format!("--from-file=keytab={}", hadoop.keytab(PRINCIPAL).display());
    let create = [
        "create",
        "secret",
        "generic",
        KEYTAB_SECRET,
        "-n",
        RELEASE,
        &keytab,
    ];
    let secret = admin.run(&[&create[..], &["--dry-run=client", "-o", "json"]].concat())?;
    admin.apply(&secret)
}

/// A helm that was killed leaves a revision «pending», and every later one refuses to begin.
fn unlock(admin: &Kubectl) -> Result<()> {
    let pending =
        "owner=helm,name=kube2hadoop,status in (pending-install,pending-upgrade,pending-rollback)";
    admin
        .run(&["delete", "secret", "-n", RELEASE, "-l", pending])
        .map(drop)
}

/// Shows the pods that did not become ready, and their last words.
fn explain(admin: &Kubectl) {
    for args in [
        ["get", "pods", "-o", "wide"].as_slice(),
        &["get", "events", "--sort-by=.lastTimestamp"],
        &[
            "logs",
            "-l",
            "app.kubernetes.io/component=webhook",
            "--tail=15",
            "--prefix",
        ],
        &[
            "logs",
            "-l",
            "app.kubernetes.io/component=fetcher",
            "--tail=15",
            "--prefix",
        ],
    ] {
        let args = [args, &["-n", RELEASE]].concat();
        if let Ok(shown) = admin.run(&args) {
            progress::say(format!("--- kubectl {}\n{shown}", args.join(" ")));
        }
    }
}
