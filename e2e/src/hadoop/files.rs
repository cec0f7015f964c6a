//! Where Hadoop's state lies. All of it is under one directory, which `down` removes.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::places;

/// Configuration, keytabs, tickets and data.
pub(super) fn home() -> PathBuf {
    places::state().join("hadoop")
}

/// The configuration directory of one server: `nn1`, `nn2`, `dn1` or `kms`.
pub(super) fn server_conf(id: &str) -> PathBuf {
    home().join("conf").join(id)
}

/// The configuration as an operator has it on an edge node.
pub(super) fn client_conf() -> PathBuf {
    home().join("client-conf")
}

/// Works on the host and in pods.
pub(super) fn krb5_conf() -> PathBuf {
    krb5().join("krb5.conf")
}

/// The KDC's own files.
pub(super) fn krb5() -> PathBuf {
    home().join("krb5")
}

/// The keytab of a user, or of a kind of server: `nn`, `dn`, `http`.
pub(super) fn keytab(name: &str) -> PathBuf {
    home().join("keytabs").join(format!("{name}.keytab"))
}

/// A user's ticket cache.
pub(super) fn tickets(user: &str) -> PathBuf {
    home().join("tickets").join(user)
}

/// What a server stores: `nn1`, `nn2`, `shared`, `dn1`, `kms`.
pub(super) fn data(id: &str) -> PathBuf {
    home().join("data").join(id)
}

/// Holds the empty directories that the servers' web parts look for.
pub(super) fn webapps() -> PathBuf {
    home().join("web")
}

/// Makes a directory that only its owner enters.
pub(crate) fn private_dir(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.with_context(|| format!("failed to create {}", path.display()))
}

/// Removes a directory with all in it; one that is not there is what was wanted.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Lets nobody but the owner read the file.
pub(crate) fn owner_only(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("failed to protect {}", path.display()))
}
