//! A kind cluster, where Docker is at hand.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{ImageArchive, Provider};
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
}

fn kind(args: &[&str]) -> Result<String> {
    process::run(Command::new("kind").args(args)).context("the kind provider needs kind and Docker")
}
