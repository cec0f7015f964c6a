//! Credentials that an attacker can come by: of service accounts, of other pods, of pods that are gone.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::kubectl::Kubectl;
use crate::process::{self, wait_until};
use crate::{places, workload};

const USER: &str = "kube2hadoop.io/user";
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// A pod that asks by its own label, so that nobody is told why.
fn asking(name: &str) -> Value {
    workload::labelled(workload::pod(name, "true"), "enabled")
}

/// The test bench maps service accounts named robot. Of a namespace in scope, every editor could be it.
pub(super) fn a_mapped_service_account_of_the_namespace(scene: &Scene<'_>) -> Result<()> {
    let home = scene.namespace.as_str();
    scene.service_account("robot", &["edit"])?;
    let robot = format!("system:serviceaccount:{home}:robot");
    let told = [
        robot.as_str(),
        "is a service account of a namespace in scope",
        "submit as yourself",
    ];

    let alice = &scene.stage.alice;
    let mapped_as = format!("--as={robot}");
    let impersonated = alice.create_with(home, &asking("robots"), &[&mapped_as]);
    let refusal = impersonated
        .err()
        .context("alice is etl by impersonation")?;
    says(&format!("{refusal:#}"), &told)?;

    let minted = scene.minted(home, "robot")?;
    says(&scene.refused(&minted, &asking("robots"))?, &told)?;

    let legacy = scene.bearer(&legacy_token(scene)?)?;
    says(&scene.refused(&legacy, &asking("robots"))?, &told)?;

    // The credential of a pod that is not injected: never taken for its service account's.
    let unstamped = pod_token(scene, "disabled", "robot")?;
    let refusal = scene.refused(&scene.bearer(&unstamped)?, &asking("robots"))?;
    says(&refusal, &["the pod that asks has no valid stamp"])?;

    // A person who uses the service account in a pod of her own is still herself.
    let mut pod = asking("hers");
    pod["spec"]["serviceAccountName"] = json!("robot");
    scene.create(alice, &pod)?;
    let made = scene.get("pod", "hers")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("alice"),
        "alice's pod runs as {:?}",
        annotation(&made, USER)
    );
    // Where nobody else may edit, the mapping holds.
    let outside = scene.another_namespace(false)?;
    scene.service_account_of(&outside, "robot", &["edit"])?;
    let robot = scene.minted(&outside, "robot")?;
    scene.create(&robot, &asking("robots"))?;
    let made = scene.get("pod", "robots")?;
    ensure!(
        annotation(&made, USER).as_deref() == Some("etl"),
        "the robot's pod runs as {:?}",
        annotation(&made, USER)
    );
    Ok(())
}

/// The token of a Secret that alice makes, which the controller fills.
fn legacy_token(scene: &Scene<'_>) -> Result<String> {
    let account = json!({"kubernetes.io/service-account.name": "robot"});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "legacy", "annotations": account},
    });
    scene.create(&scene.stage.alice, &secret)?;
    let get = ["get", "secret", "legacy", "-n", &scene.namespace];
    let token = wait_until("the legacy token", DEADLINE, || {
        let secret = scene.stage.alice.json(&get)?;
        Ok(secret["data"]["token"].as_str().map(str::to_owned))
    })?;
    let token = base64::engine::general_purpose::STANDARD.decode(token)?;
    Ok(String::from_utf8(token)?)
}

/// The API token that the kubelet gave a running pod of alice's.
fn pod_token(scene: &Scene<'_>, inject: &str, account: &str) -> Result<String> {
    let name = format!("holder-{inject}");
    let script = "cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; sleep 3600";
    let mut pod = workload::labelled(workload::pod(&name, script), inject);
    pod["spec"]["serviceAccountName"] = json!(account);
    scene.create(&scene.stage.alice, &pod)?;
    scene.running(&name)?;
    printed(scene, &name)
}

fn printed(scene: &Scene<'_>, pod: &str) -> Result<String> {
    wait_until("the pod's token", DEADLINE, || {
        let line = scene.logs(pod)?;
        Ok(Some(line.trim().to_owned()).filter(|token| !token.is_empty()))
    })
}

/// A notebook's own credential: what it submits is its user's, and that Job's pods read HDFS.
pub(super) fn what_a_pod_submits_is_its_users(scene: &Scene<'_>) -> Result<()> {
    scene.service_account("notebook", &["edit"])?;
    let notebook = scene.bearer(&pod_token(scene, "enabled", "notebook")?)?;
    scene.create(
        &notebook,
        &workload::job(
            "submitted",
            "hdfs dfs -ls /user/alice && hdfs dfs -ls /user/bob 2>&1 || true",
        ),
    )?;
    let pod = scene.pod_of_job("submitted")?;
    for (key, value) in [
        (USER, "alice"),
        ("kube2hadoop.io/submitter", "alice@example.com"),
    ] {
        ensure!(
            annotation(&pod, key).as_deref() == Some(value),
            "{key} is {:?}",
            annotation(&pod, key)
        );
    }
    let said = scene.succeeded(&text(&pod, "/metadata/name"))?;
    says(&said, &["Permission denied: user=alice"])?;
    // All of it is one job: its pods hold one set of tokens.
    let mut jobs: Vec<_> = scene
        .ledger()?
        .iter()
        .filter_map(|record| annotation(record, "kube2hadoop.io/job"))
        .collect();
    jobs.dedup();
    ensure!(jobs.len() == 1, "there are tokens of {jobs:?}");

    let mut spy = asking("spy");
    spy["metadata"]["annotations"] = json!({"kube2hadoop.io/run-as": "bob"});
    says(&scene.refused(&notebook, &spy)?, &["run-as"])?;
    // With the pod its credential goes, and with it what it could submit.
    scene.delete_pod(&scene.stage.alice, "holder-enabled")?;
    let refusal = scene.refused(&notebook, &asking("late"))?;
    says(&refusal, &["Unauthorized"]).or_else(|_| says(&refusal, &["has no valid stamp"]))?;
    Ok(())
}

pub(super) fn bearers_of_other_and_ended_pods(scene: &Scene<'_>) -> Result<()> {
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
                answer.status == 401 || answer.status == 403,
                "a token {what} is answered {}",
                answer.status
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
        late.status == 401 || late.status == 403,
        "a token of a pod that is gone: {} {}",
        late.status,
        late.body
    );
    Ok(())
}

impl Scene<'_> {
    /// The token of our audience that a running pod of alice's prints: whoever asks for one in a pod of their own gets it
    /// from the kubelet.
    pub(super) fn talker(&self, name: &str) -> Result<String> {
        let mut pod = workload::pod(name, "cat /own/token; echo; sleep 3600");
        let source = json!({"serviceAccountToken": {"audience": "kube2hadoop", "path": "token"}});
        pod["spec"]["volumes"] = json!([{"name": "own", "projected": {"sources": [source]}}]);
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "own", "mountPath": "/own"}]);
        self.create(&self.stage.alice, &pod)?;
        self.running(name)?;
        printed(self, name)
    }
}

/// Signs as the cluster does, so that what is wrong with a token is its claims alone.
struct Forge {
    key: PathBuf,
    header: String,
    claims: Value,
}

impl Forge {
    /// None where the cluster's key is not on this machine.
    fn of(token: &str) -> Result<Option<Self>> {
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

    fn sign(&self, claims: &Value) -> Result<String> {
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

/// It shares the node's address with every other such pod: an address proves nothing.
pub(super) fn a_pod_on_the_host_network(scene: &Scene<'_>) -> Result<()> {
    let script = "hdfs dfs -ls /user/alice && hdfs dfs -ls /user/bob 2>&1 || true";
    let on_host = |who: &Kubectl, name: &str, script: &str| {
        let mut pod = workload::pod(name, script);
        pod["spec"]["hostNetwork"] = json!(true);
        pod["spec"]["dnsPolicy"] = json!("ClusterFirstWithHostNet");
        scene.create(who, &pod)
    };
    on_host(&scene.stage.bob, "bobs", "sleep 3600")?;
    scene.running("bobs")?;
    on_host(&scene.stage.alice, "hers", script)?;
    says(
        &scene.succeeded("hers")?,
        &["Permission denied: user=alice"],
    )
}

/// Each writes their own name into the code: whoever's name is there last is who answers for it.
pub(super) fn two_users_racing_on_one_workload(scene: &Scene<'_>) -> Result<()> {
    let people = [("alice", &scene.stage.alice), ("bob", &scene.stage.bob)];
    let mut web = workload::deployment("web", 0, "true");
    web["spec"]["revisionHistoryLimit"] = json!(50);
    scene.create(&scene.stage.alice, &web)?;
    let namespace = scene.namespace.as_str();
    std::thread::scope(|scope| {
        let writers = people.map(|(name, who)| {
            scope.spawn(move || {
                (0..8).try_for_each(|turn| {
                    let value = format!("AUTHOR={name}-{turn}");
                    let set = ["set", "env", "deployment/web", &value, "-n", namespace];
                    who.run(&set).map(drop)
                })
            })
        });
        writers.into_iter().try_for_each(|writer| {
            writer
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a writer panicked"))
        })
    })?;
    let get = ["get", "deployments,replicasets", "-n", &scene.namespace];
    let all = scene.admin().json(&get)?;
    let mut seen = 0;
    for object in all["items"].as_array().into_iter().flatten() {
        let template = &object["spec"]["template"];
        let author = text(template, "/spec/containers/0/env/0/value");
        if author.is_empty() {
            continue;
        }
        let user = annotation(template, USER).unwrap_or_default();
        ensure!(
            author.starts_with(&user) && !user.is_empty(),
            "{author} runs as {user:?}"
        );
        seen += 1;
    }
    ensure!(seen > 1, "nobody's change is there");
    Ok(())
}
