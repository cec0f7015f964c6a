//! Where the cluster comes from.

mod existing;
mod kind;
mod local;
pub mod users;

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

/// Which cluster to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Kubernetes built from source, run as processes of this machine. Needs root, no container engine.
    #[default]
    Local,
    /// A kind cluster; needs Docker and kind.
    Kind,
    /// The cluster of the current kubeconfig.
    Existing,
}

/// Which cluster, and what may be done to this machine.
#[derive(Args, Clone, Copy, Debug)]
pub struct Choice {
    /// Where the cluster comes from.
    #[arg(long, value_enum, default_value_t)]
    pub provider: Kind,
    /// Install no Debian packages; say what is missing.
    #[arg(long)]
    pub no_install: bool,
    /// Work with the Kube2Hadoop that is installed; build and install none.
    #[arg(long)]
    pub installed: bool,
}

/// An image as a tar file that `buildah push docker-archive:` or `oci-archive:` wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageArchive {
    /// What pods call it: `kube2hadoop/client:0.1.0`.
    pub name: String,
    /// The tar file.
    pub path: PathBuf,
}

/// A cluster that can be brought up and filled with images.
pub trait Provider: Send + Sync {
    /// Brings up whatever is not up yet.
    fn up(&self) -> Result<()>;
    /// Removes all that `up` made.
    fn down(&self) -> Result<()>;
    /// The admin's kubeconfig.
    fn kubeconfig(&self) -> Result<PathBuf>;
    /// Makes the image known to the nodes.
    fn load_image(&self, image: &ImageArchive) -> Result<()>;
    /// The address under which pods reach daemons of this machine.
    fn host_address(&self) -> Result<IpAddr>;
    /// Ends the API server, until [`Provider::up`].
    fn stop_api_server(&self) -> Result<()> {
        bail!("this provider does not stop its API server; use --provider local")
    }
    /// Parts the pod of this address from the API server, or joins them again.
    fn part(&self, _pod: &str, _parted: bool) -> Result<()> {
        bail!("this provider does not part pods from its API server; use --provider local")
    }
}

/// The chosen provider.
pub fn choose(choice: Choice) -> Result<Box<dyn Provider>> {
    Ok(match choice.provider {
        Kind::Local => Box::new(local::Local::new(choice.no_install)),
        Kind::Kind => Box::new(kind::KindCluster),
        Kind::Existing => Box::new(existing::Existing::from_environment()?),
    })
}

/// A full image name, as containerd keeps it: `docker.io/` where no registry is named.
fn full_name(name: &str) -> String {
    let first = name.split('/').next().unwrap_or(name);
    if name.contains('/') && (first.contains('.') || first.contains(':') || first == "localhost") {
        return name.to_owned();
    }
    let library = if name.contains('/') { "" } else { "library/" };
    format!("docker.io/{library}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_a_container_runtime_does() {
        assert_eq!(
            full_name("kube2hadoop/client:0.1.0"),
            "docker.io/kube2hadoop/client:0.1.0"
        );
        assert_eq!(full_name("busybox:1"), "docker.io/library/busybox:1");
        assert_eq!(full_name("localhost:5000/x"), "localhost:5000/x");
        assert_eq!(full_name("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
    }
}
