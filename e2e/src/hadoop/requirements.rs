//! What must be on this machine: programs from Debian, and Hadoop's jars from Maven Central.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::files;
use crate::{packages, places, process, progress};

/// The release that runs.
pub(crate) const HADOOP: &str = "3.4.1";

/// Jars that Maven Central has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jars {
    what: &'static str,
    version: &'static str,
    /// Their list, under e2e/hadoop.
    pom: &'static str,
}

pub(super) const CURRENT: Jars = Jars {
    what: "hadoop",
    version: HADOOP,
    pom: "pom.xml",
};

/// What the annex needs besides.
pub(super) const ANNEX: Jars = Jars {
    what: "hadoop-annex",
    version: HADOOP,
    pom: "annex/pom.xml",
};

/// The oldest release that is supported.
pub(super) const OLDEST: Jars = Jars {
    what: "hadoop",
    version: "2.7.3",
    pom: "release-2/pom.xml",
};

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
    CURRENT.ensure(no_install)
}

/// The same for the annex.
pub(super) fn ensure_annex(no_install: bool) -> Result<()> {
    programs(&[("openssl", "openssl")], no_install)?;
    ANNEX.ensure(no_install)
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
    CURRENT.directory()
}

impl Jars {
    /// Fetches them where they are missing.
    pub(super) fn ensure(self, no_install: bool) -> Result<()> {
        if self.are_current()? {
            return Ok(());
        }
        programs(&[("mvn", "maven")], no_install)?;
        self.fetch()
    }

    /// Where they are.
    pub(super) fn directory(self) -> PathBuf {
        self.cache().join("lib")
    }

    fn cache(self) -> PathBuf {
        places::cache().join(format!("{}-{}", self.what, self.version))
    }

    fn pom(self) -> PathBuf {
        places::sources().join("hadoop").join(self.pom)
    }

    /// The pom that the jars were fetched with lies beside them.
    fn are_current(self) -> Result<bool> {
        let wanted = fs::read(self.pom())
            .with_context(|| format!("failed to read e2e/hadoop/{}", self.pom))?;
        let had = fs::read(self.cache().join("pom.xml"));
        Ok(had.is_ok_and(|had| had == wanted) && self.directory().is_dir())
    }

    fn fetch(self) -> Result<()> {
        let step = progress::step(format!(
            "fetching the jars of {} {} from Maven Central",
            self.what, self.version
        ));
        let partial = self.cache().join("lib.partial");
        files::remove(&partial)?;
        fs::create_dir_all(self.cache())?;
        let mut maven = Command::new("mvn");
        maven
            .args(["--quiet", "--batch-mode", "--file"])
            .arg(self.pom())
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
        files::remove(&self.directory())?;
        fs::rename(&partial, self.directory())?;
        fs::copy(self.pom(), self.cache().join("pom.xml"))?;
        step.done("");
        Ok(())
    }
}

fn on_path(program: &str) -> bool {
    process::run(Command::new("which").arg(program)).is_ok()
        || Path::new("/usr/sbin").join(program).exists()
}
