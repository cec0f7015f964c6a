//! Tokens live no longer than their job; that they live as long is seen in the worst case, among the faults.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube2hadoop_client::credentials::{Credentials, Token};
use serde_json::json;

use super::scene::{Scene, says, text};
use super::silent::SilentNode;
use crate::process::wait_until;
use crate::workload;

/// The fetcher's grace, the time until a marked record is cancelled, and a busy machine.
const CANCELLED: Duration = Duration::from_secs(120);
/// The fetcher believes for ten seconds that Hadoop knows a token, and its replicas tell each other within two. That is
/// less than the next renewal takes to come, by which it would hear of it, too.
const MISSED: Duration = Duration::from_secs(20);

/// Whoever kept a copy of an ended pod's token has nothing, nor have those of a namespace that was deleted; and a job
/// one of whose pods cancelled the token that all share gets another one.
pub(super) fn tokens_end_with_their_job_and_not_by_one_pod(scene: &Scene<'_>) -> Result<()> {
    let node = SilentNode::up(scene)?;
    scene.create(&scene.stage.alice, &node.job("mates", 2))?;
    let mates = scene.silent_tokens(&node, 2)?;
    let first = shared_by(scene, &mates)?.context("the mates do not share")?;
    cancel_by_itself(scene, &first)?;
    let second = wait_until("the cancelled token to be missed", MISSED, || {
        Ok(shared_by(scene, &mates)?.filter(|second| *second != first))
    })?;
    ensure!(works(scene, &second)?, "the new token does not work");
    wait_until("those to be told who have the old one", MISSED, || {
        let told = ["get", "events", "-n", &scene.namespace];
        Ok(scene
            .admin()
            .run(&told)?
            .contains("TokenLost")
            .then_some(()))
    })?;

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

/// The HDFS token that the fetcher gives these pods, if it is one.
fn shared_by(scene: &Scene<'_>, bearers: &[String]) -> Result<Option<Token>> {
    let tokens = bearers.iter().map(|bearer| tokens_of(scene, bearer));
    let tokens: Vec<Token> = tokens.collect::<Result<_>>()?;
    let first = tokens
        .first()
        .filter(|first| tokens.iter().all(|it| it == *first));
    Ok(first.cloned())
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
