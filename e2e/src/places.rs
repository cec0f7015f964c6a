//! Where everything lies, and the addresses and names that the parts agree on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// The bridge of the local cluster: the pods' gateway, the node, and the address of all Hadoop daemons.
pub const BRIDGE: &str = "k2h0";
/// The address of [`BRIDGE`].
pub const ADDRESS: &str = "10.210.0.1";
/// Pods and the node.
pub const POD_CIDR: &str = "10.210.0.0/24";
/// Cluster IPs.
pub const SERVICE_CIDR: &str = "10.211.0.0/24";
/// The `kubernetes` Service: the first address of [`SERVICE_CIDR`].
pub const API_SERVICE_ADDRESS: &str = "10.211.0.1";
/// The cluster's DNS.
pub const DNS_ADDRESS: &str = "10.211.0.10";
/// The API server on [`ADDRESS`].
pub const API_PORT: u16 = 6443;
/// Names of the Hadoop daemons, the KDC and the LDAP server.
pub const HADOOP_HOSTS: [&str; 6] = [
    "nn1.hadoop.test",
    "nn2.hadoop.test",
    "dn1.hadoop.test",
    "kms.hadoop.test",
    "kdc.hadoop.test",
    "ldap.hadoop.test",
];

/// Names of the annex's servers, which only this machine talks to. Two of a kind share their port, not their address.
pub const ANNEX_HOSTS: [(&str, &str); 8] = [
    ("nn3.hadoop.test", "127.0.0.3"),
    ("kms3.hadoop.test", "127.0.0.3"),
    ("kms4.hadoop.test", "127.0.0.4"),
    ("router.hadoop.test", "127.0.0.3"),
    ("httpfs.hadoop.test", "127.0.0.3"),
    ("rm1.hadoop.test", "127.0.0.3"),
    ("rm2.hadoop.test", "127.0.0.4"),
    ("zk.hadoop.test", "127.0.0.3"),
];

/// State of what is running: logs, pid files, data, kubeconfigs. `down` removes it.
/// `KUBE2HADOOP_E2E_STATE` moves it.
pub fn state() -> PathBuf {
    from_env("KUBE2HADOOP_E2E_STATE", "/var/lib/kube2hadoop-e2e")
}

/// What is expensive to make and survives `down`, in directories named after versions.
/// `KUBE2HADOOP_E2E_CACHE` moves it.
pub fn cache() -> PathBuf {
    from_env("KUBE2HADOOP_E2E_CACHE", "/var/cache/kube2hadoop-e2e")
}

/// A directory of the cache for what is made of these ingredients: others of the same name have their own.
pub fn made_of(name: &str, ingredients: &impl Hash) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    ingredients.hash(&mut hasher);
    cache().join(format!("{name}-{:016x}", hasher.finish()))
}

/// Sockets and mounts, gone after a reboot.
pub fn run() -> PathBuf {
    PathBuf::from("/run/kube2hadoop-e2e")
}

/// One log file per daemon.
pub fn logs() -> PathBuf {
    state().join("logs")
}

/// One pid file per daemon.
pub fn pids() -> PathBuf {
    state().join("pids")
}

/// Kubeconfigs of the admin, the daemons and the people.
pub fn kubeconfigs() -> PathBuf {
    state().join("kubeconfigs")
}

/// The kubeconfig of one person or daemon.
pub fn kubeconfig_of(user: &str) -> PathBuf {
    kubeconfigs().join(format!("{}.kubeconfig", file_name(user)))
}

/// This crate's sources. Cargo names them anew at every run, since clones may share what was built.
pub fn sources() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into())
        .into()
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let member = sources();
    member.parent().unwrap_or(&member).to_path_buf()
}

/// The go.mod manifests of the tools built from source.
pub fn toolchain() -> PathBuf {
    sources().join("toolchain")
}

/// `NO_PROXY` for child processes: a proxy knows neither pods nor cluster IPs.
pub fn no_proxy() -> String {
    let inherited = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let own = format!("127.0.0.1,localhost,{POD_CIDR},{SERVICE_CIDR},.svc,.hadoop.test");
    match inherited.filter(|list| !list.is_empty()) {
        Some(list) => format!("{list},{own}"),
        None => own,
    }
}

fn from_env(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

/// User names hold `@` and `:`; file names of ours hold neither.
fn file_name(user: &str) -> String {
    user.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_becomes_a_file_name() {
        assert!(
            kubeconfig_of("alice@example.com")
                .ends_with("kubeconfigs/alice-example.com.kubeconfig")
        );
    }

    #[test]
    fn a_user_name_cannot_leave_the_directory() {
        assert_eq!(
            kubeconfig_of("../x").parent(),
            Some(kubeconfigs().as_path())
        );
    }
}
