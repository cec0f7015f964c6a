//! Hadoop's programs, as JVMs of this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{files, kerberos, requirements};
use crate::process;

/// What Hadoop 3.4 opens up by reflection, and JDK 17 keeps closed.
const OPENED: [&str; 12] = [
    "--add-opens",
    "java.base/java.lang=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.util=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.nio=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.net=ALL-UNNAMED",
    "--add-exports",
    "java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens",
    "java.security.jgss/sun.security.krb5=ALL-UNNAMED",
];

/// `java` with this configuration first on the class path, up to the main class.
pub(super) fn java(conf: &Path) -> Command {
    with(conf, &[])
}

/// The same with more directories of jars.
pub(super) fn with(conf: &Path, more: &[PathBuf]) -> Command {
    let jars = std::iter::once(requirements::jars()).chain(more.iter().cloned());
    let class_path: Vec<_> = [conf.to_path_buf(), files::webapps()]
        .into_iter()
        .chain(jars.map(|directory| directory.join("*")))
        .map(|entry| entry.to_string_lossy().into_owned())
        .collect();
    let mut java = Command::new("java");
    java.arg("-Xmx256m").args(OPENED);
    java.arg(format!(
        "-Djava.security.krb5.conf={}",
        files::krb5_conf().display()
    ));
    java.args([
        "-Djava.net.preferIPv4Stack=true",
        "-cp",
        &class_path.join(":"),
    ]);
    java
}

/// A stock tool with the operator's configuration, as a Kerberos user.
pub(super) fn tool(user: &str, class: &str, args: &[&str]) -> Result<Command> {
    let mut java = java(&files::client_conf());
    // It lives for a second: compiling little and one collector thread is faster.
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", class])
        .args(args);
    kerberos::act_as(user, &mut java)?;
    Ok(java)
}

/// Runs a stock tool to its end and gives its stdout.
pub(super) fn run_tool(user: &str, class: &str, args: &[&str]) -> Result<String> {
    process::run(&mut tool(user, class, args)?)
}
