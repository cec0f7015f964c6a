//! Kubeconfigs of people, by client certificates that the cluster itself signs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authority::{new_key, openssl};
use crate::kubectl::Kubectl;
use crate::places;
use crate::process::{run, wait_until};

/// A kubeconfig that acts as `user` in `groups`. One that still works is used again.
pub fn user_kubeconfig(admin: &Kubectl, user: &str, groups: &[&str]) -> Result<PathBuf> {
    let path = places::kubeconfig_of(user);
    if acts_as(&path, user, groups) {
        return Ok(path);
    }
    fs::create_dir_all(places::kubeconfigs())?;
    let key = path.with_extension("key");
    let request = certificate_request(&key, user, groups)?;
    let certificate = signed(admin, user, &request)?;
    let credentials = json!({
        "client-certificate-data": STANDARD.encode(certificate),
        "client-key-data": STANDARD.encode(fs::read_to_string(&key)?),
    });
    let config = with_credentials(admin, user, &credentials)?;
    fs::write(&path, config.to_string())?;
    Ok(path)
}

/// A kubeconfig that shows this bearer token and nothing else.
pub fn bearer_kubeconfig(admin: &Kubectl, user: &str, token: &str) -> Result<PathBuf> {
    let path = places::kubeconfig_of(user);
    let config = with_credentials(admin, user, &json!({"token": token}))?;
    fs::create_dir_all(places::kubeconfigs())?;
    fs::write(&path, config.to_string())?;
    Ok(path)
}

/// The admin's view of the cluster: the API server's address, and the CA of its certificate as PEM.
pub fn api_server(admin: &Kubectl) -> Result<(String, String)> {
    let view = ["config", "view", "--raw", "--minify", "--flatten"];
    let config = admin.json(&view)?;
    let cluster = &config["clusters"][0]["cluster"];
    let text = |key: &str| cluster[key].as_str().map(str::to_owned);
    let server = text("server").context("the admin's kubeconfig names no server")?;
    let ca = text("certificate-authority-data").context("the admin's kubeconfig has no CA")?;
    Ok((server, String::from_utf8(STANDARD.decode(ca)?)?))
}

fn acts_as(kubeconfig: &Path, user: &str, groups: &[&str]) -> bool {
    if !kubeconfig.exists() {
        return false;
    }
    let Ok(review) = Kubectl::new(kubeconfig).json(&["auth", "whoami"]) else {
        return false;
    };
    let info = &review["status"]["userInfo"];
    let has = |group: &&str| {
        info["groups"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == group))
    };
    info["username"] == user && groups.iter().all(has)
}

fn certificate_request(key: &Path, user: &str, groups: &[&str]) -> Result<String> {
    new_key(key)?;
    run(openssl(&["req", "-new", "-subj", &subject(user, groups), "-key"]).arg(key))
}

/// Groups are organisations, the user is the common name; `/` separates them and is escaped within.
fn subject(user: &str, groups: &[&str]) -> String {
    let escape = |text: &str| {
        text.replace('\\', "\\\\")
            .replace('/', "\\/")
            .replace('+', "\\+")
    };
    let groups: String = groups
        .iter()
        .map(|group| format!("/O={}", escape(group)))
        .collect();
    format!("{groups}/CN={}", escape(user))
}

/// Has the cluster sign the request; gives the certificate as PEM.
fn signed(admin: &Kubectl, user: &str, request: &str) -> Result<String> {
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "kube2hadoop-e2e-"},
        "spec": {
            "request": STANDARD.encode(request),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    });
    let created =
        admin.run_with_input(&["create", "-f", "-", "-o", "name"], &object.to_string())?;
    let name = created.trim();
    admin.run(&["certificate", "approve", name])?;
    let certificate = wait_until(
        &format!("the certificate of {user}"),
        Duration::from_secs(60),
        || {
            let request = admin.json(&["get", name])?;
            Ok(request["status"]["certificate"].as_str().map(str::to_owned))
        },
    )?;
    admin.run(&["delete", name])?;
    Ok(String::from_utf8(STANDARD.decode(certificate)?)?)
}

/// The admin's kubeconfig with somebody else's credentials.
fn with_credentials(admin: &Kubectl, user: &str, credentials: &Value) -> Result<Value> {
    let view = ["config", "view", "--raw", "--minify", "--flatten"];
    let mut config = admin.json(&view)?;
    let cluster = config["clusters"][0]["name"]
        .as_str()
        .context("the admin's kubeconfig names no cluster")?
        .to_owned();
    config["users"] = json!([{"name": user, "user": credentials}]);
    config["contexts"] = json!([{"name": user, "context": {"cluster": cluster, "user": user}}]);
    config["current-context"] = json!(user);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_in_a_name_ends_no_field() {
        assert_eq!(
            subject("alice@example.com", &["hadoop-users"]),
            "/O=hadoop-users/CN=alice@example.com"
        );
        assert_eq!(
            subject("a/O=system:masters", &[]),
            "/CN=a\\/O=system:masters"
        );
    }
}
