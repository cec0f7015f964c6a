//! The annex's own CA and the certificate of all its servers, by openssl and keytool.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::home;
use crate::process;

/// In the servers' ssl-server.xml and ssl-client.xml.
const PASSWORD: &str = "e2e-keystore";

/// The CA's certificate.
pub(super) fn ca() -> PathBuf {
    file("ca.pem")
}

fn file(name: &str) -> PathBuf {
    home().join("tls").join(name)
}

/// Makes both anew.
pub(super) fn make() -> Result<()> {
    fs::create_dir_all(file(""))?;
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 7 -subj /CN=annex -keyout ca.key -out ca.pem",
    )?;
    openssl("req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr")?;
    fs::write(file("names"), "subjectAltName=DNS:*.hadoop.test\n")?;
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -extfile names -out server.pem",
    )?;
    openssl(&format!(
        "pkcs12 -export -in server.pem -inkey server.key -name server -passout pass:{PASSWORD} -out server.p12"
    ))?;
    let import = format!(
        "-importcert -noprompt -alias ca -file ca.pem -keystore ca.p12 -storetype pkcs12 -storepass {PASSWORD}"
    );
    run("keytool", &import)
}

fn openssl(line: &str) -> Result<()> {
    run("openssl", line)
}

fn run(program: &str, line: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.args(line.split(' ')).current_dir(file(""));
    process::run(&mut command).map(drop)
}
