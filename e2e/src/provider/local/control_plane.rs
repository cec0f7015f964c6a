//! etcd, API server, controller manager and scheduler.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::pki::{self, word};
use crate::places::{self, ADDRESS, API_PORT, POD_CIDR, SERVICE_CIDR};
use crate::process::{self, run, wait_for_daemon};
use crate::{progress, toolchain};

/// Not etcd's own port: an etcd of the machine may have it.
const ETCD: &str = "http://127.0.0.1:12379";
const ETCD_PEER: &str = "http://127.0.0.1:12380";
const DEADLINE: Duration = Duration::from_secs(90);
/// How long a daemon of an earlier run may be silent before it is started again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts what is not running, and waits until the API server answers.
pub(super) fn up() -> Result<()> {
    start("etcd", &mut etcd(), || {
        answers(&format!("{ETCD}/health"), &[])
    })?;
    let admin = [
        "--cacert",
        "ca.crt",
        "--cert",
        "admin.crt",
        "--key",
        "admin.key",
    ];
    let credentials = admin.map(|word| {
        if word.starts_with('-') {
            word.to_owned()
        } else {
            pki_word(word)
        }
    });
    let api = format!("https://{ADDRESS}:{API_PORT}/readyz");
    start("kube-apiserver", &mut api_server()?, || {
        answers(&api, &credentials)
    })?;
    start(
        "kube-controller-manager",
        &mut controller_manager()?,
        || insecurely_answers(10257),
    )?;
    start("kube-scheduler", &mut scheduler()?, || {
        insecurely_answers(10259)
    })
}

/// Starts a daemon and waits for it. One that is alive but does not answer is started again once.
pub(super) fn start(name: &str, command: &mut Command, ready: impl Fn() -> bool) -> Result<()> {
    let step = progress::step(format!("starting {name}"));
    command.env("NO_PROXY", places::no_proxy());
    let started = process::spawn(name, command)?;
    if !started && ready() {
        step.done("already running");
        return Ok(());
    }
    if !started && wait_for_daemon(name, PATIENCE, &ready).is_err() {
        process::stop(name)?;
        process::spawn(name, command)?;
    }
    wait_for_daemon(name, DEADLINE, &ready)?;
    step.done("");
    Ok(())
}

/// Does the URL answer with 200?
pub(super) fn answers(url: &str, options: &[String]) -> bool {
    let quiet = [
        "--silent",
        "--fail",
        "--noproxy",
        "*",
        "--max-time",
        "3",
        "--output",
        "/dev/null",
    ];
    run(Command::new("curl").args(quiet).args(options).arg(url)).is_ok()
}

/// The health port of a daemon that serves a certificate it made for itself.
fn insecurely_answers(port: u16) -> bool {
    answers(
        &format!("https://127.0.0.1:{port}/healthz"),
        &["--insecure".to_owned()],
    )
}

fn pki_word(name: &str) -> String {
    word(&pki::file(name))
}

fn etcd() -> Command {
    let mut etcd = Command::new("etcd");
    etcd.arg("--name=kube2hadoop-e2e")
        .arg(format!(
            "--data-dir={}",
            word(&places::state().join("etcd"))
        ))
        .arg(format!("--listen-client-urls={ETCD}"))
        .arg(format!("--advertise-client-urls={ETCD}"))
        .arg(format!("--listen-peer-urls={ETCD_PEER}"))
        .arg(format!("--initial-advertise-peer-urls={ETCD_PEER}"))
        .arg(format!("--initial-cluster=kube2hadoop-e2e={ETCD_PEER}"))
        // A test cluster: fsync on two busy cores costs more than a lost write would.
        .args([
            "--unsafe-no-fsync",
            "--auto-compaction-retention=1",
            "--logger=zap",
            "--log-level=warn",
        ]);
    etcd
}

fn api_server() -> Result<Command> {
    let mut server = Command::new(toolchain::KUBERNETES.binary("kube-apiserver")?);
    server
        .arg(format!("--etcd-servers={ETCD}"))
        .arg(format!("--bind-address={ADDRESS}"))
        .arg(format!("--advertise-address={ADDRESS}"))
        .arg(format!("--secure-port={API_PORT}"))
        .arg(format!("--service-cluster-ip-range={SERVICE_CIDR}"))
        .arg(format!("--client-ca-file={}", pki_word("ca.crt")))
        .arg(format!("--tls-cert-file={}", pki_word("apiserver.crt")))
        .arg(format!(
            "--tls-private-key-file={}",
            pki_word("apiserver.key")
        ))
        .arg(format!(
            "--kubelet-certificate-authority={}",
            pki_word("ca.crt")
        ))
        .arg(format!(
            "--kubelet-client-certificate={}",
            pki_word("apiserver-to-kubelet.crt")
        ))
        .arg(format!(
            "--kubelet-client-key={}",
            pki_word("apiserver-to-kubelet.key")
        ))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(format!("--service-account-key-file={}", pki_word("sa.pub")))
        .arg(format!(
            "--service-account-signing-key-file={}",
            pki_word("sa.key")
        ))
        .arg("--authorization-mode=Node,RBAC")
        .arg("--enable-admission-plugins=NodeRestriction")
        // Debian's etcd reports no progress, without which a watch that names no version, as Spark's does, is an error.
        .arg("--feature-gates=WatchList=false")
        .arg("--allow-privileged=true");
    Ok(server)
}

fn controller_manager() -> Result<Command> {
    let mut manager = Command::new(toolchain::KUBERNETES.binary("kube-controller-manager")?);
    let kubeconfig = word(&places::kubeconfig_of("kube-controller-manager"));
    manager
        .arg(format!("--kubeconfig={kubeconfig}"))
        .arg(format!("--authentication-kubeconfig={kubeconfig}"))
        .arg(format!("--authorization-kubeconfig={kubeconfig}"))
        .args([
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
        ])
        .arg(format!("--root-ca-file={}", pki_word("ca.crt")))
        .arg(format!(
            "--service-account-private-key-file={}",
            pki_word("sa.key")
        ))
        .arg(format!(
            "--cluster-signing-cert-file={}",
            pki_word("ca.crt")
        ))
        .arg(format!("--cluster-signing-key-file={}", pki_word("ca.key")))
        .arg(format!("--cluster-cidr={POD_CIDR}"));
    Ok(manager)
}

fn scheduler() -> Result<Command> {
    let mut scheduler = Command::new(toolchain::KUBERNETES.binary("kube-scheduler")?);
    let kubeconfig = word(&places::kubeconfig_of("kube-scheduler"));
    scheduler
        .arg(format!("--kubeconfig={kubeconfig}"))
        .arg(format!("--authentication-kubeconfig={kubeconfig}"))
        .arg(format!("--authorization-kubeconfig={kubeconfig}"))
        .args(["--bind-address=127.0.0.1", "--leader-elect=false"]);
    Ok(scheduler)
}
