//! What people who know kubectl expect of it: nothing of it changes because an annotation is written on the way.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::audit;
use super::scene::{Scene, annotation, says, text};
use crate::workload;

const USER: &str = "kube2hadoop.io/user";
const STAMP: &str = "kube2hadoop.io/stamp";
/// What who impersonates claims as uid.
const CLAIMED: &str = "00000000-0000-4000-8000-000000000000";

pub(super) fn user_of(object: &Value) -> String {
    annotation(&object["spec"]["template"], USER).unwrap_or_default()
}

pub(super) fn stamp_of(object: &Value) -> String {
    annotation(&object["spec"]["template"], STAMP).unwrap_or_default()
}

/// A node ranks pods by what all of their containers request, and a namespace refuses containers above its LimitRange.
pub(super) fn a_pod_keeps_its_quality_of_service_and_its_namespaces_limits(
    scene: &Scene<'_>,
) -> Result<()> {
    let at_most = |cpu| json!({"limits": {"cpu": cpu, "memory": "64Mi"}});
    let (of_pod, of_container) = ("/spec", "/spec/containers/0");
    // Bound as a whole, so that we bring no limit of our own.
    let whole = [(of_pod, at_most("200m"))];
    ranked(scene, "whole", &whole, ["Guaranteed", ""])?;
    let limits = json!({"limits": [{"type": "Container", "max": {"cpu": "500m"}}]});
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits,
    });
    scene.create(&scene.stage.admin, &range)?;
    let small = [(of_container, at_most("200m"))];
    ranked(scene, "guaranteed", &small, ["Guaranteed", "200m"])?;
    ranked(scene, "defaulted", &[], ["Burstable", "500m"])?;
    let both = [of_pod, of_container].map(|holder| (holder, at_most("200m")));
    ranked(scene, "both", &both, ["Guaranteed", "200m"])?;
    // Its container has the range's limit by now.
    let whole = [(of_pod, at_most("1"))];
    ranked(scene, "whole-defaulted", &whole, ["Guaranteed", "500m"])
}

/// Creates a pod with these resources, and compares its quality of service and the init container's limit.
fn ranked(
    scene: &Scene<'_>,
    name: &str,
    bounds: &[(&str, Value)],
    expected: [&str; 2],
) -> Result<()> {
    let mut pod = workload::pod(name, "true");
    for (holder, resources) in bounds {
        if let Some(holder) = pod.pointer_mut(holder) {
            holder["resources"] = resources.clone();
        }
    }
    scene.create(&scene.stage.alice, &pod)?;
    let pod = scene.get("pod", name)?;
    let found = [
        "/status/qosClass",
        "/spec/initContainers/0/resources/limits/cpu",
    ]
    .map(|at| text(&pod, at));
    ensure!(found == expected, "{name} is {found:?}");
    Ok(())
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
    let as_uid = format!("--as-uid={CLAIMED}");
    let as_bob = ["--as=bob@example.com", "--as-group=hadoop-users", &as_uid];
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
    his_name_and_real_uids_are_audited(scene)?;

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

/// Of each request that was made as bob the log has a line, under the uid of the review, which is nobody's to choose:
/// the API server takes no answer that carries another.
fn his_name_and_real_uids_are_audited(scene: &Scene<'_>) -> Result<()> {
    let about = |line: &Value, kind: &str, name: &str| line["kind"] == kind && line["name"] == name;
    let wanted = [("Pod", "his"), ("Job", "his"), ("Pod", "dry")];
    let lines = audit::tells(scene, "what was made as bob", |lines| {
        let told = |(kind, name)| lines.iter().any(|line| about(line, kind, name));
        wanted.into_iter().all(told)
    })?;
    let mut uids = BTreeSet::new();
    for (kind, name) in wanted {
        for line in lines.iter().filter(|line| about(line, kind, name)) {
            ensure!(
                line["submitter"] == "bob@example.com"
                    && line["user"] == "bob"
                    && line["dryRun"] == (name == "dry"),
                "the line about {name} says {line}"
            );
            let uid = text(line, "/uid");
            ensure!(
                uid.len() == CLAIMED.len() && uid != CLAIMED && uids.insert(uid),
                "no uid of a request of its own: {line}"
            );
        }
    }
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
