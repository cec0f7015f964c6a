//! Parts taken away for the length of a case, and put back however the case ends.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{NAMESPACE, Replica, Stage};
use crate::process::wait_until;

/// What is missing; dropping it puts it back.
pub struct Outage<'a> {
    stage: &'a Stage,
    missing: Missing,
}

enum Missing {
    Deployment(&'static str),
    Object(Box<Value>),
    ApiServer,
    /// The way of the pod with this address to the API server.
    Way(String),
    /// Containers that died start ever later: new pods take their place.
    Promptness,
}

impl Stage {
    /// No fetcher answers.
    pub fn without_fetcher(&self) -> Result<Outage<'_>> {
        self.without("kube2hadoop-fetcher", "app.kubernetes.io/component=fetcher")
    }

    /// No webhook answers.
    pub fn without_webhook(&self) -> Result<Outage<'_>> {
        self.without("kube2hadoop-webhook", "app.kubernetes.io/component=webhook")
    }

    /// The guard is bound, but only notes what it should deny.
    pub fn with_lenient_guard(&self, name: &str) -> Result<Outage<'_>> {
        let audit = json!({"spec": {"validationActions": ["Audit"]}});
        self.patched("validatingadmissionpolicybinding", name, "merge", &audit)
    }

    /// Pods of labelled namespaces start unstamped where the webhook does not answer.
    pub fn with_open_registration(&self) -> Result<Outage<'_>> {
        let ignore =
            json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]);
        self.patched(
            "mutatingwebhookconfiguration",
            "kube2hadoop",
            "json",
            &ignore,
        )
    }

    /// An object of the whole cluster is another; `how` is a type that `kubectl patch` knows.
    fn patched(&self, kind: &str, name: &str, how: &str, patch: &Value) -> Result<Outage<'_>> {
        let object = as_found(self.admin.json(&["get", kind, name])?);
        let (how, patch) = (format!("--type={how}"), patch.to_string());
        self.admin.run(&["patch", kind, name, &how, "-p", &patch])?;
        Ok(self.outage(Missing::Object(Box::new(object))))
    }

    /// The file in this ConfigMap reads differently; its pods are told at once.
    pub fn reconfigured(&self, name: &str, change: impl Fn(&str) -> String) -> Result<Outage<'_>> {
        let before = self.own("configmap", name)?;
        let mut changed = before.clone();
        for (_, text) in changed["data"].as_object_mut().into_iter().flatten() {
            *text = change(text.as_str().unwrap_or_default()).into();
        }
        self.admin.apply(&as_found(changed).to_string())?;
        Ok(self.outage(Missing::Object(Box::new(as_found(before)))))
    }

    /// The fetcher's roles, and whom they are bound to, are those of this rendered chart.
    pub fn with_rights_of(&self, chart: &str) -> Result<Outage<'_>> {
        let one_of = |part: &str, marks: [&str; 2]| marks.iter().any(|mark| part.contains(mark));
        let names = [
            "\n  name: kube2hadoop-fetcher\n",
            "\n  name: kube2hadoop-ledger\n",
        ];
        let rights: Vec<&str> = chart
            .split("\n---\n")
            .filter(|part| one_of(part, ["\nkind: Role", "\nkind: ClusterRole"]))
            .filter(|part| one_of(part, names))
            .collect();
        let rights = rights.join("\n---\n");
        let found = ["get", "-o", "json", "-f", "-"];
        let mut found: Value = serde_json::from_str(&self.admin.run_with_input(&found, &rights)?)?;
        for object in found["items"].as_array_mut().into_iter().flatten() {
            *object = as_found(object.take());
        }
        self.admin.apply(&rights)?;
        Ok(self.outage(Missing::Object(Box::new(found))))
    }

    /// Makes the kubelet look at our pods now; by itself it brings ConfigMaps up to date once a minute.
    pub fn nudge_kubelet(&self) -> Result<()> {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let nudge = format!("kube2hadoop-e2e/nudge={}", clock.as_millis());
        let part = "app.kubernetes.io/component in (webhook,fetcher)";
        let nudge = [
            "annotate",
            "pods",
            "-n",
            NAMESPACE,
            "-l",
            part,
            "--overwrite",
            &nudge,
        ];
        self.admin.run(&nudge).map(drop)
    }

    /// No API server answers.
    pub fn without_api_server(&self) -> Result<Outage<'_>> {
        self.provider.stop_api_server()?;
        Ok(self.outage(Missing::ApiServer))
    }

    /// The replica does not reach the API server.
    pub fn parted(&self, replica: &Replica) -> Result<Outage<'_>> {
        self.provider.part(&replica.address, true)?;
        Ok(self.outage(Missing::Way(replica.address.clone())))
    }

    /// The fetcher's processes may be killed while this lives.
    pub fn killable_fetchers(&self) -> Result<Outage<'_>> {
        self.provider.shares_processes()?;
        Ok(self.outage(Missing::Promptness))
    }

    fn outage(&self, missing: Missing) -> Outage<'_> {
        Outage {
            stage: self,
            missing,
        }
    }

    fn without(&self, deployment: &'static str, selector: &str) -> Result<Outage<'_>> {
        self.scale(deployment, 0)?;
        let outage = self.outage(Missing::Deployment(deployment));
        wait_until(
            &format!("the pods of {deployment} to go"),
            Duration::from_secs(90),
            || {
                let pods = self
                    .admin
                    .json(&["get", "pods", "-n", NAMESPACE, "-l", selector])?;
                Ok(pods["items"]
                    .as_array()
                    .is_some_and(Vec::is_empty)
                    .then_some(()))
            },
        )?;
        Ok(outage)
    }

    fn scale(&self, deployment: &str, replicas: u32) -> Result<()> {
        let replicas = format!("--replicas={replicas}");
        self.admin.run(&[
            "scale",
            "deployment",
            deployment,
            &replicas,
            "-n",
            NAMESPACE,
        ])?;
        Ok(())
    }

    fn put_back(&self, missing: &Missing) -> Result<()> {
        match missing {
            Missing::Deployment(name) => self.scale(name, 2)?,
            Missing::Object(object) => self.admin.apply(&object.to_string())?,
            Missing::ApiServer => self.provider.up()?,
            Missing::Way(address) => self.provider.part(address, false)?,
            Missing::Promptness => {
                let fetcher = "deployment/kube2hadoop-fetcher";
                self.admin
                    .run(&["rollout", "restart", fetcher, "-n", NAMESPACE])?;
            }
        }
        self.services_ready()
    }
}

/// An object to be applied again: without what the API server added.
fn as_found(mut object: Value) -> Value {
    for key in [
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "managedFields",
        "generation",
    ] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove(key);
        }
    }
    object
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.stage.put_back(&self.missing) {
            println!("failed to put back what the case took away: {error:#}");
        }
    }
}
