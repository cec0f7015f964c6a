//! Another mutating webhook comes after ours, adds a container, puts another ahead of ours and writes over the pod's
//! identity: ours is called again.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::process::{self, wait_until};
use crate::{spark, workload};

/// Sorts after ours, and so is called after it.
const CONFIGURATION: &str = "zz-kube2hadoop-e2e-mutator";
const PROGRAM: &str = include_str!("../../spark/mutator.py");
const DEADLINE: Duration = Duration::from_secs(90);

pub(super) fn a_later_webhook_changes_nobodys_user(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    stage
        .provider
        .load_image(&spark::image(stage.no_install)?)?;
    let mutator = Mutator::start(scene)?;
    let reading = "hdfs dfs -ls /user/bob 2>&1; sleep 3600";
    scene.create(&stage.alice, &workload::pod("bare", reading))?;
    scene.create(&stage.alice, &workload::deployment("web", 1, reading))?;
    let pods = [scene.get("pod", "bare")?, scene.pod_of("app=web")?];
    drop(mutator);
    for pod in &pods {
        let user = annotation(pod, "kube2hadoop.io/user");
        ensure!(user.as_deref() == Some("alice"), "the pod runs as {user:?}");
        let name = text(pod, "/metadata/name");
        ensure!(
            text(pod, "/spec/containers/1/name") == "sidecar",
            "{name} has no sidecar"
        );
        ensure!(
            text(pod, "/spec/initContainers/0/name") == "first",
            "{name} has no other container ahead of ours"
        );
        for container in ["main", "sidecar"] {
            let logs = ["logs", &name, "-c", container, "-n", &scene.namespace];
            let said = wait_until(&format!("{container} of {name} to read"), DEADLINE, || {
                let said = scene.admin().run(&logs).unwrap_or_default();
                Ok(said.contains("/user/bob").then_some(said))
            });
            says(&said?, &["Permission denied: user=alice"])?;
        }
    }
    Ok(())
}

/// The other webhook, registered for the scene's namespace; dropping it takes the registration away.
struct Mutator<'a> {
    scene: &'a Scene<'a>,
}

impl<'a> Mutator<'a> {
    fn start(scene: &'a Scene<'a>) -> Result<Self> {
        let home = scene.another_namespace(false)?;
        let (certificate, key) = certificate(&format!("mutator.{home}.svc"))?;
        let tls =
            json!({"tls.crt": STANDARD.encode(&certificate), "tls.key": STANDARD.encode(key)});
        let metadata = json!({"name": "mutator", "labels": {"app": "mutator"}});
        let mut pod = workload::pod("mutator", "");
        pod["metadata"] = metadata.clone();
        pod["spec"]["containers"][0]["image"] = json!(spark::IMAGE);
        pod["spec"]["containers"][0]["command"] = json!(["/usr/bin/python3", "-c", PROGRAM]);
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "tls", "mountPath": "/tls"}]);
        pod["spec"]["containers"][0]["readinessProbe"] =
            json!({"tcpSocket": {"port": 8443}, "periodSeconds": 1});
        pod["spec"]["volumes"] = json!([{"name": "tls", "secret": {"secretName": "mutator"}}]);
        let service =
            json!({"selector": {"app": "mutator"}, "ports": [{"port": 443, "targetPort": 8443}]});
        for object in [
            json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": tls}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service}),
            pod,
        ] {
            scene.admin().create(&home, &object)?;
        }
        let wait = [
            "wait",
            "--for=condition=Ready",
            "pod/mutator",
            "--timeout=90s",
            "-n",
            &home,
        ];
        scene.admin().run(&wait)?;
        let mutator = Self { scene };
        mutator.remove()?;
        scene
            .admin()
            .apply(&registration(scene, &home, &certificate).to_string())?;
        mutator.seen()?;
        Ok(mutator)
    }

    /// The API server learns of a registration a moment later.
    fn seen(&self) -> Result<()> {
        let probe = workload::labelled(workload::pod("probe", "true"), "disabled");
        let dry = ["--dry-run=server", "-o", "json"];
        wait_until("the other webhook to be called", DEADLINE, || {
            let made = self
                .scene
                .admin()
                .create_with(&self.scene.namespace, &probe, &dry);
            Ok(made
                .ok()
                .filter(|made| made.contains("\"sidecar\""))
                .map(drop))
        })
    }

    fn remove(&self) -> Result<()> {
        let delete = [
            "delete",
            "mutatingwebhookconfiguration",
            CONFIGURATION,
            "--ignore-not-found",
        ];
        self.scene.admin().run(&delete).map(drop)
    }
}

impl Drop for Mutator<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            println!("failed to remove the other webhook: {error:#}");
        }
    }
}

fn registration(scene: &Scene<'_>, home: &str, certificate: &[u8]) -> Value {
    let service = json!({"name": "mutator", "namespace": home});
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [{
            "name": "mutator.e2e.kube2hadoop.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"service": service, "caBundle": STANDARD.encode(certificate)}, "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}},
        }],
    })
}

/// For this host name, signed by itself; the certificate and its key as PEM.
fn certificate(host: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let work = tempfile::tempdir()?;
    let (certificate, key) = (work.path().join("tls.crt"), work.path().join("tls.key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]);
    openssl.args([
        "-subj",
        "/CN=mutator",
        "-addext",
        &format!("subjectAltName=DNS:{host}"),
    ]);
    openssl
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    process::run(&mut openssl)?;
    Ok((fs::read(certificate)?, fs::read(key)?))
}
