//! The image of pods that use Hadoop by its stock client.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::requirements::{self, HADOOP};
use crate::provider::ImageArchive;
use crate::{places, process, progress};

const DOCKERFILE: &str = include_str!("../../hadoop/image/Dockerfile");
const BASE_DOCKERFILE: &str = include_str!("../../hadoop/image/Dockerfile.base");
const LAUNCHER: &str = include_str!("../../hadoop/image/hdfs");
const LOG4J: &str = include_str!("../../hadoop/client/log4j.properties");

/// Extracted, and never configured: nothing here starts by a maintainer script.
const PACKAGES: &str =
    "--include=base-files,bash,dash,coreutils,libc-bin,grep,sed,netbase,openjdk-17-jre-headless";

/// What no `hdfs dfs` reads.
const LEFT_OUT: [&str; 6] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/icons/*",
    "/usr/lib/jvm/*/lib/ct.sym",
    "/usr/lib/jvm/*/lib/server/classes_nocoops.jsa",
];

/// Jars of servers, and of ZooKeeper, which only servers talk to.
const SERVERS_JARS: [&str; 4] = ["hadoop-hdfs-3", "hadoop-kms-", "netty-", "leveldbjni-"];

/// Files that Debian's maintainer scripts, or whoever builds an image for Hadoop, would have made.
const ETC: [(&str, &str); 3] = [
    (
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    ),
    ("group", "root:x:0:\napp:x:1000:\n"),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
];

/// Builds the image, or gives the one of the same ingredients that was built before.
pub(super) fn build(no_install: bool) -> Result<ImageArchive> {
    let image = ImageArchive {
        name: format!("kube2hadoop-e2e/hadoop-client:{HADOOP}"),
        path: archive(),
    };
    if !image.path.exists() {
        requirements::ensure(no_install)?;
        requirements::programs(
            &[("buildah", "buildah"), ("mmdebstrap", "mmdebstrap")],
            no_install,
        )?;
        let base = base()?;
        let step = progress::step(format!("building {}", image.name));
        pack(&base, &image)?;
        step.done("");
    }
    Ok(image)
}

fn archive() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (
        DOCKERFILE,
        BASE_DOCKERFILE,
        LAUNCHER,
        LOG4J,
        PACKAGES,
        LEFT_OUT,
        SERVERS_JARS,
        ETC,
    )
        .hash(&mut hasher);
    let ingredients = hasher.finish();
    places::cache()
        .join(format!("hadoop-client-{HADOOP}-{ingredients:016x}"))
        .join("image.tar")
}

/// A Debian with a Java runtime, as a tar file.
fn base() -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (PACKAGES, LEFT_OUT).hash(&mut hasher);
    let directory =
        places::cache().join(format!("debian-bookworm-jre-17-{:016x}", hasher.finish()));
    let base = directory.join("base.tar");
    if base.exists() {
        return Ok(base);
    }
    let step = progress::step("extracting a Debian with a Java runtime");
    fs::create_dir_all(&directory)?;
    let partial = directory.join("partial.tar");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=extract", PACKAGES]);
    mmdebstrap.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    process::run(mmdebstrap.arg("bookworm").arg(&partial))?;
    fs::rename(&partial, &base)?;
    step.done("");
    Ok(base)
}

fn pack(base: &Path, image: &ImageArchive) -> Result<()> {
    let directory = image
        .path
        .parent()
        .context("the archive lies in a directory")?;
    fs::create_dir_all(directory)?;
    let work = tempfile::tempdir_in(directory)?;
    let context = work.path().join("context");
    root_files(&context.join("rootfs"))?;
    fs::write(context.join("Dockerfile"), DOCKERFILE)?;
    fs::write(context.join("Dockerfile.base"), BASE_DOCKERFILE)?;
    fs::hard_link(base, context.join("base.tar"))
        .or_else(|_| fs::copy(base, context.join("base.tar")).map(drop))?;

    let base_name = "localhost/hadoop-client-base:1";
    bud(work.path(), "Dockerfile.base", base_name, None)?;
    // The second build must not send the base once more.
    fs::remove_file(context.join("base.tar"))?;
    bud(work.path(), "Dockerfile", &image.name, Some(base_name))?;
    let partial = directory.join("partial.tar");
    let target = format!("oci-archive:{}:{}", partial.display(), image.name);
    process::run(
        buildah(work.path())
            .args(["push", "--quiet"])
            .arg(&image.name)
            .arg(target),
    )?;
    fs::rename(&partial, &image.path)?;
    Ok(())
}

fn bud(work: &Path, dockerfile: &str, name: &str, base: Option<&str>) -> Result<()> {
    let context = work.join("context");
    let mut buildah = buildah(work);
    buildah.args([
        "bud",
        "--isolation",
        "chroot",
        "--quiet",
        "--pull-never",
        "--tag",
        name,
    ]);
    if let Some(base) = base {
        buildah.args(["--build-arg", &format!("BASE_IMAGE={base}")]);
    }
    process::run(
        buildah
            .arg("--file")
            .arg(context.join(dockerfile))
            .arg(&context),
    )
    .map(drop)
}

/// Storage of its own, thrown away after the build: `vfs` keeps a whole copy per layer.
fn buildah(work: &Path) -> Command {
    let mut buildah = Command::new("buildah");
    buildah
        .args(["--storage-driver", "vfs", "--root"])
        .arg(work.join("root"));
    buildah.arg("--runroot").arg(work.join("runroot"));
    buildah
}

fn root_files(root: &Path) -> Result<()> {
    let lib = root.join("opt/hadoop/lib");
    fs::create_dir_all(&lib)?;
    for jar in fs::read_dir(requirements::jars())? {
        let jar = jar?;
        let name = jar.file_name().to_string_lossy().into_owned();
        if !SERVERS_JARS.iter().any(|server| name.starts_with(server)) {
            fs::copy(jar.path(), lib.join(name))?;
        }
    }
    for (name, text) in ETC {
        put(&root.join("etc").join(name), text, 0o644)?;
    }
    put(&root.join("opt/hadoop/etc/log4j.properties"), LOG4J, 0o644)?;
    put(&root.join("usr/local/bin/hdfs"), LAUNCHER, 0o755)?;
    fs::create_dir_all(root.join("home/app"))?;
    Ok(())
}

fn put(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}
