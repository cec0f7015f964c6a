//! A kind cluster, where Docker is at hand.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::{ImageArchive, Provider, hosts_block, hosts_line};
use crate::kubectl::Kubectl;
use crate::{places, process, progress};

const CLUSTER: &str = "kube2hadoop-e2e";

pub(super) struct KindCluster;

impl Provider for KindCluster {
    fn up(&self) -> Result<()> {
        std::fs::create_dir_all(places::kubeconfigs())?;
        let clusters = kind(&["get", "clusters"])?;
        if !clusters.lines().any(|line| line == CLUSTER) {
            let step = progress::step("creating the kind cluster");
            kind(&["create", "cluster", "--name", CLUSTER, "--wait", "180s"])?;
            step.done("");
        }
        let kubeconfig = kind(&["get", "kubeconfig", "--name", CLUSTER])?;
        std::fs::write(places::kubeconfig_of("admin"), kubeconfig)?;
        Ok(())
    }

    fn down(&self) -> Result<()> {
        kind(&["delete", "cluster", "--name", CLUSTER]).map(drop)
    }

    fn kubeconfig(&self) -> Result<PathBuf> {
        Ok(places::kubeconfig_of("admin"))
    }

    fn load_image(&self, image: &ImageArchive) -> Result<()> {
        let path = image
            .path
            .to_str()
            .context("the archive's path is no UTF-8")?;
        kind(&["load", "image-archive", "--name", CLUSTER, path]).map(drop)
    }

    /// The gateway of the nodes' network is this machine.
    fn host_address(&self) -> Result<IpAddr> {
        let format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";
        let gateways = process::run(
            Command::new("docker").args(["network", "inspect", "kind", "-f", format]),
        )?;
        let addresses = gateways
            .split_whitespace()
            .filter_map(|word| word.parse::<IpAddr>().ok());
        addresses
            .into_iter()
            .find(IpAddr::is_ipv4)
            .context("the network of kind has no IPv4 gateway")
    }

    /// By the configuration of its CoreDNS.
    fn name_hosts(&self, hosts: &[&str], address: IpAddr) -> Result<()> {
        let admin = Kubectl::new(self.kubeconfig()?);
        let system = ["-n", "kube-system"];
        let coredns = admin.json(&[&["get", "configmap", "coredns"], &system[..]].concat())?;
        let before = coredns["data"]["Corefile"].as_str().unwrap_or_default();
        let after = with_hosts(before, hosts, address)
            .context("the Corefile of the kind cluster has no block «.:53»")?;
        if after == before {
            return Ok(());
        }
        let patch = json!({"data": {"Corefile": after}}).to_string();
        for args in [
            ["patch", "configmap", "coredns", "-p", &patch].as_slice(),
            &["rollout", "restart", "deployment/coredns"],
            &["rollout", "status", "deployment/coredns", "--timeout=120s"],
        ] {
            admin.run(&[args, &system].concat())?;
        }
        Ok(())
    }
}

/// The configuration with these hosts at this address, wherever they were before.
fn with_hosts(corefile: &str, hosts: &[&str], address: IpAddr) -> Option<String> {
    let line = hosts_line(hosts, address);
    let names = hosts.join(" ");
    if let Some(old) = corefile.lines().find(|line| line.ends_with(&names)) {
        return Some(corefile.replace(old.trim_start(), &line));
    }
    let (before, after) = corefile.split_once(".:53 {\n")?;
    let block = hosts_block(hosts, address);
    Some(format!("{before}.:53 {{\n{block}{after}"))
}

fn kind(args: &[&str]) -> Result<String> {
    process::run(Command::new("kind").args(args)).context("the kind provider needs kind and Docker")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 2] = ["nn1.hadoop.test", "nn2.hadoop.test"];

    #[test]
    fn hosts_are_put_in_once_and_moved_with_their_machine() {
        let as_made = ".:53 {\n    errors\n    kubernetes cluster.local\n}\n";
        let first = with_hosts(as_made, &HOSTS, [172, 18, 0, 1].into()).unwrap();
        assert_eq!(
            first,
            ".:53 {\n    hosts {\n        172.18.0.1 nn1.hadoop.test nn2.hadoop.test\n        fallthrough\n    }\n    \
             errors\n    kubernetes cluster.local\n}\n"
        );
        let again = with_hosts(&first, &HOSTS, [172, 18, 0, 1].into()).unwrap();
        assert_eq!(again, first);
        let moved = with_hosts(&first, &HOSTS, [172, 19, 0, 1].into()).unwrap();
        assert_eq!(moved, first.replace("172.18.0.1", "172.19.0.1"));
        assert_eq!(with_hosts("", &HOSTS, [172, 18, 0, 1].into()), None);
    }
}
