//! The cluster's CA, the API server's certificate and the daemons' kubeconfigs, by openssl.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::kubeconfig;
use crate::authority::{Authority, openssl};
use crate::places::{ADDRESS, API_SERVICE_ADDRESS};
use crate::process::run;
use crate::{places, progress};

/// The node's name; it resolves nowhere and need not.
pub(super) const NODE: &str = "k2h-node";

/// Who gets a kubeconfig, and the subject that RBAC or the node authorizer knows them by.
const CLIENTS: [(&str, &str); 6] = [
    ("admin", "/O=system:masters/CN=kubernetes-admin"),
    (
        "kube-controller-manager",
        "/CN=system:kube-controller-manager",
    ),
    ("kube-scheduler", "/CN=system:kube-scheduler"),
    ("kube-proxy", "/CN=system:kube-proxy"),
    ("kubelet", "/O=system:nodes/CN=system:node:k2h-node"),
    ("coredns", "/CN=kube2hadoop-e2e:coredns"),
];

/// A file of the cluster's PKI.
pub(super) fn file(name: &str) -> PathBuf {
    places::state().join("pki").join(name)
}

/// Makes what is missing. The last file written is a mark: a run killed half-way begins anew.
pub(super) fn ensure() -> Result<()> {
    let complete = file("complete");
    if complete.exists() {
        return Ok(());
    }
    let step = progress::step("certificates");
    fs::create_dir_all(file(""))?;
    for private in [file(""), places::kubeconfigs()] {
        fs::set_permissions(private, fs::Permissions::from_mode(0o700))?;
    }
    authority().found("/CN=kube2hadoop-e2e")?;
    run(openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
    ])
    .arg(file("sa.key")))?;
    run(openssl(&["rsa", "-pubout", "-in"])
        .arg(file("sa.key"))
        .arg("-out")
        .arg(file("sa.pub")))?;
    authority().issue(
        "apiserver",
        "/CN=kube-apiserver",
        "serverAuth",
        &server_names(),
    )?;
    authority().issue(
        "apiserver-to-kubelet",
        "/O=system:masters/CN=kube-apiserver-kubelet-client",
        "clientAuth",
        "",
    )?;
    authority().issue(
        "kubelet-serving",
        "/O=system:nodes/CN=system:node:k2h-node",
        "serverAuth",
        &format!("IP:{ADDRESS}"),
    )?;
    for (name, subject) in CLIENTS {
        authority().issue(name, subject, "clientAuth", "")?;
        kubeconfig::write(name)?;
    }
    fs::write(complete, "")?;
    step.done("");
    Ok(())
}

fn authority() -> Authority {
    Authority::new(file(""))
}

fn server_names() -> String {
    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let names: String = names.iter().map(|name| format!("DNS:{name},")).collect();
    format!("{names}DNS:localhost,IP:{ADDRESS},IP:{API_SERVICE_ADDRESS},IP:127.0.0.1")
}

/// A path as a word of a command line or a configuration file.
pub(super) fn word(path: &Path) -> String {
    path.display().to_string()
}
