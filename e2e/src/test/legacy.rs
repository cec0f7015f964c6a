//! Pods of linkedin/kube2hadoop: the namespace's label of old, and the init container that its users write themselves.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::process::wait_until;
use crate::workload;

/// What that project's script does, with bash in place of curl and jq: it asks, without TLS, until there is an answer.
const SCRIPT: &str = r#"
hostport=${KUBE2HADOOP_URI#http://}; path=/${hostport#*/}; hostport=${hostport%%/*}
ask() {
  exec 3<>"/dev/tcp/${hostport%%:*}/${hostport##*:}"
  printf 'GET %s?pod-name=%s&token-kinds=HDFS_DELEGATION_TOKEN&namespace=%s&cluster-name=x HTTP/1.0\r\nhost: x\r\n\r\n' \
    "$path" "$POD_NAME" "$K8SNAMESPACE" >&3
  cat <&3
}
until answer=$(ask) && grep -q Token <<<"$answer"; do echo "$answer"; sleep 1; [ "$SECONDS" -lt 30 ] || exit 2; done
sed -n 's/.*"Token":"\([^"]*\)".*/\1/p' <<<"$answer" | base64 -d > /var/tmp/hdfs-delegation-token
"#;
const READ: &str =
    "hdfs dfs -cat /data/public/greeting; hdfs dfs -ls /user/bob 2>&1 | grep -o 'user=[a-z]*'";

/// What the pod waits for before it reads once more.
const AGAIN: &str = "/var/tmp/again";
const STATE: &str = "/metadata/labels/kube2hadoop.io~1state";

/// The pod works as it did, and what its annotation says of its user counts for nothing.
pub(super) fn a_pod_of_old_works_unchanged(scene: &Scene<'_>) -> Result<()> {
    relabel(scene)?;
    configuration(scene)?;
    let twice = format!("{READ}; until [ -e {AGAIN} ]; do sleep 0.1; done; {READ}");
    scene.create(&scene.stage.alice, &pod_of_old("old", "old", &twice))?;
    scene.running("old")?;
    let made = scene.get("pod", "old")?;
    ensure!(
        annotation(&made, "iddecorator.username").as_deref() == Some("alice"),
        "the annotation says {:?}",
        annotation(&made, "iddecorator.username")
    );
    ensure!(
        made["spec"]["initContainers"].as_array().map(Vec::len) == Some(1),
        "an init container was added"
    );
    let forged = "iddecorator.username=bob";
    let args = [
        "annotate",
        "pod",
        "old",
        "--overwrite",
        forged,
        "-n",
        &scene.namespace,
    ];
    let refusal = scene.stage.alice.run(&args).err();
    let refusal = refusal
        .map(|error| format!("{error:#}"))
        .unwrap_or_default();
    says(&refusal, &["cannot change after it is created"])?;
    // Somebody else's pod, by its name.
    let thief = pod_of_old("thief", "old", READ);
    scene.create(&scene.stage.bob, &thief)?;
    let phase = scene.ended("thief")?;
    ensure!(phase == "Failed", "the thief's pod {phase}");
    let log = ["logs", "thief", "-c", "fetch", "-n", &scene.namespace];
    let log = scene.admin().run(&log)?;
    ensure!(log.contains("address-mismatch"), "the thief was told {log}");
    its_tokens_live_as_long(scene)
}

/// The thief tried for half a minute: tokens of a job none of whose pods was seen would be marked for the end by now.
fn its_tokens_live_as_long(scene: &Scene<'_>) -> Result<()> {
    let ledger = scene.ledger()?;
    let states: Vec<String> = ledger.iter().map(|it| text(it, STATE)).collect();
    ensure!(
        !states.is_empty() && states.iter().all(|state| state == "held"),
        "the tokens of a running pod are {states:?}"
    );
    let go_on = ["exec", "old", "-n", &scene.namespace, "--", "touch", AGAIN];
    scene.stage.alice.run(&go_on)?;
    let said = scene.succeeded("old")?;
    let read = said.matches("hello from HDFS").count();
    ensure!(read == 2 && said.contains("user=alice"), "it read {said}");
    Ok(())
}

/// The label of old in place of today's, once the API server acts by it.
fn relabel(scene: &Scene<'_>) -> Result<()> {
    let labels = ["kube2hadoop.io/inject-", "iddecorator=enabled"];
    let label = [&["label", "namespace", &scene.namespace][..], &labels].concat();
    scene.admin().run(&label)?;
    let dry = ["--dry-run=server", "-o", "json"];
    wait_until("the label to take effect", Duration::from_secs(30), || {
        let pod = workload::pod("probe", "true");
        let made = scene
            .stage
            .alice
            .create_with(&scene.namespace, &pod, &dry)?;
        let made: Value = serde_json::from_str(&made)?;
        Ok(annotation(&made, "iddecorator.username").map(drop))
    })
}

/// The site's configuration, which that project's users bring themselves.
fn configuration(scene: &Scene<'_>) -> Result<()> {
    let hadoop = &scene.stage.hadoop;
    let from = |path: std::path::PathBuf| format!("--from-file={}", path.display());
    let files = [
        from(hadoop.conf_dir().join("core-site.xml")),
        from(hadoop.conf_dir().join("hdfs-site.xml")),
        format!("--from-file=krb5.conf={}", hadoop.krb5_conf().display()),
    ];
    let mut args = vec!["create", "configmap", "hadoop-conf", "-n", &scene.namespace];
    args.extend(files.iter().map(String::as_str));
    scene.stage.alice.run(&args).map(drop)
}

/// A pod that asks for the token of the pod `of`, and runs the script with it.
fn pod_of_old(name: &str, of: &str, script: &str) -> Value {
    let mut pod = workload::pod(name, script);
    pod["metadata"]["annotations"] = json!({"iddecorator.username": "bob"});
    let spec = &mut pod["spec"];
    let mut fetch = spec["containers"][0].clone();
    fetch["name"] = json!("fetch");
    fetch["command"] = json!(["/bin/bash", "-euc", SCRIPT]);
    fetch["env"] = json!([
        {"name": "K8SNAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "POD_NAME", "value": of},
        {"name": "KUBE2HADOOP_URI", "value": "http://kube2hadoop-fetcher.kube2hadoop:9966/getDelegationToken"},
    ]);
    let tokens = json!({"name": "tokens", "mountPath": "/var/tmp"});
    fetch["volumeMounts"] = json!([tokens]);
    spec["initContainers"] = json!([fetch]);
    spec["containers"][0]["env"] = json!([
        {"name": "HADOOP_TOKEN_FILE_LOCATION", "value": "/var/tmp/hdfs-delegation-token"},
        {"name": "HADOOP_CONF_DIR", "value": "/etc/hadoop-conf"},
    ]);
    spec["containers"][0]["volumeMounts"] = json!([
        tokens,
        {"name": "conf", "mountPath": "/etc/hadoop-conf"},
        {"name": "conf", "mountPath": "/etc/krb5.conf", "subPath": "krb5.conf"},
    ]);
    spec["volumes"] = json!([
        {"name": "tokens", "emptyDir": {"medium": "Memory"}},
        {"name": "conf", "configMap": {"name": "hadoop-conf"}},
    ]);
    pod
}
