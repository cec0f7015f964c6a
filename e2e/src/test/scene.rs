//! What a case acts in: a namespace that the admin has labelled, and the people with `edit` in it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::stage::{LEDGER, Stage};

/// How long a pod may take from its creation to its end on two cores that other cases keep busy.
const POD_DEADLINE: Duration = Duration::from_secs(240);

/// Gets a pod its tokens.
pub(super) const INIT_CONTAINER: &str = "kube2hadoop-fetch-token";

/// One case's place on the stage.
pub struct Scene<'a> {
    pub stage: &'a Stage,
    /// Labelled for injection; alice and bob hold ClusterRole `edit` in it.
    pub namespace: String,
}

impl<'a> Scene<'a> {
    /// Opens a new labelled namespace for the case of this name.
    pub fn open(stage: &'a Stage, case: &str) -> Result<Self> {
        let namespace = new_name(case);
        stage.namespace(&namespace, true)?;
        Ok(Self { stage, namespace })
    }

    /// Opens the namespace of this name, as it is or new.
    pub fn named(stage: &'a Stage, namespace: &str) -> Result<Self> {
        stage.namespace(namespace, true)?;
        Ok(Self {
            stage,
            namespace: namespace.to_owned(),
        })
    }

    /// Creates `object` as `who` after deleting what an earlier run left under its name.
    pub fn replace(&self, who: &Kubectl, object: &Value) -> Result<String> {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        who.run(&[
            "delete",
            &kind,
            &name,
            "--ignore-not-found",
            "-n",
            &self.namespace,
        ])?;
        self.create(who, object)
    }

    /// A second namespace of the case, labelled or not; it goes when the scene closes.
    pub fn another_namespace(&self, labelled: bool) -> Result<String> {
        let name = format!("{}-2", self.namespace);
        self.stage.namespace(&name, labelled)?;
        Ok(name)
    }

    pub fn admin(&self) -> &Kubectl {
        &self.stage.admin
    }

    /// Creates `object` in the scene's namespace as `who`.
    pub fn create(&self, who: &Kubectl, object: &Value) -> Result<String> {
        who.create(&self.namespace, object)
    }

    /// Creates `object` as `who` and gives the error that it must end in.
    pub fn refused(&self, who: &Kubectl, object: &Value) -> Result<String> {
        match self.create(who, object) {
            Ok(answer) => bail!("this should have been refused, but: {answer}"),
            Err(error) => Ok(format!("{error:#}")),
        }
    }

    /// One object of the scene's namespace as JSON.
    pub fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.admin()
            .json(&["get", kind, name, "-n", &self.namespace])
    }

    /// The pods of the scene's namespace that the selector chooses.
    pub fn pods(&self, selector: &str) -> Result<Vec<Value>> {
        let list = self
            .admin()
            .json(&["get", "pods", "-n", &self.namespace, "-l", selector])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// The pod made by the Job, once there is one.
    pub fn pod_of_job(&self, job: &str) -> Result<Value> {
        self.pod_of(&format!("batch.kubernetes.io/job-name={job}"))
    }

    /// One pod that the selector chooses, once there is one.
    pub fn pod_of(&self, selector: &str) -> Result<Value> {
        wait_until(&format!("a pod of {selector}"), POD_DEADLINE, || {
            Ok(self.pods(selector)?.into_iter().next())
        })
    }

    /// The ReplicaSet of a Deployment whose pods are labelled `app=<name>`, once there is one.
    pub fn replica_set_of(&self, name: &str) -> Result<Value> {
        let selector = format!("app={name}");
        let get = ["get", "replicasets", "-n", &self.namespace, "-l", &selector];
        wait_until(&format!("a ReplicaSet of {name}"), POD_DEADLINE, || {
            let mut list = self.admin().json(&get)?;
            Ok(list["items"].get_mut(0).map(Value::take))
        })
    }

    /// What the fetcher keeps for jobs of the scene's namespace: one record for each service.
    pub fn ledger(&self) -> Result<Vec<Value>> {
        self.ledger_of(&self.namespace)
    }

    /// The same for another namespace, which an operator selects by its label.
    pub fn ledger_of(&self, namespace: &str) -> Result<Vec<Value>> {
        let selector = format!("kube2hadoop.io/namespace={namespace}");
        let get = ["get", "secrets", "-n", LEDGER, "-l", &selector];
        let secrets = self.admin().json(&get)?;
        Ok(secrets["items"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until the pod has ended and gives its phase: `Succeeded` or `Failed`.
    pub fn ended(&self, pod: &str) -> Result<String> {
        self.ended_within(pod, POD_DEADLINE)
    }

    /// The same for a pod that takes longer than others.
    pub fn ended_within(&self, pod: &str, deadline: Duration) -> Result<String> {
        wait_until(&format!("the end of pod {pod}"), deadline, || {
            let phase = text(&self.get("pod", pod)?, "/status/phase");
            Ok(matches!(phase.as_str(), "Succeeded" | "Failed").then_some(phase))
        })
    }

    /// Deletes the pod at once.
    pub fn delete_pod(&self, who: &Kubectl, pod: &str) -> Result<()> {
        let now = ["delete", "pod", pod, "--grace-period=1", "-n"];
        who.run(&[now.as_slice(), &[self.namespace.as_str()]].concat())
            .map(drop)
    }

    /// Waits until the pod's containers are running.
    pub fn running(&self, pod: &str) -> Result<()> {
        wait_until(&format!("pod {pod} to run"), POD_DEADLINE, || {
            let ready = self.get("pod", pod)?;
            let ready = ready
                .pointer("/status/containerStatuses/0/state/running")
                .is_some();
            Ok(ready.then_some(()))
        })
    }

    /// Waits for the pod's end, wants `Succeeded`, and gives what its main container printed.
    pub fn succeeded(&self, pod: &str) -> Result<String> {
        let phase = self.ended(pod)?;
        let logs = self.logs(pod)?;
        if phase != "Succeeded" {
            bail!("pod {pod} ended as {phase}; it printed:\n{logs}");
        }
        Ok(logs)
    }

    /// Like [`Scene::succeeded`], doing something again and again while the pod runs.
    pub fn succeeded_after(
        &self,
        pod: &str,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<String> {
        wait_until(&format!("the end of pod {pod}"), POD_DEADLINE, || {
            meanwhile()?;
            let phase = text(&self.get("pod", pod)?, "/status/phase");
            Ok(matches!(phase.as_str(), "Succeeded" | "Failed").then_some(()))
        })?;
        self.succeeded(pod)
    }

    /// What the pod's main container printed.
    pub fn logs(&self, pod: &str) -> Result<String> {
        self.admin()
            .run(&["logs", "-n", &self.namespace, pod, "-c", "main"])
    }

    /// The message that the token's init container left, once it has failed at least once.
    pub fn init_message(&self, pod: &str) -> Result<String> {
        wait_until(
            &format!("the init container of {pod} to say why"),
            POD_DEADLINE,
            || {
                let pod = self.get("pod", pod)?;
                let status = pod
                    .pointer("/status/initContainerStatuses/0")
                    .cloned()
                    .unwrap_or(json!({}));
                let messages = ["/state/terminated/message", "/lastState/terminated/message"];
                Ok(messages
                    .iter()
                    .map(|at| text(&status, at))
                    .find(|message| !message.is_empty()))
            },
        )
    }

    /// Waits until the token's init container says all of `parts` about one of its tries.
    pub fn init_says(&self, pod: &str, parts: &[&str]) -> Result<()> {
        let what = format!("the init container of {pod} to say {parts:?}");
        let logs = ["logs", "-n", &self.namespace, pod, "-c", INIT_CONTAINER];
        wait_until(&what, POD_DEADLINE, || {
            // Before it starts there is no log.
            let said = self.admin().run(&logs).unwrap_or_default();
            let told = |line: &str| parts.iter().all(|part| line.contains(part));
            Ok(said.lines().any(told).then_some(()))
        })
    }

    /// Prints pod states, events and logs, for whoever reads a failure.
    pub fn dump(&self) {
        for args in [
            ["get", "pods,jobs,deployments,replicasets", "-o", "wide"].as_slice(),
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["describe", "pods"],
        ] {
            self.print(args);
        }
        let pods = self
            .admin()
            .json(&["get", "pods", "-n", &self.namespace])
            .unwrap_or(json!({}));
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = text(pod, "/metadata/name");
            self.print(&["logs", &name, "--all-containers", "--prefix", "--tail=40"]);
        }
        self.stage.dump_services();
    }

    fn print(&self, args: &[&str]) {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain(["-n", &self.namespace])
            .collect();
        let shown = self
            .admin()
            .run(&args)
            .unwrap_or_else(|error| format!("{error:#}"));
        println!("--- kubectl {}\n{shown}", args.join(" "));
    }

    /// Deletes the case's namespaces; they go in the background.
    pub fn close(&self) -> Result<()> {
        let second = format!("{}-2", self.namespace);
        let names = [
            "delete",
            "namespace",
            "--ignore-not-found",
            "--wait=false",
            &self.namespace,
            &second,
        ];
        self.admin()
            .run(&names)
            .context("failed to delete the case's namespace")?;
        Ok(())
    }
}

/// The text at a JSON pointer, empty where there is none.
pub fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The annotation of this key.
pub fn annotation(object: &Value, key: &str) -> Option<String> {
    object["metadata"]["annotations"]
        .get(key)?
        .as_str()
        .map(str::to_owned)
}

/// Fails unless `text` contains each of `parts`: messages are part of the product.
pub(super) fn says(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        if !text.contains(part) {
            bail!("«{part}» is missing in:\n{text}");
        }
    }
    Ok(())
}

/// A namespace name that no other run has: a case may be run again after a crash.
fn new_name(case: &str) -> String {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let unique = clock.map(|since| since.as_millis()).unwrap_or_default() % 100_000_000;
    let short = case.rsplit("::").next().unwrap_or(case).replace('_', "-");
    let short: String = short.chars().take(40).collect();
    format!("t-{}-{unique}", short.trim_end_matches('-'))
}
