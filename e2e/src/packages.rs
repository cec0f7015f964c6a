//! Debian packages that the parts need.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, progress};

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing of `packages`, and says which. With `no_install`, missing ones are an error
/// that holds the command to type.
pub fn ensure(packages: &[&str], no_install: bool) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if no_install {
        bail!(
            "these packages are missing; install them with: apt-get install --no-install-recommends {names}"
        );
    }
    let step = progress::step(format!("installing {names}"));
    let _quiet = ServicesStayOff::begin()?;
    apt(&["update"]).context("failed to read the package lists")?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt(&[&install, missing.as_slice()].concat())?;
    step.done("");
    Ok(())
}

fn installed(package: &str) -> bool {
    let status =
        process::run(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

fn apt(args: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::run(&mut apt).map(drop)
}

/// Debian starts a service when its package is installed; we run our own etcd, containerd and KDC.
/// While this lives, nothing is started. An administrator's own policy is left alone.
struct ServicesStayOff {
    ours: bool,
}

impl ServicesStayOff {
    fn begin() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { ours: true })
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if self.ours {
            // Left behind it would only keep services from starting at a later installation.
            let _ = fs::remove_file(POLICY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_only_said_where_nothing_may_be_installed() {
        let error = ensure(&["kube2hadoop-of-no-debian"], true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "these packages are missing; install them with: \
             apt-get install --no-install-recommends kube2hadoop-of-no-debian"
        );
        ensure(&[], true).unwrap();
    }
}
