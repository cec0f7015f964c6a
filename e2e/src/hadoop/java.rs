//! Hadoop's programs, as JVMs of this machine.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::requirements::{CURRENT, Jars};
use super::{files, kerberos};
use crate::process;

/// What Hadoop opens up by reflection, and JDK 17 keeps closed.
const OPENED: [&str; 14] = [
    "--add-opens",
    "java.base/java.lang=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.util=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.nio=ALL-UNNAMED",
    "--add-opens",
    "java.base/java.net=ALL-UNNAMED",
    "--add-exports",
    "java.security.jgss/sun.security.jgss=ALL-UNNAMED",
    "--add-exports",
    "java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens",
    "java.security.jgss/sun.security.krb5=ALL-UNNAMED",
];

/// `java` with this configuration first on the class path, up to the main class.
pub(super) fn java(conf: &Path) -> Command {
    java_of(&[CURRENT], conf)
}

/// The same with other jars.
pub(super) fn java_of(jars: &[Jars], conf: &Path) -> Command {
    let jars = jars.iter().map(|jars| jars.directory().join("*"));
    let class_path: Vec<_> = [conf.to_path_buf(), files::webapps()]
        .into_iter()
        .chain(jars)
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
    let mut java = brief(java(&files::client_conf()), class, args);
    kerberos::act_as(user, &mut java)?;
    Ok(java)
}

/// A stock tool of a release that holds a token file and no ticket.
pub(super) fn bearer_tool(
    release: Jars,
    (conf, tokens): (&Path, &Path),
    class: &str,
    args: &[&str],
) -> Command {
    let mut java = brief(java_of(&[release], conf), class, args);
    java.env("HADOOP_TOKEN_FILE_LOCATION", tokens);
    java.env("KRB5CCNAME", "FILE:/nonexistent");
    java
}

/// It lives for a second: compiling little and one collector thread is faster.
fn brief(mut java: Command, class: &str, args: &[&str]) -> Command {
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", class])
        .args(args);
    java
}

/// Runs a stock tool to its end and gives its stdout.
pub(super) fn run_tool(user: &str, class: &str, args: &[&str]) -> Result<String> {
    process::run(&mut tool(user, class, args)?)
}
