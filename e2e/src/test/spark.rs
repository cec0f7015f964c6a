//! Spark's own way of making pods: a driver that has its executors made by its own credential.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scene::{Scene, annotation, says, text};
use crate::kubectl::Kubectl;
use crate::{process, spark, workload};

const USER: &str = "kube2hadoop.io/user";
/// Six Java machines on two cores: none of them lives long enough for a better compiler to pay.
const QUICK: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";
const DEADLINE: Duration = Duration::from_secs(400);

/// Submitted from a person's own machine in cluster mode, and from a pod of hers in client mode. Neither is told
/// anything of Hadoop but the paths of its files.
pub(super) fn drivers_and_executors_are_the_submitters(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    let home = spark::home(stage.no_install)?;
    stage
        .provider
        .load_image(&spark::image(stage.no_install)?)?;
    scene.service_account("spark", &[])?;
    spark_role(scene)?;
    let directory = format!("/user/alice/{}", scene.namespace);
    stage.hadoop.hdfs("alice", &["-mkdir", &directory])?;
    let source = tempfile::NamedTempFile::new()?;
    std::fs::write(source.path(), "to be or not to be\nthat is the question\n")?;
    let words = format!("{directory}/words");
    let local = source.path().display().to_string();
    stage.hadoop.hdfs("alice", &["-put", &local, &words])?;

    let targets = ["client", "cluster"].map(|mode| format!("{directory}/{mode}"));
    scene.create(&stage.alice, &client(scene, &words, &targets[0]))?;
    let proxy = Proxy::start(&stage.alice)?;
    let mut submit = Command::new(home.join("bin/spark-submit"));
    submit
        .env("SPARK_HOME", &home)
        .env("KUBERNETES_AUTH_TRYKUBECONFIG", "false");
    submit.args([
        "--master",
        &format!("k8s://{}", proxy.url),
        "--deploy-mode",
        "cluster",
    ]);
    submit
        .args(settings(scene))
        .args([spark::WORDS, &words, &targets[1]]);
    process::run(&mut submit).context("spark-submit in cluster mode")?;

    let driver = scene.pod_of("spark-role=driver")?;
    let name = text(&driver, "/metadata/name");
    ensure!(
        scene.ended_within(&name, DEADLINE)? == "Succeeded",
        "the driver {name} failed"
    );
    let said = scene
        .admin()
        .run(&["logs", "-n", &scene.namespace, &name])?;
    says(&said, &["counted 8 words"])?;
    scene.ended_within("client", DEADLINE)?;
    says(&scene.succeeded("client")?, &["counted 8 words"])?;
    let executors = scene.pods("spark-role=executor")?;
    ensure!(
        executors.len() == 4,
        "there were {} executors",
        executors.len()
    );
    for pod in executors
        .iter()
        .chain([&driver, &scene.get("pod", "client")?])
    {
        for (key, value) in [
            (USER, "alice"),
            ("kube2hadoop.io/submitter", "alice@example.com"),
        ] {
            let found = annotation(pod, key);
            ensure!(
                found.as_deref() == Some(value),
                "{} has {key} {found:?}",
                pod["metadata"]["name"]
            );
        }
    }
    for target in &targets {
        let part = format!("{target}/part-00000");
        let owners = stage.hadoop.hdfs("hdfs", &["-stat", "%u", target, &part])?;
        ensure!(
            owners.split_whitespace().all(|owner| owner == "alice"),
            "{target} belongs to {owners}"
        );
    }
    Ok(())
}

/// What Spark's documentation has drivers hold.
fn spark_role(scene: &Scene<'_>) -> Result<()> {
    let metadata = json!({"name": "spark", "namespace": scene.namespace});
    let (group, api) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
    let resources = ["pods", "services", "configmaps", "persistentvolumeclaims"];
    let rules = json!([{"apiGroups": [""], "resources": resources, "verbs": ["*"]}]);
    let role = json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules});
    scene.admin().apply(&role.to_string())?;
    let binding = json!({
        "apiVersion": api, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "spark"},
        "subjects": [{"kind": "ServiceAccount", "name": "spark", "namespace": scene.namespace}],
    });
    scene.admin().apply(&binding.to_string())
}

/// What every Spark on Kubernetes is told, and what makes this one small.
fn settings(scene: &Scene<'_>) -> Vec<String> {
    let namespace = scene.namespace.as_str();
    [
        ("spark.kubernetes.namespace", namespace),
        ("spark.kubernetes.container.image", spark::IMAGE),
        ("spark.kubernetes.container.image.pullPolicy", "Never"),
        (
            "spark.kubernetes.authenticate.driver.serviceAccountName",
            "spark",
        ),
        ("spark.executor.instances", "2"),
        ("spark.executor.memory", "512m"),
        ("spark.driver.memory", "512m"),
        ("spark.kubernetes.driver.request.cores", "100m"),
        ("spark.kubernetes.executor.request.cores", "100m"),
        ("spark.ui.enabled", "false"),
        ("spark.driver.extraJavaOptions", QUICK),
        ("spark.executor.extraJavaOptions", QUICK),
        // Both executors are there before the work begins, and to look at after it.
        ("spark.scheduler.minRegisteredResourcesRatio", "1.0"),
        ("spark.scheduler.maxRegisteredResourcesWaitingTime", "120s"),
        ("spark.kubernetes.executor.deleteOnTermination", "false"),
        // The case waits by itself: an API server on an old etcd refuses the watch that Spark makes.
        ("spark.kubernetes.submission.waitAppCompletion", "false"),
    ]
    .iter()
    .flat_map(|(key, value)| ["--conf".to_owned(), format!("{key}={value}")])
    .collect()
}

/// Alice's pod, which is the driver itself.
fn client(scene: &Scene<'_>, source: &str, target: &str) -> Value {
    let mut pod = workload::pod("client", "");
    let mut command: Vec<String> = [
        "/opt/spark/bin/spark-submit",
        "--master",
        "k8s://https://kubernetes.default.svc",
        "--deploy-mode",
        "client",
        "--conf",
        "spark.driver.host=$(POD_IP)",
        "--conf",
        "spark.kubernetes.driver.pod.name=client",
    ]
    .map(str::to_owned)
    .to_vec();
    command.extend(settings(scene));
    command.extend([
        spark::WORDS.replace("local://", ""),
        source.to_owned(),
        target.to_owned(),
    ]);
    pod["spec"]["serviceAccountName"] = json!("spark");
    pod["spec"]["containers"][0]["image"] = json!(spark::IMAGE);
    pod["spec"]["containers"][0]["command"] = json!(command);
    let address = json!({"fieldRef": {"fieldPath": "status.podIP"}});
    pod["spec"]["containers"][0]["env"] = json!([{"name": "POD_IP", "valueFrom": address}]);
    pod
}

/// `kubectl proxy` as one of the people: Spark's Java reads no certificate with a key on a curve.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn start(who: &Kubectl) -> Result<Self> {
        let mut kubectl = who.command();
        kubectl.args(["proxy", "--port=0"]).stdout(Stdio::piped());
        let mut child = kubectl.spawn()?;
        let output = child.stdout.take().context("kubectl proxy has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        let url = format!("http://{address}");
        Ok(Self { child, url })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
