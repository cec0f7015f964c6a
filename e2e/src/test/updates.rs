//! Changes of a workload: who changes the code answers for it, and nothing else changes hands.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::expectations::{stamp_of, user_of};
use super::scene::{Scene, annotation, says, text};
use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::workload;

const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn only_code_changes_the_user(scene: &Scene<'_>) -> Result<()> {
    let (alice, bob) = (&scene.stage.alice, &scene.stage.bob);
    scene.create(alice, &workload::deployment("web", 0, "true"))?;
    let first = scene.get("deployment", "web")?;
    let run = |who: &Kubectl, args: &[&str]| {
        let args = [args, &["-n", &scene.namespace]].concat();
        who.run(&args)
    };
    let pause = json!({"spec": {"minReadySeconds": 1}, "metadata": {"annotations": {"note": "x"}}})
        .to_string();
    for args in [
        ["scale", "deployment/web", "--replicas=1"].as_slice(),
        &["label", "deployment/web", "color=red"],
        &["patch", "deployment/web", "--type=merge", "-p", &pause],
        &["scale", "deployment/web", "--replicas=0"],
        &["rollout", "restart", "deployment/web"],
    ] {
        run(bob, args)?;
        let now = scene.get("deployment", "web")?;
        ensure!(
            stamp_of(&now) == stamp_of(&first),
            "kubectl {args:?} made it {}'s",
            user_of(&now)
        );
    }
    // Whatever the way in which code comes, it is its author's.
    let image = |image: &str| {
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}})
            .to_string()
    };
    let step = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "b:2"}]).to_string();
    for (who, user, kind, patch) in [
        (bob, "bob", "strategic", image("b:1")),
        (alice, "alice", "strategic", image("a:1")),
        (bob, "bob", "json", step),
    ] {
        let kind = format!("--type={kind}");
        run(who, &["patch", "deployment/web", &kind, "-p", &patch])?;
        let now = scene.get("deployment", "web")?;
        ensure!(
            user_of(&now) == user,
            "{user}'s change by {kind} runs as {}",
            user_of(&now)
        );
    }
    let applied = deployment_of("c:1").to_string();
    let apply = [&APPLY[..], &["-n", &scene.namespace]].concat();
    bob.run_with_input(&apply, &applied)?;
    let now = scene.get("deployment", "web")?;
    ensure!(
        user_of(&now) == "bob",
        "bob's server-side apply runs as {}",
        user_of(&now)
    );
    Ok(())
}

const APPLY: [&str; 5] = ["apply", "--server-side", "--force-conflicts", "-f", "-"];

fn deployment_of(image: &str) -> Value {
    let mut web = workload::deployment("web", 0, "true");
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    web
}

/// An automation that nobody has listed is told so, and changes nothing. A queue that is listed lets a Job go on, and
/// its pods are still its submitter's.
pub(super) fn nobody_takes_a_stamp_away_and_a_queue_keeps_it(scene: &Scene<'_>) -> Result<()> {
    let (alice, stranger) = (&scene.stage.alice, &scene.stage.stranger);
    let namespace = scene.namespace.as_str();
    scene.create(alice, &workload::deployment("web", 0, "true"))?;
    let mut job = workload::job("queued", "hdfs dfs -ls /user/alice");
    job["spec"]["suspend"] = json!(true);
    scene.create(alice, &job)?;
    let stamps = || -> Result<[String; 2]> {
        let web = scene.get("deployment", "web")?;
        Ok([stamp_of(&web), stamp_of(&scene.get("job", "queued")?)])
    };
    let before = stamps()?;

    let told = [
        "this changes what alice@example.com submitted, and would take its Hadoop user alice away",
        "no mapping rule knows the user «stranger@elsewhere.org»",
    ];
    let applied = deployment_of("evil").to_string();
    let image = json!([{"name": "main", "image": "evil"}]);
    let merge = json!({"spec": {"template": {"spec": {"containers": image}}}}).to_string();
    let path = "/spec/template/spec/containers/0/image";
    let step = json!([{"op": "replace", "path": path, "value": "evil"}]).to_string();
    let patch = |kind, patch| ["patch", "deployment/web", kind, "-p", patch];
    let changes = [
        patch("--type=strategic", &merge),
        patch("--type=merge", &merge),
        patch("--type=json", &step),
        APPLY,
    ];
    for args in changes {
        let args = [&args[..], &["-n", namespace]].concat();
        let answer = stranger.run_with_input(&args, &applied);
        let refusal = answer
            .err()
            .with_context(|| format!("the stranger changed it by kubectl {}", args.join(" ")))?;
        says(&format!("{refusal:#}"), &told)?;
    }
    for args in [
        ["scale", "--replicas=1"],
        ["scale", "--replicas=0"],
        ["rollout", "restart"],
    ] {
        stranger.run(&[args[0], args[1], "deployment/web", "-n", namespace])?;
    }
    ensure!(stamps()? == before, "the stranger changed a stamp");

    let jobs = json!({"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "patch"]});
    scene.rule(&jobs, &["queue"])?;
    let admit = |annotation: &str| {
        let metadata = json!({"labels": {"queue": "a"}, "annotations": {annotation: "main"}});
        let selector = json!({"nodeSelector": {"kubernetes.io/os": "linux"}});
        let template = json!({"metadata": metadata, "spec": selector});
        let patch = json!({"spec": {"suspend": false, "template": template}}).to_string();
        let args = [
            "patch",
            "job/queued",
            "--type=merge",
            "-p",
            &patch,
            "-n",
            namespace,
            "--as=queue",
        ];
        scene.admin().run(&args)
    };
    let answer = admit("sidecar.istio.io/inject");
    let refusal = answer.err().context("the queue wrote any annotation")?;
    says(&format!("{refusal:#}"), &[told[0]])?;
    admit("kueue.x-k8s.io/podset")?;
    ensure!(stamps()? == before, "the queue changed a stamp");
    let pod = scene.pod_of_job("queued")?;
    ensure!(
        text(&pod, "/spec/nodeSelector/kubernetes.io~1os") == "linux",
        "the queue's node selector is not there"
    );
    let user = annotation(&pod, "kube2hadoop.io/user");
    ensure!(user.as_deref() == Some("alice"), "its pod runs as {user:?}");
    scene.succeeded(&text(&pod, "/metadata/name")).map(drop)
}

pub(super) fn an_undo_is_its_callers_and_finds_the_old_replica_set(
    scene: &Scene<'_>,
) -> Result<()> {
    let (alice, bob) = (&scene.stage.alice, &scene.stage.bob);
    scene.create(alice, &workload::deployment("web", 0, "true"))?;
    let hash = |user: &str, count: usize| {
        wait_until(
            &format!("{count} ReplicaSets and one of {user}"),
            DEADLINE,
            || {
                let deployment = scene.get("deployment", "web")?;
                let seen = deployment["status"]["observedGeneration"]
                    == deployment["metadata"]["generation"];
                let list =
                    scene
                        .admin()
                        .json(&["get", "rs", "-l", "app=web", "-n", &scene.namespace])?;
                let sets = list["items"].as_array().cloned().unwrap_or_default();
                let now = sets.iter().find(|set| {
                stamp_of(set) == stamp_of(&deployment)
                    && set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                        == deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            });
                ensure!(
                    user_of(&deployment) == user,
                    "it runs as {}",
                    user_of(&deployment)
                );
                ensure!(sets.len() <= count, "there are {} ReplicaSets", sets.len());
                Ok(now
                    .filter(|_| seen && sets.len() == count)
                    .map(|set| text(set, "/metadata/name")))
            },
        )
    };
    let namespace = scene.namespace.as_str();
    let hers = hash("alice", 1)?;
    bob.run(&["set", "env", "deployment/web", "X=1", "-n", namespace])?;
    let his = hash("bob", 2)?;
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    ensure!(
        hash("alice", 2)? == hers,
        "alice's undo made another ReplicaSet"
    );
    bob.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    ensure!(hash("bob", 2)? == his, "bob's undo made another ReplicaSet");
    // To what bob wrote, but by alice: hers, and so a ReplicaSet of its own.
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    hash("alice", 2)?;
    alice.run(&["rollout", "undo", "deployment/web", "-n", namespace])?;
    let third = hash("alice", 3)?;
    ensure!(third != his && third != hers, "alice runs bob's ReplicaSet");
    Ok(())
}

pub(super) fn a_namespace_labelled_late(scene: &Scene<'_>) -> Result<()> {
    let late = scene.another_namespace(false)?;
    let alice = &scene.stage.alice;
    for object in [
        workload::deployment("web", 0, "true"),
        workload::job("batch", "sleep 3600"),
    ] {
        alice.create(&late, &object)?;
    }
    let label = ["label", "namespace", &late, "kube2hadoop.io/inject=enabled"];
    scene.admin().run(&label)?;
    let get = |kind: &str, name: &str| scene.admin().json(&["get", kind, name, "-n", &late]);

    let mut told = String::new();
    // The webhook may learn of the label a moment later.
    wait_until("the label to be seen", DEADLINE, || {
        let restart = ["rollout", "restart", "deployment/web", "-n", &late];
        told = scene.stage.bob.told(&restart)?;
        Ok((user_of(&get("deployment", "web")?) == "bob").then_some(()))
    })?;
    says(
        &told,
        &["this had no valid stamp; it runs as bob from now on"],
    )?;

    let told = alice.told(&["label", "job/batch", "color=red", "-n", &late])?;
    says(
        &told,
        &["a running Job cannot get one: delete it and create it again"],
    )?;
    ensure!(
        user_of(&get("job", "batch")?).is_empty(),
        "a running Job was stamped"
    );
    Ok(())
}
