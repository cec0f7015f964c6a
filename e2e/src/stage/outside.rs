//! A fetcher outside the cluster: a process of this machine, as deploy/outside says.

use std::fs;
use std::net::{IpAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::people::{Answer, ask};
use super::{LEDGER, NAMESPACE, Stage};
use crate::chart::LEFT_OUT;
use crate::provider::users;
use crate::{dist, places, process};

const CONFIG: &str = include_str!("../../../deploy/outside/fetcher.yaml");
const KUBECONFIG: &str = include_str!("../../../deploy/outside/kubeconfig.yaml");
const UNIT: &str = include_str!("../../../deploy/outside/kube2hadoop-fetcher.service");
/// Where all three expect to be.
const ETC: &str = "/etc/kube2hadoop";

const DAEMON: &str = "fetcher-outside";
const ACCOUNT: &str = "kube2hadoop-fetcher";
const READY: Duration = Duration::from_secs(60);
const FOLLOWED: Duration = Duration::from_secs(30);

/// What differs from the example.
pub struct Settings {
    /// core-site.xml and hdfs-site.xml.
    pub conf_dir: PathBuf,
    /// Where it keeps what it issued.
    pub ledger: String,
    /// By which one of its replicas leads.
    pub lease: String,
}

/// The running process; it ends when this is dropped.
pub struct Outside<'a> {
    stage: &'a Stage,
    /// `https://address:port`, for pods and this machine.
    pub url: String,
    address: IpAddr,
    admin: String,
}

impl Stage {
    /// Starts one, and waits until it is ready.
    pub fn fetcher_outside(&self, settings: &Settings) -> Result<Outside<'_>> {
        // A killed run may have left one, with files of its own.
        process::stop(DAEMON)?;
        let address = self.provider.host_address()?;
        let outside = Outside {
            stage: self,
            url: format!("https://{}", free_address(address)?),
            address,
            admin: free_address([127, 0, 0, 1].into())?,
        };
        outside.lay_out(settings)?;
        dist::build(self.no_install)?;
        outside.start()?;
        Ok(outside)
    }

    fn fetcher(&self) -> Command {
        let mut command = Command::new(dist::program("kube2hadoop-fetcher"));
        command.arg("--config").arg(etc().join("fetcher.yaml"));
        command.envs(self.environment());
        command
    }

    /// As the unit has it.
    fn environment(&self) -> Vec<(String, String)> {
        let here = etc().display().to_string();
        let krb5_conf = self.hadoop.krb5_conf().display().to_string();
        UNIT.lines()
            .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
            .map(|(name, value)| {
                let value = value.replace(ETC, &here);
                let value = value.replace("/etc/krb5.conf", &krb5_conf);
                (name.to_owned(), value.replace("%H", "outside"))
            })
            .collect()
    }
}

impl Outside<'_> {
    /// PEM of the CA of its certificate.
    pub fn ca(&self) -> Result<String> {
        Ok(fs::read_to_string(etc().join("ca.crt"))?)
    }

    fn start(&self) -> Result<()> {
        process::spawn(DAEMON, &mut self.stage.fetcher())?;
        process::wait_for_daemon(DAEMON, READY, || self.is_ready())
    }

    /// Starts it anew, with a client certificate of this user in place of its service account's token, and no word of
    /// what it has logged.
    pub fn act_as(&self, user: &str) -> Result<()> {
        process::stop(DAEMON)?;
        process::remove_log(DAEMON)?;
        let theirs = fs::read_to_string(users::user_kubeconfig(&self.stage.admin, user, &[])?)?;
        let theirs: Value = serde_json::from_str(&theirs)?;
        for (key, file) in [
            ("client-certificate-data", "client.crt"),
            ("client-key-data", "client.key"),
        ] {
            let data = theirs["users"][0]["user"][key].as_str();
            let data = data.with_context(|| format!("the kubeconfig of {user} has no {key}"))?;
            fs::write(etc().join(file), STANDARD.decode(data)?)?;
        }
        let kubeconfig = etc().join("kubeconfig");
        let by_token = fs::read_to_string(&kubeconfig)?;
        let by_certificate = by_token.replace("tokenFile:", "# tokenFile:");
        fs::write(kubeconfig, by_certificate.replace("# client-", "client-"))?;
        self.start()
    }

    /// The answer to a pod's token.
    pub fn ask(&self, bearer: &str) -> Result<Answer> {
        ask(&self.url, &[], &etc().join("ca.crt"), bearer)
    }

    /// What its doctor finds, getting tokens for this user.
    pub fn doctor(&self, user: &str) -> Result<String> {
        let mut doctor = self.stage.fetcher();
        let output = doctor.args(["doctor", "--user", user]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it has logged.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(process::Daemon::new(DAEMON).log())?)
    }

    /// Puts a certificate of this name in the place of the one before, and waits until it is served.
    pub fn change_certificate(&self, name: &str) -> Result<()> {
        issue(name, self.address)?;
        let port = self.url.trim_start_matches("https://");
        let served = || {
            let mut client = Command::new("openssl");
            client.args(["s_client", "-connect", port]);
            let shown = process::run(&mut client).unwrap_or_default();
            Ok(shown.contains(&format!("CN = {name}")).then_some(()))
        };
        process::wait_until("the other certificate", FOLLOWED, served)
    }

    fn is_ready(&self) -> bool {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--max-time", "2"]);
        process::run(curl.arg(format!("http://{}/readyz", self.admin))).is_ok()
    }

    /// The directory that stands for /etc/kube2hadoop.
    fn lay_out(&self, settings: &Settings) -> Result<()> {
        let etc = etc();
        if etc.exists() {
            fs::remove_dir_all(&etc)?;
        }
        fs::DirBuilder::new().mode(0o700).create(&etc)?;
        let hadoop = &self.stage.hadoop;
        fs::copy(hadoop.keytab("kube2hadoop"), etc.join("keytab"))?;
        authority()?;
        issue("first", self.address)?;
        let token = ["create", "token", ACCOUNT, "-n", NAMESPACE];
        fs::write(etc.join("token"), self.stage.admin.run(&token)?.trim())?;
        let (server, ca) = users::api_server(&self.stage.admin)?;
        fs::write(etc.join("cluster-ca.crt"), ca)?;
        let here = etc.display().to_string();
        let kubeconfig = KUBECONFIG.replace("https://kubernetes.example.com:6443", &server);
        fs::write(etc.join("kubeconfig"), kubeconfig.replace(ETC, &here))?;
        let conf_dir = settings.conf_dir.display().to_string();
        let config = CONFIG
            .replace(ETC, &here)
            .replace("0.0.0.0:8443", self.url.trim_start_matches("https://"))
            .replace("127.0.0.1:9990", &self.admin)
            .replace("/etc/hadoop/conf", &conf_dir)
            .replace("kube2hadoop@EXAMPLE.COM", &hadoop.principal("kube2hadoop"))
            .replace("kube2hadoop-ledger", &settings.ledger)
            .replace(
                "excludedNamespaces: []",
                &format!("excludedNamespaces: [{LEDGER}, {LEFT_OUT}]"),
            )
            .replace(
                "{lease: kube2hadoop-fetcher}",
                &format!("{{lease: {}, graceSeconds: 5}}", settings.lease),
            );
        fs::write(etc.join("fetcher.yaml"), config).context("failed to write fetcher.yaml")
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        let ended = process::stop(DAEMON).and_then(|()| process::remove_log(DAEMON));
        let removed = ended.and_then(|()| Ok(fs::remove_dir_all(etc())?));
        if let Err(error) = removed {
            println!("failed to end the fetcher outside the cluster: {error:#}");
        }
    }
}

fn etc() -> PathBuf {
    places::state().join("outside")
}

fn free_address(address: IpAddr) -> Result<String> {
    Ok(TcpListener::bind((address, 0))?.local_addr()?.to_string())
}

fn openssl(args: &[&str]) -> Result<()> {
    process::run(Command::new("openssl").args(args).current_dir(etc())).map(drop)
}

/// A key and a request for a certificate, or a certificate of its own.
fn request(name: &str, key: &str, more: &[&str]) -> Result<()> {
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        key,
    ];
    let subject = format!("/CN={name}");
    openssl(&[&["req", "-subj", &subject], &key[..], more].concat())
}

fn authority() -> Result<()> {
    request(
        "outside",
        "ca.key",
        &["-x509", "-days", "2", "-out", "ca.crt"],
    )
}

/// Both files are replaced, each in one step, and between the two they do not fit together.
fn issue(name: &str, address: IpAddr) -> Result<()> {
    request(name, "new.key", &["-new", "-out", "new.csr"])?;
    let extensions = format!("extendedKeyUsage=serverAuth\nsubjectAltName=IP:{address}\n");
    fs::write(etc().join("new.ext"), extensions)?;
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "new.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "new.ext",
        "-out",
        "new.crt",
    ])?;
    for (new, old) in [("new.crt", "tls.crt"), ("new.key", "tls.key")] {
        rename(new, old)?;
    }
    Ok(())
}

fn rename(from: &str, to: &str) -> Result<()> {
    let at = |name: &str| Path::new(&etc()).join(name);
    fs::rename(at(from), at(to)).with_context(|| format!("failed to replace {to}"))
}
