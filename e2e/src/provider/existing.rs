//! Any cluster that a kubeconfig leads to. We change nothing in it but what the tests create.

use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::{ImageArchive, Provider};
use crate::kubectl::Kubectl;

pub(super) struct Existing {
    kubeconfig: PathBuf,
}

impl Existing {
    /// `KUBECONFIG`, or `~/.kube/config`.
    pub(super) fn from_environment() -> Result<Self> {
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
        Ok(Self { kubeconfig })
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

    fn load_image(&self, image: &ImageArchive) -> Result<()> {
        bail!(
            "an existing cluster takes images from its registry only; push {} there: \
             buildah push (or skopeo copy) docker-archive:{} docker://REGISTRY/{}",
            image.name,
            image.path.display(),
            image.name
        )
    }

    /// The address that this machine uses towards the network: no packet is sent.
    fn host_address(&self) -> Result<IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket
            .connect("192.0.2.1:9")
            .context("this machine has no route to any network")?;
        Ok(socket.local_addr()?.ip())
    }
}
