//! The image of pods that use HDFS by hdfs-native, a client without Java, as PyPI distributes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::hadoop::image::{accounts, java_base};
use crate::hadoop::requirements::programs;
use crate::provider::ImageArchive;
use crate::spark::PYTHON;
use crate::{buildah, places, process, progress};

/// What pods call the image.
pub const IMAGE: &str = "kube2hadoop-e2e/hdfs-native:0.14.7";
const REQUIREMENTS: &str = include_str!("../native/requirements.txt");
const DOCKERFILE: &str = include_str!("../native/Dockerfile");

/// Builds the image, or gives the one of the same ingredients that was built before.
pub fn image(no_install: bool) -> Result<ImageArchive> {
    let image = buildah::archive(IMAGE, "hdfs-native", (DOCKERFILE, REQUIREMENTS));
    if image.path.exists() {
        return Ok(image);
    }
    programs(&[("buildah", "buildah")], no_install)?;
    // The base of the Spark image, which is there already.
    let base = java_base(&PYTHON)?;
    let step = progress::step(format!("building {IMAGE}"));
    buildah::pack(&image, Some(&base), DOCKERFILE, |root| {
        fetch(&root.join("opt/python"), no_install)?;
        accounts(root)
    })?;
    step.done("");
    Ok(image)
}

/// The same for a Python of this machine: a directory for its path.
pub fn packages(no_install: bool) -> Result<PathBuf> {
    programs(&[("python3", "python3")], no_install)?;
    let directory = places::made_of("hdfs-native-packages", &REQUIREMENTS);
    let packages = directory.join("python");
    if packages.exists() {
        return Ok(packages);
    }
    let step = progress::step("fetching hdfs-native");
    fs::create_dir_all(&directory)?;
    let partial = tempfile::tempdir_in(&directory)?;
    fetch(&partial.path().join("python"), no_install)?;
    fs::rename(partial.path().join("python"), &packages)?;
    step.done("");
    Ok(packages)
}

fn fetch(to: &Path, no_install: bool) -> Result<()> {
    programs(&[("pip3", "python3-pip")], no_install)?;
    let requirements = tempfile::NamedTempFile::new()?;
    fs::write(requirements.path(), REQUIREMENTS)?;
    let mut pip = Command::new("pip3");
    pip.args(["install", "--quiet", "--no-deps", "--only-binary=:all:"]);
    pip.args(["--require-hashes", "--python-version=3.11", "--target"]);
    pip.arg(to).arg("--requirement").arg(requirements.path());
    process::run(&mut pip).map(drop)
}
