//! Kubernetes as processes of this machine: etcd, the control plane, containerd and one node.
//!
//! Everything has its own root, sockets and ports, so that it gets in nobody's way and can be removed again.

mod alone;
mod cgroups;
mod control_plane;
mod dns;
mod images;
mod kubeconfig;
mod leftovers;
mod neighbours;
mod network;
mod node;
mod pause;
mod pki;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use alone::Alone;

use super::{ImageArchive, Provider};
use crate::kubectl::Kubectl;
use crate::{packages, places, process, progress, toolchain};

/// What the cluster and the image builds need of Debian.
const PACKAGES: [&str; 16] = [
    "etcd-server",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "socat",
    "iproute2",
    "procps",
    "kmod",
    "openssl",
    "curl",
    "util-linux",
    "busybox-static",
    "buildah",
    "musl-tools",
];

/// The daemons in the order of their start; `down` stops them the other way round.
const DAEMONS: [&str; 8] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
];

pub(super) struct Local {
    no_install: bool,
}

impl Local {
    pub(super) fn new(no_install: bool) -> Self {
        Self { no_install }
    }

    fn prepare(&self) -> Result<()> {
        if process::run(Command::new("id").arg("-u"))?.trim() != "0" {
            bail!(
                "the local provider starts containers and must run as root; or use --provider existing"
            );
        }
        packages::ensure(&PACKAGES, self.no_install)?;
        toolchain::KUBERNETES.build()?;
        toolchain::COREDNS.build()
    }
}

/// Others must wait meanwhile: a `down` removes them.
fn directories() -> Result<()> {
    for directory in [places::run(), places::logs(), places::kubeconfigs()] {
        fs::create_dir_all(&directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
    }
    Ok(())
}

impl Provider for Local {
    fn up(&self) -> Result<()> {
        self.prepare()?;
        let _alone = Alone::in_state(&places::state())?;
        neighbours::ensure_none()?;
        directories()?;
        network::up()?;
        pki::ensure()?;
        control_plane::up()?;
        let admin = Kubectl::new(self.kubeconfig()?);
        node::up()?;
        dns::up(&admin)?;
        node::wait_ready(&admin)
    }

    fn down(&self) -> Result<()> {
        let alone = Alone::in_state(&places::state())?;
        let step = progress::step("removing the cluster");
        for daemon in DAEMONS.iter().rev() {
            process::stop(daemon)?;
        }
        for daemon in DAEMONS {
            process::remove_log(daemon)?;
        }
        leftovers::end_pods()?;
        leftovers::remove()?;
        network::down()?;
        leftovers::remove_directories()?;
        alone.forget()?;
        step.done("the cache stays");
        Ok(())
    }

    fn kubeconfig(&self) -> Result<PathBuf> {
        Ok(places::kubeconfig_of("admin"))
    }

    fn load_image(&self, image: &ImageArchive) -> Result<()> {
        images::load(image)
    }

    fn host_address(&self) -> Result<IpAddr> {
        Ok(places::ADDRESS.parse()?)
    }

    /// They are in its DNS from the beginning.
    fn name_hosts(&self, _hosts: &[&str], _address: IpAddr) -> Result<()> {
        Ok(())
    }

    fn shares_processes(&self) -> Result<()> {
        Ok(())
    }

    /// As a crash would: one that ends in order first takes its address from the cluster, and kube-proxy may hear a
    /// minute late that it is back.
    fn stop_api_server(&self) -> Result<()> {
        process::kill("kube-apiserver")
    }

    fn part(&self, pod: &str, parted: bool) -> Result<()> {
        network::part(pod, parted)
    }
}
