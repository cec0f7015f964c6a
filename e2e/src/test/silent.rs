//! Pods on a node without a kubelet: stamped, bound and attested as any other, and as cheap as an object.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::bearers::Forge;
use super::scene::{Scene, text};
use crate::process::wait_until;
use crate::provider::Unsupported;
use crate::stage::Stage;
use crate::workload;

const MADE: Duration = Duration::from_secs(60);

/// The node. It goes when this is dropped, and the cluster's pod collector then takes what is still bound to it.
pub(super) struct SilentNode<'a> {
    stage: &'a Stage,
    name: String,
    uid: String,
}

impl<'a> SilentNode<'a> {
    /// Called as the scene's namespace: cases may run side by side.
    pub(super) fn up(scene: &Scene<'a>) -> Result<Self> {
        let (stage, name) = (scene.stage, scene.namespace.clone());
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name}, "spec": {"unschedulable": true},
        });
        stage.admin.apply(&node.to_string())?;
        let node = stage.admin.json(&["get", "node", &name])?;
        Ok(Self {
            stage,
            name,
            uid: text(&node, "/metadata/uid"),
        })
    }

    /// A pod of alice's for this node, each a job of its own.
    pub(super) fn pod(&self, name: &str) -> Value {
        let mut pod = workload::pod(name, "true");
        workload::set(&mut pod, "/metadata/labels", "kube2hadoop-e2e", "silent");
        pod["spec"]["nodeName"] = json!(self.name);
        pod
    }

    /// A Job of so many pods for this node.
    pub(super) fn job(&self, name: &str, pods: usize) -> Value {
        let mut job = workload::job(name, "true");
        job["spec"]["parallelism"] = json!(pods);
        job["spec"]["completions"] = json!(pods);
        job["spec"]["template"]["spec"]["nodeName"] = json!(self.name);
        workload::set(
            &mut job,
            "/spec/template/metadata/labels",
            "kube2hadoop-e2e",
            "silent",
        );
        job
    }

    /// Signs for pods of this namespace as their kubelet would have it done.
    pub(super) fn signer(&self, namespace: &str) -> Result<Signer> {
        let mint = ["create", "token", "default", "-n", namespace];
        let minted = self.stage.admin.run(&mint)?;
        let forge = Forge::of(minted.trim())?.ok_or_else(|| {
            Unsupported::but_locally("the cluster's signing key is not on this machine")
        })?;
        Ok(Signer {
            forge,
            node: json!({"name": self.name, "uid": self.uid}),
        })
    }
}

impl Drop for SilentNode<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "node", &self.name, "--ignore-not-found"];
        if let Err(error) = self.stage.admin.run(&delete) {
            println!("failed to remove the silent node: {error:#}");
        }
    }
}

/// Makes the tokens that pods of one namespace would be given.
pub(super) struct Signer {
    forge: Forge,
    node: Value,
}

impl Signer {
    pub(super) fn token(&self, pod: &Value) -> Result<String> {
        let mut claims = self.forge.claims.clone();
        claims["aud"] = json!(["kube2hadoop"]);
        let kubernetes = &mut claims["kubernetes.io"];
        kubernetes["pod"] = json!({
            "name": text(pod, "/metadata/name"), "uid": text(pod, "/metadata/uid"),
        });
        kubernetes["node"] = self.node.clone();
        self.forge.sign(&claims)
    }
}

impl Scene<'_> {
    /// The tokens of all silent pods of the namespace, once there are so many of them.
    pub(super) fn silent_tokens(&self, node: &SilentNode<'_>, pods: usize) -> Result<Vec<String>> {
        self.silent_tokens_of(node, "kube2hadoop-e2e=silent", pods)
    }

    /// The same for those that the selector chooses.
    pub(super) fn silent_tokens_of(
        &self,
        node: &SilentNode<'_>,
        selector: &str,
        pods: usize,
    ) -> Result<Vec<String>> {
        let all = wait_until(&format!("{pods} silent pods"), MADE, || {
            let all = self.pods(selector)?;
            Ok((all.len() == pods).then_some(all))
        })?;
        let signer = node.signer(&self.namespace)?;
        all.iter().map(|pod| signer.token(pod)).collect()
    }

    /// All silent pods end, with the Jobs that would make new ones: nobody but us would say so.
    pub(super) fn end_silent_pods(&self) -> Result<()> {
        let orphan = ["delete", "jobs", "--all", "--cascade=orphan", "-n"];
        let orphan = [orphan.as_slice(), &[self.namespace.as_str()]].concat();
        self.admin().run(&orphan)?;
        let delete = ["delete", "pods", "-l", "kube2hadoop-e2e=silent"];
        let now = ["--grace-period=0", "--force", "-n", &self.namespace];
        self.admin()
            .run(&[delete.as_slice(), &now].concat())
            .map(drop)
    }
}
