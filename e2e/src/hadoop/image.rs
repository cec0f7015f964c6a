//! The image of pods that use Hadoop by its stock client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::requirements::{self, HADOOP};
use crate::buildah::{self, put};
use crate::provider::ImageArchive;
use crate::{places, process, progress};

const DOCKERFILE: &str = include_str!("../../hadoop/image/Dockerfile");
const LAUNCHER: &str = include_str!("../../hadoop/image/hdfs");
const LOG4J: &str = include_str!("../../hadoop/client/log4j.properties");

/// Extracted, and never configured: nothing here starts by a maintainer script.
const PACKAGES: &str =
    "base-files,bash,dash,coreutils,libc-bin,grep,sed,netbase,openjdk-17-jre-headless";

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
    let ingredients = (
        DOCKERFILE,
        LAUNCHER,
        LOG4J,
        PACKAGES,
        LEFT_OUT,
        SERVERS_JARS,
        ETC,
    );
    let image = buildah::archive(
        &format!("kube2hadoop-e2e/hadoop-client:{HADOOP}"),
        &format!("hadoop-client-{HADOOP}"),
        ingredients,
    );
    if !image.path.exists() {
        requirements::ensure(no_install)?;
        requirements::programs(
            &[("buildah", "buildah"), ("mmdebstrap", "mmdebstrap")],
            no_install,
        )?;
        let base = java_base(&[])?;
        let step = progress::step(format!("building {}", image.name));
        buildah::pack(&image, Some(&base), DOCKERFILE, root_files)?;
        step.done("");
    }
    Ok(image)
}

/// A Debian with a Java runtime and these packages besides, as a tar file.
pub(crate) fn java_base(more: &[&str]) -> Result<PathBuf> {
    let packages = [&[PACKAGES], more].concat().join(",");
    let directory = places::made_of("debian-bookworm-jre-17", &(&packages, LEFT_OUT));
    let base = directory.join("base.tar");
    if base.exists() {
        return Ok(base);
    }
    let step = progress::step("extracting a Debian with a Java runtime");
    fs::create_dir_all(&directory)?;
    let partial = directory.join("partial.tar");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=extract"]);
    mmdebstrap.arg(format!("--include={packages}"));
    mmdebstrap.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    process::run(mmdebstrap.arg("bookworm").arg(&partial))?;
    fs::rename(&partial, &base)?;
    step.done("");
    Ok(base)
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
    accounts(root)?;
    put(&root.join("opt/hadoop/etc/log4j.properties"), LOG4J, 0o644)?;
    put(&root.join("usr/local/bin/hdfs"), LAUNCHER, 0o755)?;
    Ok(())
}

/// What makes a Java program know its user: Hadoop's client asks the system before it looks for a token.
pub(crate) fn accounts(root: &Path) -> Result<()> {
    for (name, text) in ETC {
        put(&root.join("etc").join(name), text, 0o644)?;
    }
    fs::create_dir_all(root.join("home/app"))?;
    Ok(())
}
