//! The oldest Hadoop that is supported, 2.7: its NameNode issues, renews and cancels, and clients of both releases
//! read the token file, in an encryption zone whose KMS the NameNode cannot name.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says};
use crate::hadoop::{Client, Release2};
use crate::process::wait_until;
use crate::stage::{NAMESPACE, Outside, Settings};

const ZONE: &str = "/zone";
const LEASE: &str = "kube2hadoop-fetcher-2";
/// Grace, the settling of marked records, and a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

pub(super) fn tokens_from_issue_to_cancellation(scene: &Scene<'_>) -> Result<()> {
    let ledger = scene.another_namespace(false)?;
    rights(scene, &ledger)?;
    let outcome = from_issue_to_cancellation(scene, &ledger);
    for kind in ["role", "rolebinding", "lease"] {
        let one = ["delete", "--ignore-not-found", "-n", NAMESPACE, kind, LEASE];
        scene.admin().run(&one)?;
    }
    outcome
}

fn from_issue_to_cancellation(scene: &Scene<'_>, ledger: &str) -> Result<()> {
    let stage = scene.stage;
    let hadoop = stage.hadoop.release_2()?;
    let outside = stage.fetcher_outside(&Settings {
        conf_dir: hadoop.conf_dir(),
        ledger: ledger.into(),
        lease: LEASE.into(),
    })?;
    let alices = scene.talker("talker")?;
    // One NameNode is on standby, and the other does not answer.
    let waiting = outside.ask(&alices)?;
    ensure!(
        waiting.status == 503,
        "{}: {}",
        waiting.status,
        waiting.body
    );
    says(&waiting.body, &["standby", "nn2.hadoop.test"])?;
    hadoop.make_active()?;
    hadoop.make_zone(ZONE, "alice")?;

    let held = tempfile::tempdir()?;
    let answer = issued(&outside, &alices)?;
    unpack(&answer, held.path())?;
    clients_use(&hadoop, held.path())?;
    let refused = outside.ask(&scene.talker_of(&stage.bob, "bobs")?)?;
    let impersonation = "not allowed to impersonate bob";
    says(&refused.body, &[impersonation])?;
    let right = "hadoop.proxyuser.kube2hadoop.users";
    says(
        &outside.doctor("bob")?,
        &["FAIL  tokens of two: ", impersonation, right],
    )?;
    is_renewed(scene, ledger)?;
    clients_use(&hadoop, held.path())?;
    scene.delete_pod(&stage.alice, "talker")?;
    wait_until("the token to be cancelled", DEADLINE, || {
        Ok(renewed(scene, ledger)?.is_none().then_some(()))
    })?;
    let late = clients_use(&hadoop, held.path())
        .err()
        .context("the token still works")?;
    says(&format!("{late:#}"), &["can't be found in cache"])?;
    each_right_is_told_apart(&hadoop, &outside)
}

/// Which of the proxy user keys keeps a token back.
fn each_right_is_told_apart(hadoop: &Release2, outside: &Outside<'_>) -> Result<()> {
    const FAIL: &str = "FAIL  tokens of two: ";
    // An address of nobody's.
    hadoop.let_act_for(&[("users", "alice"), ("hosts", "192.0.2.1")])?;
    let hosts = "add it to hadoop.proxyuser.kube2hadoop.hosts";
    let refused = "Unauthorized connection for super-user";
    says(&outside.doctor("alice")?, &[FAIL, refused, hosts])?;
    hadoop.let_act_for(&[("groups", "staff"), ("hosts", "*")])?;
    let groups = "or one of their groups to hadoop.proxyuser.kube2hadoop.users or hadoop.proxyuser.kube2hadoop.groups";
    let unknown = "see that the user and the groups are known on its hosts";
    says(
        &outside.doctor("nosuch")?,
        &[FAIL, "not allowed to impersonate nosuch", groups, unknown],
    )
}

/// Its own Lease and its own ledger: the fetchers in the cluster serve another Hadoop.
fn rights(scene: &Scene<'_>, ledger: &str) -> Result<()> {
    let account = "kube2hadoop-fetcher";
    let bound = |namespace: &str, rule: Value| {
        let api = "rbac.authorization.k8s.io/v1";
        let metadata = json!({"name": LEASE, "namespace": namespace});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": LEASE});
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE});
        [
            json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": [rule]}),
            json!({"apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]}),
        ]
    };
    let lease = json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [LEASE], "verbs": ["get", "update"]});
    let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "create", "update", "delete"]});
    let items = [bound(NAMESPACE, lease), bound(ledger, secrets)].concat();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    scene.admin().apply(&list.to_string())
}

fn issued(outside: &Outside<'_>, bearer: &str) -> Result<Value> {
    // The NameNode takes a moment to be active; clients come again, too.
    wait_until("tokens", DEADLINE, || {
        let answer = outside.ask(bearer)?;
        ensure!(
            matches!(answer.status, 200 | 503),
            "{}: {}",
            answer.status,
            answer.body
        );
        let tokens = (answer.status == 200).then(|| serde_json::from_str(&answer.body));
        Ok(tokens.transpose()?)
    })
}

/// The files as a pod gets them.
fn unpack(answer: &Value, to: &Path) -> Result<()> {
    let file = |name: &str, content: &Value| -> Result<()> {
        let content = content.as_str().context("no content")?;
        fs::write(to.join(name), STANDARD.decode(content)?)?;
        Ok(())
    };
    file("tokens", &answer["credentials"])?;
    for (name, content) in answer["conf"].as_object().context("no conf")? {
        file(name, content)?;
    }
    let written = fs::read(to.join("tokens"))?;
    ensure!(
        written.starts_with(b"HDTS\0"),
        "the file is of a version that 2.7 cannot read"
    );
    Ok(())
}

/// Each makes something in the zone as alice, and sees whose it is. The old one cannot close an encrypted file under
/// this JDK; it asks the KMS for its keys.
fn clients_use(hadoop: &Release2, held: &Path) -> Result<()> {
    let held = (held, &*held.join("tokens"));
    for (client, make) in [
        (Client::Same, &["-mkdir", "-p"][..]),
        (Client::Current, &["-touchz"]),
    ] {
        let hdfs = |args: &[&str]| hadoop.hdfs_by_token(client, held, args);
        let path = format!("{ZONE}/{client:?}");
        hdfs(&[make, &[&path]].concat())?;
        let owner = hdfs(&["-stat", "%u", &path])?;
        ensure!(owner.trim() == "alice", "{path} belongs to {owner}");
    }
    says(&hadoop.keys_by_token(held)?, &["secure-zone"])
}

/// When what is kept of the NameNode's tokens was renewed last; none when nothing is kept.
fn renewed(scene: &Scene<'_>, ledger: &str) -> Result<Option<String>> {
    let mut secrets = scene.admin().json(&["get", "secrets", "-n", ledger])?;
    let secrets: Vec<Value> = serde_json::from_value(secrets["items"].take())?;
    let of_namenode =
        |it: &&Value| annotation(it, "kube2hadoop.io/service").as_deref() == Some("two");
    let record = secrets.iter().find(of_namenode);
    Ok(record.and_then(|it| annotation(it, "kube2hadoop.io/renewed")))
}

/// The NameNode ends a token after 15 s that nobody renews.
fn is_renewed(scene: &Scene<'_>, ledger: &str) -> Result<()> {
    let mut last = renewed(scene, ledger)?.context("nothing is kept")?;
    // After the second one the token is older than it would have become by itself.
    for _ in 0..2 {
        last = wait_until("a renewal", DEADLINE, || {
            Ok(renewed(scene, ledger)?.filter(|at| *at != last))
        })?;
    }
    Ok(())
}
