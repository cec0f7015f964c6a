//! Tokens live no longer than their job; that they live as long is seen in the worst case, among the faults.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube2hadoop_client::credentials::{Credentials, Token};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use super::silent::SilentNode;
use crate::process::wait_until;
use crate::workload;

const JOB: &str = "kube2hadoop.io/job";
/// The fetcher's grace, the time until a marked record is cancelled, and a busy machine.
const CANCELLED: Duration = Duration::from_secs(120);
/// The next renewal, which is when the fetcher hears that a token is gone.
const RENEWED: Duration = Duration::from_secs(100);

/// Whoever kept a copy of an ended pod's token has nothing, nor have those of a namespace that was deleted; and a job
/// one of whose pods cancelled the token that all share gets another one.
pub(super) fn tokens_end_with_their_job_and_not_by_one_pod(scene: &Scene<'_>) -> Result<()> {
    let node = SilentNode::up(scene)?;
    scene.create(&scene.stage.alice, &node.job("mates", 1))?;
    let mate = scene.silent_tokens(&node, 1)?.remove(0);
    let first = tokens_of(scene, &mate)?;
    cancel_by_itself(scene, &first)?;

    let script = "base64 -w0 $HADOOP_TOKEN_FILE_LOCATION";
    scene.create(&scene.stage.alice, &workload::pod("owner", script))?;
    let elsewhere = scene.another_namespace(true)?;
    let alice = &scene.stage.alice;
    let mut stays = workload::pod("stays", "sleep 3600");
    stays["spec"]["terminationGracePeriodSeconds"] = json!(0);
    alice.create(&elsewhere, &stays)?;
    wait_until("tokens of the other namespace", CANCELLED, || {
        Ok((scene.ledger_of(&elsewhere)?.len() == 2).then_some(()))
    })?;
    let delete = ["delete", "namespace", &elsewhere, "--wait=false"];
    scene.admin().run(&delete)?;
    let copy = scene.succeeded("owner")?;
    let owner = text(&scene.get("pod", "owner")?, "/metadata/uid");

    wait_until("the cancelled token to be missed", RENEWED, || {
        let of_mates =
            |record: &Value| annotation(record, JOB).is_some_and(|it| it.ends_with("/mates"));
        Ok((scene.ledger()?.into_iter().filter(of_mates).count() < 2).then_some(()))
    })?;
    let second = tokens_of(scene, &mate)?;
    ensure!(second != first, "the job gets the cancelled token again");
    ensure!(works(scene, &second)?, "the new token does not work");
    let told = ["get", "events", "-n", &scene.namespace];
    says(&scene.admin().run(&told)?, &["TokenLost"])?;
    wait_until("the ledger to forget both", CANCELLED, || {
        let of_owner = scene
            .ledger()?
            .iter()
            .any(|it| it.to_string().contains(&owner));
        Ok((!of_owner && scene.ledger_of(&elsewhere)?.is_empty()).then_some(()))
    })?;
    let copy = STANDARD.decode(copy.trim())?;
    ensure!(!works(scene, &hdfs_token(&copy)?)?, "the copy still works");
    scene.end_silent_pods()
}

/// The HDFS token that the fetcher gives this pod.
fn tokens_of(scene: &Scene<'_>, bearer: &str) -> Result<Token> {
    let answer = scene.stage.ask_fetcher(bearer)?;
    ensure!(answer.status == 200, "refused: {}", answer.body);
    let file = text(&serde_json::from_str(&answer.body)?, "/credentials");
    hdfs_token(&STANDARD.decode(file)?)
}

fn hdfs_token(file: &[u8]) -> Result<Token> {
    let file = Credentials::parse(file)?;
    let mut tokens = file.tokens().map(|(_, token)| token);
    let hdfs = tokens.find(|token| token.kind() == "HDFS_DELEGATION_TOKEN");
    hdfs.cloned().context("there is no token for HDFS")
}

/// As any pod of a job can, with nothing but the token.
fn cancel_by_itself(scene: &Scene<'_>, token: &Token) -> Result<()> {
    let text = token.to_url_string();
    let query = format!(
        "op=CANCELDELEGATIONTOKEN&token={0}&delegation={0}",
        text.expose()
    );
    let (status, body) = scene.stage.hadoop.with_token("PUT", &query)?;
    ensure!(status == 200, "{status}: {body}");
    ensure!(!works(scene, token)?, "a cancelled token works");
    Ok(())
}

/// Whether HDFS knows who has the token.
fn works(scene: &Scene<'_>, token: &Token) -> Result<bool> {
    let text = token.to_url_string();
    let query = format!("op=GETHOMEDIRECTORY&delegation={}", text.expose());
    let (status, body) = scene.stage.hadoop.with_token("GET", &query)?;
    if status != 200 {
        says(&body, &["can't be found in cache"])?;
    }
    Ok(status == 200)
}
