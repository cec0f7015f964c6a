//! The fetcher's replicas, as pods and as processes of this machine.

use anyhow::Result;

use serde_json::Value;

use super::{NAMESPACE, Stage};
use crate::process;
use crate::test::text;

/// The program of the fetcher's container.
const PROGRAM: &str = "kube2hadoop-fetcher";

/// One replica.
pub struct Replica {
    pub pod: String,
    /// The pod's address.
    pub address: String,
    uid: String,
}

impl Replica {
    /// Ends its process as a crash would; the kubelet starts the container again.
    pub fn kill(&self) -> Result<()> {
        let pids = process::pids_of(PROGRAM);
        // Not a doctor that somebody runs beside it: that ends too, and harms nobody.
        let ours: Vec<u32> = pids
            .into_iter()
            .filter(|pid| process::is_in_cgroup(*pid, &self.uid))
            .collect();
        anyhow::ensure!(!ours.is_empty(), "{} has no process here", self.pod);
        ours.iter().for_each(|pid| process::signal("KILL", *pid));
        Ok(())
    }
}

impl Stage {
    /// All replicas of the fetcher but those that are about to go: a rollout is done before the last of them has ended.
    pub fn fetchers(&self) -> Result<Vec<Replica>> {
        let selector = "app.kubernetes.io/component=fetcher";
        let pods = self
            .admin
            .json(&["get", "pods", "-n", NAMESPACE, "-l", selector])?;
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        let replica = |pod| Replica {
            pod: text(pod, "/metadata/name"),
            address: text(pod, "/status/podIP"),
            uid: text(pod, "/metadata/uid"),
        };
        let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
        Ok(pods.iter().filter(stays).map(replica).collect())
    }

    /// The replica that renews and cancels; none while the Lease names nobody, or one that is gone.
    pub fn leader(&self) -> Result<Option<Replica>> {
        let lease = self.own("lease", PROGRAM)?;
        let holder = text(&lease, "/spec/holderIdentity");
        let leads = |replica: &Replica| holder.starts_with(&format!("{}_", replica.pod));
        Ok(self.fetchers()?.into_iter().find(leads))
    }
}
