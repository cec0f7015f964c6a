//! Writes the files that every container of the pod reads.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use kube2hadoop_client::container::{CONF, CREDENTIALS};
use kube2hadoop_client::contract::{MAX_CONF_FILES, TokenResponse};

use super::failure::Failure;
use super::settings::Settings;
use super::trust;

/// Configuration and CAs are no secret, and other users of the pod read them.
const CONF_MODE: u32 = 0o444;

/// Whether credentials were written before, by whomever.
pub(super) fn is_there(settings: &Settings) -> bool {
    settings.dir.join(CREDENTIALS).exists()
}

/// Writes the answer's files. The credentials come last: where they are, everything is.
pub(super) fn deposit(settings: &Settings, answer: &TokenResponse) -> Result<(), Failure> {
    if answer.conf.len() > MAX_CONF_FILES {
        return Err(Failure::Protocol {
            reason: format!("it has more than {MAX_CONF_FILES} configuration files"),
            request_id: None,
        });
    }
    let conf = settings.dir.join(CONF);
    within(&conf, ensure_dir(&conf))?;
    for (name, content) in &answer.conf {
        put(&conf, name.as_str(), &content.0, CONF_MODE)?;
    }
    if let Some(ca) = &answer.ca {
        put(&settings.dir, trust::FILE, ca.as_bytes(), CONF_MODE)?;
    }
    let content = answer.credentials.expose();
    put(&settings.dir, CREDENTIALS, content, settings.file_mode)
}

fn put(dir: &Path, name: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
    within(&dir.join(name), replace(dir, name, content, mode))
}

fn within<T>(path: &Path, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}

fn ensure_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => return Ok(()),
        Ok(()) => {}
    }
    // The umask may have taken bits away.
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// A reader sees the old file or the new one, never a part. Server-given names have no leading dot,
/// so the temporary name is nobody else's.
fn replace(dir: &Path, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    let written =
        write_new(&temporary, content, mode).and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // Left by a run that was killed.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))
}
