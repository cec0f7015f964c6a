//! The one node: containerd, kubelet and kube-proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::control_plane::{answers, start};
use super::pki::{self, NODE, word};
use super::{cgroups, network, pause};
use crate::kubectl::Kubectl;
use crate::places::{self, ADDRESS, BRIDGE, DNS_ADDRESS, POD_CIDR};
use crate::process::{self, run, wait_until};
use crate::{progress, toolchain};

/// Starts what is not running.
pub(super) fn up() -> Result<()> {
    write("containerd.toml", &containerd_config())?;
    write("cni/10-bridge.conflist", &cni_config().to_string())?;
    write("kubelet.json", &kubelet_config().to_string())?;
    write("kube-proxy.json", &proxy_config().to_string())?;
    write("resolv.conf", &format!("nameserver {DNS_ADDRESS}\n"))?;
    cgroups::ensure()?;
    let pause = pause::build()?;
    let mut containerd = Command::new("containerd");
    containerd.arg("--config").arg(config("containerd.toml"));
    start("containerd", &mut containerd, || {
        run(ctr().args(["images", "list", "-q"])).is_ok()
    })?;
    run(ctr().args(["images", "import"]).arg(&pause.path))?;
    start("kubelet", &mut kubelet()?, || {
        answers("http://127.0.0.1:10248/healthz", &[])
    })?;
    let mut proxy = Command::new(toolchain::KUBERNETES.binary("kube-proxy")?);
    proxy.arg("--config").arg(config("kube-proxy.json"));
    start("kube-proxy", &mut proxy, || {
        answers("http://127.0.0.1:10256/livez", &[])
    })
}

/// Waits until pods can be scheduled.
pub(super) fn wait_ready(admin: &Kubectl) -> Result<()> {
    let step = progress::step("the node");
    wait_until("the node to be ready", Duration::from_secs(90), || {
        // Right after the API server's start the request itself may fail.
        let Ok(node) = admin.json(&["get", "node", NODE]) else {
            return Ok(None);
        };
        let conditions = node["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        Ok(ready.then_some(()))
    })?;
    step.done("ready");
    Ok(())
}

/// `ctr` towards our containerd, in the namespace of Kubernetes.
pub(super) fn ctr() -> Command {
    let mut ctr = Command::new("ctr");
    ctr.arg("--address")
        .arg(socket())
        .args(["--namespace", "k8s.io"]);
    ctr
}

pub(super) fn socket() -> PathBuf {
    places::run().join("containerd.sock")
}

fn config(name: &str) -> PathBuf {
    places::state().join("config").join(name)
}

/// Writes a configuration file; a daemon that ran with another one is stopped, and so started anew.
fn write(name: &str, text: &str) -> Result<()> {
    let path = config(name);
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if let Some(daemon) = Path::new(name).file_stem().and_then(|stem| stem.to_str()) {
        process::stop(daemon)?;
    }
    fs::write(path, text)?;
    Ok(())
}

/// `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc cannot lower it, and every sandbox would die.
fn containerd_config() -> String {
    let root = places::state().join("containerd");
    let state = places::run().join("containerd");
    format!(
        r#"version = 2
root = {root:?}
state = {state:?}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = {socket:?}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = {cni:?}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = {runc:?}
"#,
        socket = socket(),
        pause = pause::NAME,
        cni = config("cni"),
        runc = places::run().join("runc"),
    )
}

fn cni_config() -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "kube2hadoop-e2e",
        "plugins": [{
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": places::run().join("addresses"),
                "ranges": [[{"subnet": POD_CIDR, "rangeStart": "10.210.0.10", "gateway": ADDRESS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}

fn kubelet() -> Result<Command> {
    let mut kubelet = Command::new(toolchain::KUBERNETES.binary("kubelet")?);
    kubelet
        .arg("--config")
        .arg(config("kubelet.json"))
        .arg("--kubeconfig")
        .arg(places::kubeconfig_of("kubelet"))
        .arg("--root-dir")
        .arg(places::state().join("kubelet"))
        .arg(format!("--hostname-override={NODE}"))
        .arg(format!("--node-ip={ADDRESS}"));
    Ok(kubelet)
}

/// Disk thresholds are off: images come from archives, and one that is collected cannot be pulled again.
fn kubelet_config() -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki::file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki::file("kubelet-serving.crt"),
        "tlsPrivateKeyFile": pki::file("kubelet-serving.key"),
        "containerRuntimeEndpoint": format!("unix://{}", word(&socket())),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::ROOT,
        "failSwapOn": false,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": config("resolv.conf"),
        "podLogsDir": places::logs().join("pods"),
        "maxPods": 200,
        "serializeImagePulls": false,
        "imageMinimumGCAge": "8760h",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "syncFrequency": "10s",
    })
}

fn proxy_config() -> serde_json::Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": places::kubeconfig_of("kube-proxy")},
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
        "iptables": {"masqueradeAll": !network::filters_bridged_packets(), "minSyncPeriod": "100ms"},
    })
}
