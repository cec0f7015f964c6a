//! What people who know kubectl expect of it: nothing of it changes because an annotation is written on the way.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";
const DEADLINE: Duration = Duration::from_secs(60);

fn user_of(object: &Value) -> String {
    annotation(&object["spec"]["template"], USER).unwrap_or_default()
}

fn stamp_of(object: &Value) -> String {
    annotation(&object["spec"]["template"], STAMP).unwrap_or_default()
}

/// As a GitOps tool does it all day long.
pub(super) fn applying_again_changes_nothing(scene: &Scene<'_>) -> Result<()> {
    let namespace = scene.namespace.as_str();
    let alice = &scene.stage.alice;
    for (name, how) in [
        ("client", [].as_slice()),
        (
            "server",
            &["--server-side", "--field-manager=argocd-controller"],
        ),
    ] {
        let manifest = workload::deployment(name, 0, "true").to_string();
        let run = |verb: &str, more: &[&str]| {
            let args = [&[verb, "-n", namespace, "-f", "-"], how, more].concat();
            alice.run_with_input(&args, &manifest)
        };
        run("apply", &[])?;
        let first = scene.get("deployment", name)?;
        ensure!(
            user_of(&first) == "alice",
            "{name} runs as {}",
            user_of(&first)
        );
        let diff = run("diff", &[])?;
        ensure!(diff.is_empty(), "kubectl diff {how:?} prints:\n{diff}");
        run("apply", &["--dry-run=server"])?;
        run("apply", &[])?;
        let second = scene.get("deployment", name)?;
        ensure!(
            first["metadata"]["generation"] == second["metadata"]["generation"]
                && stamp_of(&first) == stamp_of(&second),
            "applied again {how:?}, it is another"
        );
        // The same code from somebody else is still hers.
        let args = [&["apply", "-n", namespace, "-f", "-"], how].concat();
        scene.stage.bob.run_with_input(&args, &manifest)?;
        let third = scene.get("deployment", name)?;
        ensure!(
            stamp_of(&third) == stamp_of(&first),
            "bob applied it again, and it is {}'s",
            user_of(&third)
        );
        let mut replaced = workload::deployment(name, 0, "true");
        replaced["metadata"]["labels"] = json!({"by": "replace"});
        let replace = ["replace", "-n", namespace, "-f", "-"];
        scene
            .stage
            .bob
            .run_with_input(&replace, &replaced.to_string())?;
        let fourth = scene.get("deployment", name)?;
        ensure!(
            stamp_of(&fourth) == stamp_of(&first),
            "a replace lost the stamp"
        );
    }
    Ok(())
}

pub(super) fn impersonation_and_questions(scene: &Scene<'_>) -> Result<()> {
    let admin = scene.admin();
    let as_bob = ["--as=bob@example.com", "--as-group=hadoop-users"];
    let namespace = scene.namespace.as_str();
    for object in [workload::pod("his", "true"), workload::job("his", "true")] {
        admin.create_with(namespace, &object, &as_bob)?;
    }
    let pod = scene.get("pod", "his")?;
    let job = scene.get("job", "his")?;
    for made in [&pod, &job["spec"]["template"]] {
        ensure!(
            annotation(made, USER).as_deref() == Some("bob"),
            "not bob's: {}",
            made["metadata"]
        );
        let submitter = annotation(made, "kube2hadoop.io/submitter");
        ensure!(
            submitter.as_deref() == Some("bob@example.com"),
            "submitted by {submitter:?}"
        );
    }
    let mut dry = as_bob.to_vec();
    dry.extend(["--dry-run=server", "-o", "json"]);
    let dry = admin.create_with(namespace, &workload::pod("dry", "true"), &dry)?;
    says(
        &dry,
        &[
            "\"kube2hadoop.io/user\": \"bob\"",
            "\"kube2hadoop.io/injected\": \"true\"",
        ],
    )?;

    let may = |who: &str| {
        let question = [
            "auth",
            "can-i",
            "use",
            "hadoopusers.kube2hadoop.io/etl-night",
            "-n",
            namespace,
        ];
        let answer = admin
            .command()
            .args(question)
            .args(["--as", who])
            .output()?;
        let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let warned = String::from_utf8_lossy(&answer.stderr).into_owned();
        // That kubectl does not know the resource, and so asks for another.
        ensure!(
            !warned.contains("doesn't have a resource type"),
            "kubectl auth can-i says: {warned}"
        );
        anyhow::Ok(said)
    };
    ensure!(
        may("alice@example.com")? == "no",
        "alice may use what nobody granted"
    );
    scene.grant("use", "hadoopusers.kube2hadoop.io/etl-night")?;
    ensure!(
        may("alice@example.com")? == "yes",
        "alice may not use what she was granted"
    );
    ensure!(
        may("bob@example.com")? == "no",
        "bob may use what alice was granted"
    );
    Ok(())
}

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
    Ok(())
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

pub(super) fn a_list_and_generated_names(scene: &Scene<'_>) -> Result<()> {
    let generated = |mut object: Value, prefix: &str| {
        object["metadata"] = json!({"generateName": prefix, "labels": {"from": "list"}});
        object
    };
    let read = "hdfs dfs -ls /user/alice";
    let items = [
        generated(workload::pod("", read), "pod-"),
        generated(workload::job("", read), "job-"),
        workload::deployment("web", 0, "true"),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    scene.create(&scene.stage.alice, &list)?;
    ensure!(
        user_of(&scene.get("deployment", "web")?) == "alice",
        "the Deployment in a List is not stamped"
    );
    let pod = scene.pod_of("from=list")?;
    let jobs = scene
        .admin()
        .json(&["get", "jobs", "-l", "from=list", "-n", &scene.namespace])?;
    let of_job = scene.pod_of_job(&text(&jobs, "/items/0/metadata/name"))?;
    for pod in [&pod, &of_job] {
        ensure!(
            annotation(pod, USER).as_deref() == Some("alice"),
            "not alice's: {}",
            pod["metadata"]
        );
        scene.succeeded(&text(pod, "/metadata/name"))?;
    }
    Ok(())
}
