//! Who acts on the stage, and how they speak to the fetcher without a pod.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use serde_json::{Value, json};

use super::{NAMESPACE, Replica, Stage};
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

/// Where a replica listens, behind its Service.
const PORT: u16 = 8443;

/// What the fetcher answered.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// The way to the fetcher from the host, as an attacker in the network has it.
pub struct Door {
    ca: tempfile::NamedTempFile,
    address: String,
}

impl Door {
    /// Sends a bearer token, to whichever replica the Service chooses.
    pub fn ask(&self, bearer: &str) -> Result<Answer> {
        self.knock(bearer, &format!("{}:443", self.address))
    }

    /// Sends a bearer token to this replica.
    pub fn ask_replica(&self, replica: &Replica, bearer: &str) -> Result<Answer> {
        self.knock(bearer, &format!("{}:{PORT}", replica.address))
    }

    fn knock(&self, bearer: &str, address: &str) -> Result<Answer> {
        let host = format!("kube2hadoop-fetcher.{NAMESPACE}.svc");
        let at = ["--connect-to", &format!("{host}:443:{address}")];
        ask(&format!("https://{host}"), &at, self.ca.path(), bearer)
    }
}

impl Stage {
    /// The way to the fetcher, looked up once.
    pub fn door(&self) -> Result<Door> {
        Ok(Door {
            ca: self.ca()?,
            address: self.address("kube2hadoop-fetcher")?,
        })
    }

    fn address(&self, service: &str) -> Result<String> {
        let found = self.own("service", service)?;
        let address = found["spec"]["clusterIP"].as_str();
        let address = address.with_context(|| format!("{service} has no address"))?;
        Ok(address.to_owned())
    }

    /// Has the webhook answer a review, as whoever reaches its port can.
    pub fn ask_webhook(&self, review: &Value) -> Result<Value> {
        let (ca, address) = (self.ca()?, self.address("kube2hadoop-webhook")?);
        let host = format!("kube2hadoop-webhook.{NAMESPACE}.svc");
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body"])
            .args(["--max-time", "30"])
            .args(["--connect-to", &format!("{host}:443:{address}:443")])
            .arg("--cacert")
            .arg(ca.path())
            .args(["--json", &review.to_string()])
            .arg(format!("https://{host}/mutate/object"));
        Ok(serde_json::from_str(&process::run(&mut curl)?)?)
    }

    /// Sends one bearer token to the fetcher.
    pub fn ask_fetcher(&self, bearer: &str) -> Result<Answer> {
        self.door()?.ask(bearer)
    }

    /// The CA that webhook and fetcher serve from.
    fn ca(&self) -> Result<tempfile::NamedTempFile> {
        let secret = self.own("secret", "kube2hadoop-fetcher-tls")?;
        let ca = secret["data"]["ca.crt"]
            .as_str()
            .context("the secret holds no ca.crt")?;
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(&base64::engine::general_purpose::STANDARD.decode(ca)?)?;
        Ok(file)
    }
}

/// Sends a bearer token to the fetcher at this address, which is known by the CA in this file.
pub(super) fn ask(url: &str, at: &[&str], ca: &Path, bearer: &str) -> Result<Answer> {
    let mut header = tempfile::NamedTempFile::new()?;
    writeln!(header, "Authorization: Bearer {bearer}")?;
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "30"])
        .args(["--write-out", "\n%{http_code}"])
        .args(at)
        .arg("--cacert")
        .arg(ca)
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
