//! Any cluster that a kubeconfig leads to. We change nothing in it but what the tests create.

use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{ImageArchive, Provider, Unsupported, full_name, hosts_block};
use crate::kubectl::Kubectl;
use crate::progress;

pub(super) struct Existing {
    kubeconfig: PathBuf,
    host_address: Option<IpAddr>,
}

impl Existing {
    /// `KUBECONFIG`, or `~/.kube/config`.
    pub(super) fn from_environment(host_address: Option<IpAddr>) -> Result<Self> {
        let kubeconfig = match std::env::var_os("KUBECONFIG") {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(
                std::env::var_os("HOME").context("neither KUBECONFIG nor HOME is set")?,
            )
            .join(".kube/config"),
        };
        if !kubeconfig.is_file() {
            bail!(
                "{} is no kubeconfig; set KUBECONFIG to the cluster's",
                kubeconfig.display()
            );
        }
        Ok(Self {
            kubeconfig,
            host_address,
        })
    }
}

impl Provider for Existing {
    fn up(&self) -> Result<()> {
        Kubectl::new(&self.kubeconfig)
            .run(&["get", "--raw", "/readyz"])
            .map(drop)
    }

    fn down(&self) -> Result<()> {
        Ok(())
    }

    fn kubeconfig(&self) -> Result<PathBuf> {
        Ok(self.kubeconfig.clone())
    }

    /// We put none there; the nodes may have it.
    fn load_image(&self, image: &ImageArchive) -> Result<()> {
        let nodes = Kubectl::new(&self.kubeconfig).json(&["get", "nodes"])?;
        if have(&nodes, &full_name(&image.name)) {
            return Ok(());
        }
        let (name, archive) = (full_name(&image.name), image.path.display());
        let how = format!("ctr -n k8s.io images import --index-name {name} {archive}");
        let what = format!("not every node has {name}; load it there: {how}");
        Err(Unsupported(what).into())
    }

    fn takes_builds(&self) -> Result<()> {
        bail!(
            "an existing cluster takes images from its registry only: install Kube2Hadoop there, and add --installed"
        )
    }

    /// Its DNS is not ours to change.
    fn name_hosts(&self, hosts: &[&str], address: IpAddr) -> Result<()> {
        let block = hosts_block(hosts, address);
        progress::say(format!(
            "the cluster's DNS must know Hadoop's hosts; for CoreDNS, in its block «.:53»:\n{block}"
        ));
        Ok(())
    }

    /// Unless given, the one that this machine uses towards the network: no packet is sent.
    fn host_address(&self) -> Result<IpAddr> {
        if let Some(address) = self.host_address {
            return Ok(address);
        }
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket
            .connect("192.0.2.1:9")
            .context("this machine has no route to any network")?;
        Ok(socket.local_addr()?.ip())
    }
}

/// As far as the nodes say: each names its largest images.
fn have(nodes: &Value, image: &str) -> bool {
    let has = |node: &Value| {
        let images = node["status"]["images"].as_array().into_iter().flatten();
        let mut names = images.flat_map(|it| it["names"].as_array().into_iter().flatten());
        names.any(|name| name == image)
    };
    let nodes = nodes["items"].as_array();
    nodes.is_some_and(|nodes| !nodes.is_empty() && nodes.iter().all(has))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_there_where_every_node_has_it() {
        let node =
            |names: &[&str]| json!({"status": {"images": [{"names": ["x"]}, {"names": names}]}});
        let all = |nodes: &[Value]| have(&json!({"items": nodes}), "docker.io/a/b:1");
        let (with, without) = (node(&["docker.io/a/b:1"]), node(&["docker.io/a/b:2"]));
        assert!(all(std::slice::from_ref(&with)));
        assert!(!all(&[with, without]));
        assert!(!all(&[]));
    }
}
