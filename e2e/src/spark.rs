//! Spark as PyPI distributes it: on this machine for `spark-submit`, and as the image of drivers and executors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::hadoop::image::{accounts, java_base};
use crate::hadoop::requirements::programs;
use crate::provider::ImageArchive;
use crate::{buildah, places, process, progress};

/// The release, whose checksum is in e2e/spark/requirements.txt.
const VERSION: &str = "3.5.3";
/// What pods call the image.
pub const IMAGE: &str = "kube2hadoop-e2e/spark:3.5.3";
/// The program of the image that counts words.
pub const WORDS: &str = "local:///opt/app/words.py";

/// What a base needs for Python programs, besides a Java runtime.
pub(crate) const PYTHON: [&str; 2] = ["python3", "findutils"];

const REQUIREMENTS: &str = include_str!("../spark/requirements.txt");
const DOCKERFILE: &str = include_str!("../spark/Dockerfile");
const ENTRYPOINT: &str = include_str!("../spark/entrypoint.sh");
const PROGRAM: &str = include_str!("../spark/words.py");

/// Half of the jars by size, which no count of words loads.
const LEFT_OUT: [&str; 14] = [
    "arpack",
    "arrow-",
    "breeze",
    "datanucleus-",
    "derby-",
    "hive-",
    "mesos-",
    "netty-transport-native-kqueue",
    "rocksdbjni-",
    "spark-hive",
    "spark-mesos",
    "spark-mllib",
    "spark-yarn",
    "spire",
];

/// Fetches Spark and unpacks it, where that is not done yet. Gives its directory, a SPARK_HOME.
pub fn home(no_install: bool) -> Result<PathBuf> {
    let home = places::cache().join(format!("spark-{VERSION}"));
    if home.exists() {
        return Ok(home);
    }
    programs(
        &[("pip3", "python3-pip"), ("python3", "python3")],
        no_install,
    )?;
    let step = progress::step(format!("fetching Spark {VERSION} from PyPI"));
    let work = tempfile::tempdir_in(places::cache())?;
    let requirements = work.path().join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    let mut pip = Command::new("pip3");
    pip.args(["download", "--quiet", "--no-deps", "--no-binary=:all:"]);
    pip.args(["--require-hashes", "--requirement"])
        .arg(&requirements);
    process::run(pip.arg("--dest").arg(work.path()))?;
    let archive = work.path().join(format!("pyspark-{VERSION}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive);
    process::run(tar.arg("--directory").arg(work.path()))?;
    arrange(&work.path().join(format!("pyspark-{VERSION}")), &home)?;
    step.done("");
    Ok(home)
}

/// From the layout of a source distribution to that of a release.
fn arrange(unpacked: &Path, home: &Path) -> Result<()> {
    let partial = home.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(partial.join("python"))?;
    for (from, to) in [
        ("deps/bin", "bin"),
        ("deps/jars", "jars"),
        ("pyspark", "python/pyspark"),
        ("lib", "python/lib"),
    ] {
        let to = partial.join(to);
        process::run(
            Command::new("cp")
                .arg("-a")
                .arg(unpacked.join(from))
                .arg(&to),
        )?;
    }
    for jar in fs::read_dir(partial.join("jars"))? {
        let jar = jar?;
        let name = jar.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.iter().any(|start| name.starts_with(start)) {
            fs::remove_file(jar.path())?;
        }
    }
    fs::rename(&partial, home).context("failed to keep Spark")
}

/// Builds the image, or gives the one of the same ingredients that was built before.
pub fn image(no_install: bool) -> Result<ImageArchive> {
    let ingredients = (DOCKERFILE, ENTRYPOINT, PROGRAM, REQUIREMENTS, LEFT_OUT);
    let image = buildah::archive(IMAGE, &format!("spark-image-{VERSION}"), ingredients);
    if image.path.exists() {
        return Ok(image);
    }
    programs(
        &[("buildah", "buildah"), ("mmdebstrap", "mmdebstrap")],
        no_install,
    )?;
    let home = home(no_install)?;
    let base = java_base(&PYTHON)?;
    let step = progress::step(format!("building {IMAGE}"));
    buildah::pack(&image, Some(&base), DOCKERFILE, |root| {
        fs::create_dir_all(root.join("opt"))?;
        let spark = root.join("opt/spark");
        process::run(Command::new("cp").arg("-a").arg(&home).arg(spark))?;
        buildah::put(&root.join("opt/entrypoint.sh"), ENTRYPOINT, 0o755)?;
        buildah::put(&root.join("opt/app/words.py"), PROGRAM, 0o644)?;
        accounts(root)
    })?;
    step.done("");
    Ok(image)
}
