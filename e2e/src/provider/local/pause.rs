//! The image that every pod's sandbox runs: a static C program that waits, and reaps what is left to it.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::process::run;
use crate::provider::ImageArchive;
use crate::{places, progress};

/// A full name: containerd takes it as it is.
pub(super) const NAME: &str = "docker.io/kube2hadoop-e2e/pause:1";

const SOURCE: &str = r"#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int n) { (void)n; _exit(0); }
static void reap(int n) { (void)n; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) {
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
";

/// Builds the image once; it lies in the cache.
pub(super) fn build() -> Result<ImageArchive> {
    let directory = places::cache().join("pause-1");
    let archive = ImageArchive {
        name: NAME.to_owned(),
        path: directory.join("pause.tar"),
    };
    if archive.path.exists() {
        return Ok(archive);
    }
    let step = progress::step("building the pause image");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("pause.c"), SOURCE)?;
    fs::write(
        directory.join("Dockerfile"),
        "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n",
    )?;
    run(Command::new("musl-gcc")
        .current_dir(&directory)
        .args(["-Os", "-static", "-s", "-o", "pause", "pause.c"]))?;
    let mut build = buildah();
    run(build
        .current_dir(&directory)
        .args(["build", "--isolation", "chroot", "-t", NAME, "."]))?;
    // Pushed aside and renamed, so that a killed run leaves no half of an archive.
    let half = directory.join("pause.tar.half");
    if half.exists() {
        fs::remove_file(&half)?;
    }
    run(buildah()
        .args(["push", NAME])
        .arg(format!("docker-archive:{}:{NAME}", half.display())))?;
    fs::rename(half, &archive.path)?;
    step.done("");
    Ok(archive)
}

/// Storage of our own, on any file system.
fn buildah() -> Command {
    let mut buildah = Command::new("buildah");
    buildah
        .args(["--storage-driver", "vfs", "--root"])
        .arg(places::state().join("buildah-pause"));
    buildah
        .arg("--runroot")
        .arg(places::run().join("buildah-pause"));
    buildah
}
