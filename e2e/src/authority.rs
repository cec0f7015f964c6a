//! A certificate authority in a directory, by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process::run;

const DAYS: &str = "3650";

/// Keys and certificates, as `NAME.key` and `NAME.crt`; its own are `ca`.
pub struct Authority {
    directory: PathBuf,
}

impl Authority {
    /// The one in this directory, which exists.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes its own key and certificate.
    pub fn found(&self, subject: &str) -> Result<()> {
        new_key(&self.file("ca.key"))?;
        let request = [
            "req", "-x509", "-new", "-subj", subject, "-days", DAYS, "-key",
        ];
        let extensions = [
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
            "-out",
        ];
        run(openssl(&request)
            .arg(self.file("ca.key"))
            .args(extensions)
            .arg(self.file("ca.crt")))
        .map(drop)
    }

    /// Issues a certificate for one use, `serverAuth` or `clientAuth`, with its alternative names as openssl has them.
    pub fn issue(
        &self,
        name: &str,
        subject: &str,
        usage: &str,
        alternative_names: &str,
    ) -> Result<()> {
        new_key(&self.key(name))?;
        let request = self.file(&format!("{name}.csr"));
        run(openssl(&["req", "-new", "-subj", subject, "-key"])
            .arg(self.key(name))
            .arg("-out")
            .arg(&request))?;
        let extensions = self.file(&format!("{name}.ext"));
        fs::write(&extensions, extension_file(usage, alternative_names))?;
        run(openssl(&[
            "x509",
            "-req",
            "-sha256",
            "-CAcreateserial",
            "-days",
            DAYS,
            "-in",
        ])
        .arg(&request)
        .arg("-CA")
        .arg(self.file("ca.crt"))
        .arg("-CAkey")
        .arg(self.file("ca.key"))
        .arg("-extfile")
        .arg(&extensions)
        .arg("-out")
        .arg(self.file(&format!("{name}.crt"))))
        .map(drop)
    }

    fn key(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.key"))
    }
}

/// Makes a private key, as PEM in that file.
pub(crate) fn new_key(file: &Path) -> Result<()> {
    let curve = [
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
    ];
    run(openssl(&curve).arg(file)).map(drop)
}

fn extension_file(usage: &str, alternative_names: &str) -> String {
    let mut text = format!("keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n");
    if !alternative_names.is_empty() {
        text += &format!("subjectAltName={alternative_names}\n");
    }
    text
}

pub(crate) fn openssl(args: &[&str]) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.args(args);
    openssl
}
