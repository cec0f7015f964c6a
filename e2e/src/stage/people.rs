//! Who acts on the stage, and how they speak to the fetcher without a pod.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use serde_json::{Value, json};

use super::{NAMESPACE, Stage};
use crate::kubectl::Kubectl;
use crate::process;
use crate::provider::users;

/// A kubectl with a client certificate of its own for this user name.
pub(super) fn kubectl(admin: &Kubectl, user: &str) -> Result<Kubectl> {
    let kubeconfig = users::user_kubeconfig(admin, user, &["hadoop-users"])?;
    Ok(Kubectl::new(kubeconfig))
}

/// The RoleBinding that lets the people edit in a namespace.
pub(super) fn editors(namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "hadoop-users-edit", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "hadoop-users"}],
    })
}

/// What the fetcher answered.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Stage {
    /// Sends a bearer token to the fetcher from the host, as an attacker in the network would.
    pub fn ask_fetcher(&self, bearer: &str) -> Result<Answer> {
        let address = self.own("service", "kube2hadoop-fetcher")?["spec"]["clusterIP"]
            .as_str()
            .context("the fetcher's service has no address")?
            .to_owned();
        let host = format!("kube2hadoop-fetcher.{NAMESPACE}.svc");
        let resolve = ["--resolve", &format!("{host}:443:{address}")];
        ask(&format!("https://{host}"), &resolve, &self.ca()?, bearer)
    }

    /// The CA that webhook and fetcher serve from.
    fn ca(&self) -> Result<Vec<u8>> {
        let secret = self.own("secret", "kube2hadoop-fetcher-tls")?;
        let ca = secret["data"]["ca.crt"]
            .as_str()
            .context("the secret holds no ca.crt")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(ca)?)
    }
}

/// Sends a bearer token to the fetcher at this address, which is known by this CA.
pub(super) fn ask(url: &str, resolve: &[&str], ca: &[u8], bearer: &str) -> Result<Answer> {
    let mut known_by = tempfile::NamedTempFile::new()?;
    known_by.write_all(ca)?;
    let mut header = tempfile::NamedTempFile::new()?;
    writeln!(header, "Authorization: Bearer {bearer}")?;
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
    ])
    .args(resolve)
    .arg("--cacert")
    .arg(known_by.path())
    .arg("--header")
    .arg(format!("@{}", header.path().display()))
    .args(["--json", "{}", &format!("{url}/v1/tokens")]);
    let output = process::run(&mut curl)?;
    let (body, status) = output
        .trim_end()
        .rsplit_once('\n')
        .context("curl printed no status")?;
    Ok(Answer {
        status: status.parse()?,
        body: body.to_owned(),
    })
}
