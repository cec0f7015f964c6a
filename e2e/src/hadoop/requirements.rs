//! What must be on this machine: programs from Debian, and Hadoop's jars from Maven Central.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::files;
use crate::{packages, places, process, progress};

/// The release that runs.
pub(crate) const HADOOP: &str = "3.4.1";

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// Programs, and the Debian package that brings each.
const PROGRAMS: [(&str, &str); 6] = [
    ("krb5kdc", "krb5-kdc"),
    ("kadmin.local", "krb5-admin-server"),
    ("kinit", "krb5-user"),
    ("curl", "curl"),
    ("java", "openjdk-17-jre-headless"),
    ("setsid", "util-linux"),
];

/// Installs programs and fetches jars, where they are missing.
pub(super) fn ensure(no_install: bool) -> Result<()> {
    programs(&PROGRAMS, no_install)?;
    if jars_are_current()? {
        return Ok(());
    }
    programs(&[("mvn", "maven")], no_install)?;
    fetch_jars()
}

/// A program that is there is enough, whichever package it came from.
pub(crate) fn programs(wanted: &[(&str, &str)], no_install: bool) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    packages::ensure(&missing, no_install)
}

/// The directory of all jars, servers' and client's.
pub(super) fn jars() -> PathBuf {
    cache().join("lib")
}

fn cache() -> PathBuf {
    places::cache().join(format!("hadoop-{HADOOP}"))
}

fn pom() -> PathBuf {
    places::sources().join("hadoop").join("pom.xml")
}

/// The pom that the jars were fetched with lies beside them.
fn jars_are_current() -> Result<bool> {
    let wanted = fs::read(pom()).context("failed to read e2e/hadoop/pom.xml")?;
    Ok(fs::read(cache().join("pom.xml")).is_ok_and(|had| had == wanted) && jars().is_dir())
}

fn fetch_jars() -> Result<()> {
    let step = progress::step(format!(
        "fetching the jars of Hadoop {HADOOP} from Maven Central"
    ));
    let partial = cache().join("lib.partial");
    files::remove(&partial)?;
    fs::create_dir_all(cache())?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(pom())
        .args([COPY, "-DincludeScope=runtime"]);
    // Errors of Maven are on stdout.
    let said = maven
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .output()
        .context("failed to start mvn")?;
    if !said.status.success() {
        bail!(
            "mvn found no jars: {}",
            String::from_utf8_lossy(&said.stdout).trim()
        );
    }
    files::remove(&jars())?;
    fs::rename(&partial, jars())?;
    fs::copy(pom(), cache().join("pom.xml"))?;
    step.done("");
    Ok(())
}

fn on_path(program: &str) -> bool {
    process::run(Command::new("which").arg(program)).is_ok()
        || Path::new("/usr/sbin").join(program).exists()
}
