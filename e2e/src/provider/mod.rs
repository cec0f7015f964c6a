//! Where the cluster comes from.

mod existing;
mod kind;
mod local;
pub mod users;

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Result;
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
    /// With `--provider existing`: the address of this machine that pods reach; that of its route, unless given.
    #[arg(long)]
    pub host_address: Option<IpAddr>,
}

/// An image as a tar file that `buildah push docker-archive:` or `oci-archive:` wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageArchive {
    /// What pods call it: `kube2hadoop/client:0.1.0`.
    pub name: String,
    /// The tar file.
    pub path: PathBuf,
}

/// What a provider cannot do, and what else does: a case that needs it is skipped.
#[derive(Debug)]
pub struct Unsupported(pub String);

impl Unsupported {
    /// So far only [`Kind::Local`] does it.
    pub fn but_locally(what: &str) -> Self {
        Self(format!("{what}; use --provider local"))
    }
}

impl Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

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
    /// Has pods find these hosts at this address.
    fn name_hosts(&self, hosts: &[&str], address: IpAddr) -> Result<()>;
    /// Whether what this machine builds can be installed there.
    fn takes_builds(&self) -> Result<()> {
        Ok(())
    }
    /// Whether the pods' processes are this machine's, and may be killed.
    fn shares_processes(&self) -> Result<()> {
        let what = "this provider's pods are no processes of this machine";
        Err(Unsupported::but_locally(what).into())
    }
    /// Ends the API server, until [`Provider::up`].
    fn stop_api_server(&self) -> Result<()> {
        let what = "this provider does not stop its API server";
        Err(Unsupported::but_locally(what).into())
    }
    /// Parts the pod of this address from the API server, or joins them again.
    fn part(&self, _pod: &str, _parted: bool) -> Result<()> {
        let what = "this provider does not part pods from its API server";
        Err(Unsupported::but_locally(what).into())
    }
}

/// The chosen provider.
pub fn choose(choice: Choice) -> Result<Box<dyn Provider>> {
    Ok(match choice.provider {
        Kind::Local => Box::new(local::Local::new(choice.no_install)),
        Kind::Kind => Box::new(kind::KindCluster),
        Kind::Existing => Box::new(existing::Existing::from_environment(choice.host_address)?),
    })
}

/// Has CoreDNS answer for these hosts; other names go on to its next plugin.
fn hosts_block(hosts: &[&str], address: IpAddr) -> String {
    let line = hosts_line(hosts, address);
    format!("    hosts {{\n        {line}\n        fallthrough\n    }}\n")
}

fn hosts_line(hosts: &[&str], address: IpAddr) -> String {
    format!("{address} {}", hosts.join(" "))
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
