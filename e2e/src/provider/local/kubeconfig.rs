//! Kubeconfigs of the admin and the daemons.

use std::fs;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::pki;
use crate::places::{self, ADDRESS, API_PORT};

/// Writes the kubeconfig of the holder of the certificate of this name.
pub(super) fn write(name: &str) -> Result<()> {
    let encoded = |file: String| fs::read(pki::file(&file)).map(|bytes| STANDARD.encode(bytes));
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kube2hadoop-e2e", "cluster": {
            "server": format!("https://{ADDRESS}:{API_PORT}"),
            "certificate-authority-data": encoded("ca.crt".to_owned())?,
        }}],
        "users": [{"name": name, "user": {
            "client-certificate-data": encoded(format!("{name}.crt"))?,
            "client-key-data": encoded(format!("{name}.key"))?,
        }}],
        "contexts": [{"name": name, "context": {"cluster": "kube2hadoop-e2e", "user": name}}],
        "current-context": name,
    });
    fs::create_dir_all(places::kubeconfigs())?;
    fs::write(places::kubeconfig_of(name), config.to_string())?;
    Ok(())
}
