//! Images from archives into our containerd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

use super::node;
use crate::process::run;
use crate::provider::{ImageArchive, full_name};
use crate::{places, progress};

/// Imports the image, unless this very archive has been imported and the image is still there.
pub(super) fn load(image: &ImageArchive) -> Result<()> {
    let name = full_name(&image.name);
    let mark = mark_of(&name);
    let fingerprint = fingerprint(&image.path)
        .with_context(|| format!("failed to find the archive of {name}"))?;
    let loaded = fs::read_to_string(&mark).is_ok_and(|loaded| loaded == fingerprint);
    if loaded && present(&name)? {
        return Ok(());
    }
    let step = progress::step(format!("loading {}", image.name));
    let mut import: Command = node::ctr();
    import
        .args(["images", "import", "--index-name", &name])
        .arg(&image.path);
    run(&mut import).with_context(|| format!("failed to load {name}"))?;
    fs::create_dir_all(directory())?;
    fs::write(mark, fingerprint)?;
    step.done("");
    Ok(())
}

/// Marks of what was loaded; `down` removes them with the images.
fn directory() -> PathBuf {
    places::state().join("images")
}

fn present(name: &str) -> Result<bool> {
    let found = run(node::ctr().args(["images", "list", "-q", &format!("name=={name}")]))?;
    Ok(found.lines().any(|line| line == name))
}

/// Size and time of change: a rebuilt archive has others.
fn fingerprint(archive: &Path) -> Result<String> {
    let metadata = fs::metadata(archive)?;
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH)?;
    Ok(format!(
        "{} {} {}",
        archive.display(),
        metadata.len(),
        changed.as_nanos()
    ))
}

fn mark_of(name: &str) -> PathBuf {
    directory().join(name.replace(['/', ':'], "-"))
}
