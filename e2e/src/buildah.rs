//! Images of files laid on a base, by buildah: it needs no daemon and reaches no registry.

use std::fs;
use std::hash::Hash;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::provider::ImageArchive;
use crate::{places, process};

/// One layer on nothing.
const BASE_DOCKERFILE: &str = include_str!("../hadoop/image/Dockerfile.base");
const BASE: &str = "localhost/kube2hadoop-e2e-base:1";

/// The archive of an image in the cache, named after what the image is made of: equal ingredients, equal archive.
pub fn archive(name: &str, kind: &str, ingredients: impl Hash) -> ImageArchive {
    ImageArchive {
        name: name.to_owned(),
        path: places::made_of(kind, &ingredients).join("image.tar"),
    }
}

/// Packs the image: `dockerfile` copies the directory `rootfs`, which `lay_out` fills, onto the argument BASE_IMAGE, a
/// tar file of a root file system; without one it stands on scratch.
pub fn pack(
    image: &ImageArchive,
    base: Option<&Path>,
    dockerfile: &str,
    lay_out: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let directory = image
        .path
        .parent()
        .context("the archive lies in a directory")?;
    fs::create_dir_all(directory)?;
    let work = tempfile::tempdir_in(directory)?;
    let context = work.path().join("context");
    fs::create_dir(&context)?;
    if let Some(base) = base {
        fs::write(context.join("Dockerfile"), BASE_DOCKERFILE)?;
        let tar = context.join("base.tar");
        fs::hard_link(base, &tar).or_else(|_| fs::copy(base, &tar).map(drop))?;
        bud(work.path(), BASE, None)?;
        // The second build must not send the base once more.
        fs::remove_file(tar)?;
    }
    lay_out(&context.join("rootfs"))?;
    fs::write(context.join("Dockerfile"), dockerfile)?;
    bud(work.path(), &image.name, base.map(|_| BASE))?;
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

fn bud(work: &Path, name: &str, base: Option<&str>) -> Result<()> {
    let mut buildah = buildah(work);
    buildah.args(["bud", "--isolation", "chroot", "--quiet", "--pull-never"]);
    buildah.args(["--tag", name]);
    if let Some(base) = base {
        buildah.args(["--build-arg", &format!("BASE_IMAGE={base}")]);
    }
    process::run(buildah.arg(work.join("context"))).map(drop)
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

/// Writes a file of the image, and the directories above it.
pub fn put(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}
