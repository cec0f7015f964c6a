//! CoreDNS as a process of this machine, behind the Service address that the pods' resolv.conf names.

use std::fs;
use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::super::hosts_block;
use super::control_plane::{answers, start};
use crate::kubectl::Kubectl;
use crate::places::{self, ADDRESS, DNS_ADDRESS, HADOOP_HOSTS};
use crate::{process, toolchain};

/// Not 53: a resolver of the machine may listen on all addresses.
const PORT: u16 = 10053;
const HEALTH_PORT: u16 = 10054;

/// Starts CoreDNS if need be and puts the Service before it.
pub(super) fn up(admin: &Kubectl) -> Result<()> {
    admin.apply(&objects().to_string())?;
    let corefile = places::state().join("config").join("Corefile");
    let text = configuration()?;
    if !fs::read_to_string(&corefile).is_ok_and(|old| old == text) {
        process::stop("coredns")?;
        fs::write(&corefile, text)?;
    }
    let mut coredns = Command::new(toolchain::COREDNS.binary("coredns")?);
    coredns.arg("-conf").arg(&corefile);
    start("coredns", &mut coredns, || {
        answers(&format!("http://127.0.0.1:{HEALTH_PORT}/ready"), &[])
    })
}

/// Nothing is forwarded: a test must not depend on what lies outside.
fn configuration() -> Result<String> {
    let kubeconfig = places::kubeconfig_of("coredns");
    Ok(format!(
        ".:{PORT} {{
    bind {ADDRESS}
    errors
    ready 127.0.0.1:{HEALTH_PORT}
{}    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {}
        pods insecure
        ttl 5
    }}
}}
",
        hosts_block(&HADOOP_HOSTS, ADDRESS.parse()?),
        kubeconfig.display()
    ))
}

fn objects() -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [service(), endpoints(), role(), binding()]})
}

fn service() -> serde_json::Value {
    let port = |name: &str, protocol: &str| json!({"name": name, "protocol": protocol, "port": 53, "targetPort": PORT});
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"clusterIP": DNS_ADDRESS, "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")]},
    })
}

fn endpoints() -> serde_json::Value {
    let port =
        |name: &str, protocol: &str| json!({"name": name, "protocol": protocol, "port": PORT});
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns-host",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "kube2hadoop-e2e"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": true}}],
        "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")],
    })
}

fn role() -> serde_json::Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "kube2hadoop-e2e:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces", "pods"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    })
}

fn binding() -> serde_json::Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kube2hadoop-e2e:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kube2hadoop-e2e:coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kube2hadoop-e2e:coredns"}],
    })
}
