//! What the fetcher is shown: tokens that are wrong in one claim, or whose pod is gone.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use super::credentials::printed;
use super::scene::Scene;
use crate::kubectl::Kubectl;
use crate::stage::Answer;
use crate::{places, process, workload};

pub(super) fn of_other_and_ended_pods(scene: &Scene<'_>) -> Result<()> {
    let token = scene.talker("talker")?;
    let own = scene.stage.ask_fetcher(&token)?;
    ensure!(
        own.status == 200,
        "alice's own pod is refused: {}",
        own.body
    );
    if let Some(forge) = Forge::of(&token)? {
        let refused = |claims: Value, what: &str| -> Result<()> {
            let forged = forge.sign(&claims)?;
            let answer = scene.stage.ask_fetcher(&forged)?;
            ensure!(
                is_refused(&answer),
                "a token {what} is answered {} {}",
                answer.status,
                answer.body
            );
            ensure!(
                !answer.body.contains(&forged),
                "the answer repeats the token"
            );
            Ok(())
        };
        let mut expired = forge.claims.clone();
        // The API server lets clocks differ by a minute.
        expired["exp"] = json!(
            expired["iat"]
                .as_u64()
                .unwrap_or_default()
                .saturating_sub(3600)
        );
        refused(expired, "expired")?;
        let mut unbound = forge.claims.clone();
        if let Some(kubernetes) = unbound["kubernetes.io"].as_object_mut() {
            kubernetes.remove("pod");
        }
        refused(unbound, "bound to no pod")?;
        let mut other = forge.claims.clone();
        other["aud"] = json!(["https://kubernetes.default.svc.cluster.local"]);
        refused(other, "of another audience")?;
        let mut another = forge.claims.clone();
        another["kubernetes.io"]["pod"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
        refused(another, "bound to a pod of another uid")?;
    }
    // Gone, and its name taken again by bob.
    scene.delete_pod(&scene.stage.alice, "talker")?;
    scene.create(&scene.stage.bob, &workload::pod("talker", "sleep 3600"))?;
    scene.running("talker")?;
    let late = scene.stage.ask_fetcher(&token)?;
    ensure!(
        is_refused(&late),
        "a token of a pod that is gone: {} {}",
        late.status,
        late.body
    );
    Ok(())
}

/// For good; or, where the API server does not find the pod, which it says of a new one too, until it does.
fn is_refused(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403)
        || answer.status == 503 && answer.body.contains("pod-not-visible")
}

impl Scene<'_> {
    /// The token of our audience that a running pod of alice's prints: whoever asks for one in a pod of their own gets it
    /// from the kubelet.
    pub(super) fn talker(&self, name: &str) -> Result<String> {
        self.talker_of(&self.stage.alice, name)
    }

    /// The same of somebody else's pod.
    pub(super) fn talker_of(&self, who: &Kubectl, name: &str) -> Result<String> {
        let mut pod = workload::pod(name, "cat /own/token; echo; sleep 3600");
        let source = json!({"serviceAccountToken": {"audience": "kube2hadoop", "path": "token"}});
        pod["spec"]["volumes"] = json!([{"name": "own", "projected": {"sources": [source]}}]);
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "own", "mountPath": "/own"}]);
        self.create(who, &pod)?;
        self.running(name)?;
        printed(self, name)
    }
}

/// Signs as the cluster does, so that what is wrong with a token is its claims alone.
pub(super) struct Forge {
    key: PathBuf,
    header: String,
    pub(super) claims: Value,
}

impl Forge {
    /// None where the cluster's key is not on this machine.
    pub(super) fn of(token: &str) -> Result<Option<Self>> {
        let key = places::state().join("pki/sa.key");
        if !key.exists() {
            return Ok(None);
        }
        let mut parts = token.split('.');
        let header = parts.next().context("no header")?.to_owned();
        let claims = BASE64URL.decode(parts.next().context("no claims")?)?;
        Ok(Some(Self {
            key,
            header,
            claims: serde_json::from_slice(&claims)?,
        }))
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String> {
        let claims = BASE64URL.encode(claims.to_string());
        let message = format!("{}.{claims}", self.header);
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(message.as_bytes())?;
        let signature = tempfile::NamedTempFile::new()?;
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign"]).arg(&self.key);
        openssl.arg("-out").arg(signature.path()).arg(file.path());
        process::run(&mut openssl)?;
        let signature = BASE64URL.encode(std::fs::read(signature.path())?);
        Ok(format!("{message}.{signature}"))
    }
}
