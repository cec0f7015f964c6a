//! The image of pods that use HDFS by hdfs-native, a client without Java, as PyPI distributes it.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::hadoop::image::{accounts, java_base};
use crate::hadoop::requirements::programs;
use crate::provider::ImageArchive;
use crate::spark::PYTHON;
use crate::{buildah, process, progress};

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
    programs(
        &[("pip3", "python3-pip"), ("buildah", "buildah")],
        no_install,
    )?;
    // The base of the Spark image, which is there already.
    let base = java_base(&PYTHON)?;
    let step = progress::step(format!("building {IMAGE}"));
    buildah::pack(&image, Some(&base), DOCKERFILE, |root| {
        let requirements = tempfile::NamedTempFile::new()?;
        fs::write(requirements.path(), REQUIREMENTS)?;
        let mut pip = Command::new("pip3");
        pip.args(["install", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--require-hashes", "--python-version=3.11", "--target"]);
        pip.arg(root.join("opt/python"));
        process::run(pip.arg("--requirement").arg(requirements.path()))?;
        accounts(root)
    })?;
    step.done("");
    Ok(image)
}
