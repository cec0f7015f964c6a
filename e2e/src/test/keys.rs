//! The key that stamps are signed with: changed under way, and taken out.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use super::operations;
use super::scene::{Scene, annotation, says, text};
use crate::process::wait_until;
use crate::stage::NAMESPACE;
use crate::workload;

const SECRET: &str = "kube2hadoop-signing-keys";
const DEADLINE: Duration = Duration::from_secs(120);
/// How long replicas and fetchers have to learn of a key before it signs, at least.
const KNOWN: Duration = Duration::from_secs(28);

/// Pods come and go all the while, old templates keep their stamps, and what is revoked is worth nothing.
pub(super) fn a_rotation_refuses_no_pod_and_a_revocation_its_stamps(
    scene: &Scene<'_>,
) -> Result<()> {
    let alice = &scene.stage.alice;
    scene.create(alice, &workload::deployment("web", 0, "sleep 3600"))?;
    let old = kid(&scene.get("deployment", "web")?["spec"]["template"])?;
    let early = scene.talker("early")?;

    let asked = Instant::now();
    ask(scene, "rotate", "now")?;
    let mut pods = Vec::new();
    let new = wait_until("another key to sign", DEADLINE, || {
        let name = format!("turn-{}", pods.len());
        scene.create(alice, &workload::pod(&name, "true"))?;
        let made = kid(&scene.get("pod", &name)?)?;
        scene.succeeded(&name)?;
        pods.push(name);
        Ok(Some(made).filter(|made| *made != old))
    })?;
    ensure!(
        asked.elapsed() > KNOWN,
        "the key signs before everybody could know it"
    );
    // Whichever replica is asked, and with the old stamp of a template.
    for turn in 0..4 {
        let name = format!("after-{turn}");
        scene.create(alice, &workload::pod(&name, "true"))?;
        let made = kid(&scene.get("pod", &name)?)?;
        ensure!(made == new || made == old, "a third key signs");
        pods.push(name);
    }
    for pod in &pods {
        scene.succeeded(pod)?;
    }
    scale(scene, 1)?;
    let pod = scene.pod_of("app=web")?;
    scene.running(&text(&pod, "/metadata/name"))?;
    let own = scene.stage.ask_fetcher(&early)?;
    ensure!(
        own.status == 200,
        "a retired key's stamp is refused: {}",
        own.body
    );

    scale(scene, 0)?;
    ask(scene, "revoke", &old)?;
    wait_until(
        "the fetcher to refuse the revoked key's stamp",
        DEADLINE,
        || {
            let answer = scene.stage.ask_fetcher(&early)?;
            Ok((answer.status != 200).then_some(answer.body))
                .map(|body| body.filter(|body| body.contains("stamp")))
        },
    )?;
    // Of a template that nobody has submitted since come pods without a token, which say why.
    wait_until("pods of the old template to get no token", DEADLINE, || {
        scale(scene, 1)?;
        let pod = scene.pod_of("app=web")?;
        let why = annotation(&pod, "kube2hadoop.io/skipped");
        if why.is_none() {
            scale(scene, 0)?;
        }
        Ok(why)
    })
    .and_then(|why| says(&why, &["carries no valid stamp", "update or recreate"]))?;
    let restart = [
        "rollout",
        "restart",
        "deployment/web",
        "-n",
        &scene.namespace,
    ];
    says(
        &alice.told(&restart)?,
        &["this had no valid stamp; it runs as alice from now on"],
    )?;
    ensure!(
        kid(&scene.get("deployment", "web")?["spec"]["template"])? == new,
        "not stamped anew"
    );
    operations::nothing_is_forbidden_to_the_services(scene)
}

/// A word in the Secret, as the administrator writes it.
fn ask(scene: &Scene<'_>, what: &str, value: &str) -> Result<()> {
    let patch = json!({"stringData": {what: value}}).to_string();
    let args = ["patch", "secret", SECRET, "-n", NAMESPACE, "-p", &patch];
    scene.admin().run(&args)?;
    wait_until("the webhook to have read it", DEADLINE, || {
        let secret = scene.stage.own("secret", SECRET)?;
        Ok(secret["data"][what].is_null().then_some(()))
    })
}

/// To this many pods, and waits until there are so many.
fn scale(scene: &Scene<'_>, replicas: usize) -> Result<()> {
    let count = format!("--replicas={replicas}");
    let args = ["scale", "deployment/web", &count, "-n", &scene.namespace];
    scene.admin().run(&args)?;
    wait_until("the Deployment to scale", DEADLINE, || {
        Ok((scene.pods("app=web")?.len() == replicas).then_some(()))
    })
}

/// The name of the key that signed the object's stamp.
fn kid(object: &Value) -> Result<String> {
    let stamp = annotation(object, "kube2hadoop.io/stamp").context("it has no stamp")?;
    let header = stamp.split('.').next().unwrap_or_default();
    let header: Value = serde_json::from_slice(&BASE64URL.decode(header)?)?;
    Ok(text(&header, "/kid"))
}
