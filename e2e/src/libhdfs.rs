//! libhdfs, the C library over Hadoop's Java client, and a program that uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::hadoop::requirements::programs;
use crate::{places, process, progress};

/// By these cargo fetches the crate that carries the source, which pip's pyarrow does not.
const MANIFEST: &str = include_str!("../libhdfs/Cargo.toml");
const LOCK: &str = include_str!("../libhdfs/Cargo.lock");
const PROGRAM: &str = include_str!("../libhdfs/copy.c");
/// Within the vendored crates.
const SOURCE: &str = "hdfs-sys/libhdfs";
const RELEASE: &str = "hdfs_3_3";

/// A ConfigMap that holds the library and the program: together they are small enough, and an image is spared.
pub fn config_map(name: &str, no_install: bool) -> Result<Value> {
    let built = built(no_install)?;
    let file = |name: &str| Ok::<_, anyhow::Error>(STANDARD.encode(fs::read(built.join(name))?));
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "binaryData": {"libhdfs.so": file("libhdfs.so")?, "copy": file("copy")?},
    }))
}

/// The directory with both, which are built once.
fn built(no_install: bool) -> Result<PathBuf> {
    let directory = places::made_of("libhdfs", &(MANIFEST, LOCK, PROGRAM));
    if directory.exists() {
        return Ok(directory);
    }
    programs(
        &[("gcc", "gcc"), ("javac", "openjdk-17-jdk-headless")],
        no_install,
    )?;
    let step = progress::step("building libhdfs");
    let work = tempfile::tempdir_in(places::cache())?;
    vendor(work.path())?;
    let made = work.path().join("made");
    fs::create_dir(&made)?;
    compile(&work.path().join("vendor").join(SOURCE), &made)?;
    fs::rename(&made, &directory)?;
    step.done("");
    Ok(directory)
}

fn vendor(work: &Path) -> Result<()> {
    fs::write(work.join("Cargo.toml"), MANIFEST)?;
    fs::write(work.join("Cargo.lock"), LOCK)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["vendor", "--quiet", "--locked", "vendor"]);
    process::run(cargo.current_dir(work)).map(drop)
}

fn compile(source: &Path, to: &Path) -> Result<()> {
    let jdk = jdk()?;
    let release = source.join(RELEASE);
    let include = |path: PathBuf| format!("-I{}", path.display());
    let mut library = gcc();
    library.args(["-w", "-shared", "-fPIC", "-fcommon"]);
    // Else the program would look for it where it lay when both were built.
    library.arg("-Wl,-soname,libhdfs.so");
    for path in ["include", "include/linux"] {
        library.arg(include(jdk.join(path)));
    }
    for path in ["", "include", "os/posix"] {
        library.arg(include(release.join(path)));
    }
    library.arg(include(source.to_owned()));
    for directory in [release.clone(), release.join("os/posix")] {
        library.args(c_files(&directory)?);
    }
    let jvm = format!("-L{}", jdk.join("lib/server").display());
    library.args([&jvm, "-ljvm", "-o"]);
    process::run(library.arg(to.join("libhdfs.so")))?;
    let mut program = gcc();
    fs::write(to.join("copy.c"), PROGRAM)?;
    program.arg(include(release.join("include")));
    program.arg(to.join("copy.c")).arg(to.join("libhdfs.so"));
    // Where the JVM lies in a pod is the pod's matter.
    program.args(["-Wl,--allow-shlib-undefined", "-o"]);
    process::run(program.arg(to.join("copy"))).map(drop)
}

fn gcc() -> Command {
    let mut gcc = Command::new("gcc");
    gcc.arg("-O1");
    gcc
}

fn c_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let files: Result<Vec<_>, _> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let is_c = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "c");
    Ok(files?.into_iter().filter(is_c).collect())
}

/// Where the JDK of `javac` lies.
fn jdk() -> Result<PathBuf> {
    let javac = process::run(Command::new("which").arg("javac"))?;
    let javac = fs::canonicalize(javac.trim())?;
    let home = javac.ancestors().nth(2).context("javac lies in no JDK")?;
    Ok(home.to_owned())
}
