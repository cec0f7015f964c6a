//! One run at a time changes the cluster.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Keeps every other run's `up` and `down` waiting, while it lives.
#[must_use]
pub(super) struct Alone {
    file: File,
    path: PathBuf,
}

impl Alone {
    /// Waits for another run's `up` or `down` to end. Makes the state directory.
    pub(super) fn in_state(state: &Path) -> Result<Self> {
        loop {
            fs::create_dir_all(state)
                .with_context(|| format!("failed to make {}", state.display()))?;
            let path = state.join("lock");
            let file = match File::create(&path) {
                // A `down` has removed the directory since.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file.with_context(|| format!("failed to make {}", path.display()))?,
            };
            file.lock().context("failed to lock the state directory")?;
            let alone = Self { file, path };
            if alone.is_known_to_others()? {
                return Ok(alone);
            }
        }
    }

    /// Whoever waited for a `down` has locked a file that nobody else finds.
    fn is_known_to_others(&self) -> Result<bool> {
        let ours = self.file.metadata()?;
        let found = fs::metadata(&self.path);
        Ok(found.is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino())))
    }

    /// Removes the lock and lets others go on, who make another one.
    pub(super) fn forget(self) -> Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("failed to remove {}", self.path.display()))?;
        // What else lies there is not ours.
        let _ = self.path.parent().map(fs::remove_dir);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::TryLockError;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::process::wait_until;

    /// The kernel lists who waits for which file with an arrow.
    fn somebody_waits_for(alone: &Alone) -> Result<()> {
        let inode = format!(":{} ", alone.file.metadata()?.ino());
        wait_until("the kernel's list", Duration::from_secs(10), || {
            let locks = fs::read_to_string("/proc/locks")?;
            let waits = |line: &str| line.contains("-> ") && line.contains(&inode);
            Ok(locks.lines().any(waits).then_some(()))
        })
    }

    #[test]
    fn who_waited_for_a_down_holds_the_lock_that_others_find() {
        let directory = tempfile::tempdir().unwrap();
        let state = &directory.path().join("state");
        let down = Alone::in_state(state).unwrap();
        thread::scope(|scope| {
            let up = scope.spawn(|| Alone::in_state(state).unwrap());
            somebody_waits_for(&down).unwrap();
            down.forget().unwrap();
            let _up = up.join().unwrap();
            let third = File::open(state.join("lock")).unwrap();
            assert!(matches!(third.try_lock(), Err(TryLockError::WouldBlock)));
        });
    }
}
