//! The files of others that are read at the start only, Hadoop's configuration and krb5.conf: that one has changed since
//! is told, as nothing else would show it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_runtime::shutdown::Shutdown;

use crate::config::Config;
use crate::hadoop::conf::FILES;
use crate::issue::configured;
use crate::metrics::Metrics;

/// How long a change on disk may go unseen.
const PERIOD: Duration = Duration::from_secs(10);

/// The files as they were when the process read them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadOnce(Vec<(PathBuf, Content)>);

/// A digest of what was read, if anything was.
type Content = Option<u64>;

impl ReadOnce {
    /// Looks at them now: before the configuration is read from them, or a change in between would go unseen.
    #[must_use]
    pub(crate) fn of(config: &Config) -> Self {
        let hadoop = &config.hadoop;
        let site = FILES.iter().map(|file| hadoop.conf_dir.join(file));
        let others = [Some(configured::krb5_conf_path()), hadoop.ca_file.clone()];
        let paths = site.chain(others.into_iter().flatten());
        Self(paths.map(with_content).collect())
    }

    /// Those that are not what they were.
    fn changed(&self) -> Vec<PathBuf> {
        let differs = |(path, before): &&(PathBuf, Content)| content(path) != *before;
        let changed = self.0.iter().filter(differs);
        changed.map(|(path, _)| path.clone()).collect()
    }

    /// Says until shutdown what has changed, each change once.
    pub(crate) async fn follow(self, metrics: Metrics, shutdown: Shutdown) {
        let files = Arc::new(self);
        let mut said = Vec::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = shutdown.requested() => return,
            }
            let looking = Arc::clone(&files);
            let looked = tokio::task::spawn_blocking(move || looking.changed()).await;
            let Ok(changed) = looked else { continue };
            metrics
                .read_once_changed
                .set(changed.len().try_into().unwrap_or(i64::MAX));
            if changed == said {
                continue;
            }
            if !changed.is_empty() {
                let files: Vec<_> = changed.iter().map(|it| it.display().to_string()).collect();
                tracing::warn!(
                    files = files.join(", "),
                    "files have changed that are read at the start only: restart the fetcher (kubectl rollout restart)"
                );
            }
            said = changed;
        }
    }
}

fn with_content(path: PathBuf) -> (PathBuf, Content) {
    let content = content(&path);
    (path, content)
}

fn content(path: &Path) -> Content {
    let bytes = std::fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_added_or_removed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write("core-site.xml", "a");
        write("hdfs-site.xml", "b");
        let text = format!(
            "hadoop: {{principal: a@R, confDir: {}}}",
            dir.path().display()
        );
        let config: Config = serde_yaml_ng::from_str(&text).unwrap();
        let files = ReadOnce::of(&config);
        assert!(files.changed().is_empty());
        write("core-site.xml", "c");
        write("yarn-site.xml", "d");
        std::fs::remove_file(at("hdfs-site.xml")).unwrap();
        let changed = ["core-site.xml", "hdfs-site.xml", "yarn-site.xml"].map(at);
        assert_eq!(files.changed(), changed);
        write("core-site.xml", "a");
        assert_eq!(files.changed(), &changed[1..]);
    }
}
