//! A configuration file that is followed while the service runs: a change is taken over whole, or the old one stays.
//!
//! The content is compared, since the kubelet swaps a symbolic link, of which file events show half.

use std::collections::BTreeSet;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_yaml_ng::Value;

use crate::config::File;
use crate::shutdown::Shutdown;

/// How long a change on disk may go unseen.
const PERIOD: Duration = Duration::from_secs(3);

/// `outcome`: `applied` or `refused`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What is counted of reloads. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Reloads {
    outcomes: Family<Outcome, Counter>,
    stale: Gauge,
}

impl Reloads {
    /// Registers the counters.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let reloads = Self::default();
        registry.register(
            "config_reloads",
            "Changes of the configuration file by outcome",
            reloads.outcomes.clone(),
        );
        registry.register(
            "config_stale",
            "1 while the configuration file cannot be used and an older one is in force",
            reloads.stale.clone(),
        );
        reloads
    }

    fn count(&self, outcome: &'static str, stale: bool) {
        self.outcomes.get_or_create(&Outcome { outcome }).inc();
        self.stale.set(stale.into());
    }
}

/// A file in force, and what of it may change without a restart.
#[derive(Debug)]
pub struct Followed {
    /// As the process started with it: what cannot be changed is still from there.
    started: File,
    /// Keys, with dots between levels; what is below them is live too.
    live: &'static [&'static str],
    reloads: Reloads,
}

impl Followed {
    /// Follows the file that the process started with.
    #[must_use]
    pub fn new(started: File, live: &'static [&'static str], reloads: Reloads) -> Self {
        Self {
            started,
            live,
            reloads,
        }
    }

    /// Looks again and again until shutdown. `take` checks a new content and puts it in force whole, or says what is
    /// wrong with it and changes nothing.
    pub async fn follow(
        self,
        mut take: impl FnMut(&File) -> Result<(), String>,
        shutdown: Shutdown,
    ) {
        let mut seen = Ok(self.started.clone());
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = shutdown.requested() => return,
            }
            let path = self.started.path().to_owned();
            let now = tokio::task::spawn_blocking(move || File::read(&path)).await;
            let Ok(now) = now else { continue };
            let now = now.map_err(|error| error.to_string());
            if now != seen {
                self.changed(&now, &mut take);
                seen = now;
            }
        }
    }

    fn changed(
        &self,
        now: &Result<File, String>,
        take: &mut impl FnMut(&File) -> Result<(), String>,
    ) {
        let taken = now.as_ref().map_err(Clone::clone).and_then(|file| {
            take(file)?;
            Ok(self.needs_restart(file))
        });
        self.reloads.count(
            if taken.is_ok() { "applied" } else { "refused" },
            taken.is_err(),
        );
        match taken {
            Ok(needs_restart) if needs_restart.is_empty() => {
                tracing::info!("the configuration was reloaded");
            }
            Ok(needs_restart) => tracing::warn!(
                keys = needs_restart.join(", "),
                "the configuration was reloaded, but for these keys: they take effect when the pod is restarted"
            ),
            Err(problem) => tracing::error!(
                %problem,
                "the configuration was changed and cannot be used: the one before stays in force"
            ),
        }
    }

    /// Keys that differ from those we started with, and are read at the start only.
    fn needs_restart(&self, file: &File) -> Vec<String> {
        let values = [&self.started, file].map(|file| file.parse::<Value>().unwrap_or_default());
        let [before, after] = &values;
        let mut differing = BTreeSet::new();
        differ("", before, after, &mut differing);
        let live = |key: &str| {
            let mut live = self.live.iter();
            live.any(|live| key == *live || key.starts_with(&format!("{live}.")))
        };
        differing.into_iter().filter(|key| !live(key)).collect()
    }
}

fn differ(at: &str, before: &Value, after: &Value, into: &mut BTreeSet<String>) {
    if before == after {
        return;
    }
    let (Value::Mapping(old), Value::Mapping(new)) = (before, after) else {
        into.insert(at.to_owned());
        return;
    };
    for key in old.keys().chain(new.keys()).filter_map(Value::as_str) {
        let path = if at.is_empty() {
            key.to_owned()
        } else {
            format!("{at}.{key}")
        };
        let none = Value::Null;
        let value = |of: &'_ serde_yaml_ng::Mapping| of.get(key).cloned().unwrap_or(none.clone());
        differ(&path, &value(old), &value(new), into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: &str = "listen: a\ndeny: [x]\npolicy: {connect: warn, guard: true}\n";

    fn followed(reloads: Reloads, directory: &std::path::Path) -> Followed {
        let path = directory.join("sample.yaml");
        std::fs::write(&path, STARTED).unwrap();
        Followed::new(
            File::read(&path).unwrap(),
            &["deny", "policy.connect"],
            reloads,
        )
    }

    #[test]
    fn what_needs_a_restart_is_named_by_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let followed = followed(Reloads::default(), directory.path());
        let needs = |text: &str| {
            let path = directory.path().join("other.yaml");
            std::fs::write(&path, text).unwrap();
            followed
                .needs_restart(&File::read(&path).unwrap())
                .join(" ")
        };
        assert_eq!(needs(STARTED), "");
        assert_eq!(
            needs(&STARTED.replace("[x]", "[x, y]").replace("warn", "deny")),
            ""
        );
        assert_eq!(needs(&STARTED.replace("true", "false")), "policy.guard");
        assert_eq!(
            needs(&STARTED.replace("listen: a\n", "deniable: 1\n")),
            "deniable listen"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_once_and_a_bad_one_leaves_the_old_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sample.yaml");
        let reloads = Reloads::default();
        let (trigger, shutdown) = Shutdown::new();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let take = move |file: &File| {
            let value: Value = file.parse().map_err(|error| error.to_string())?;
            let deny = value["deny"].as_sequence().ok_or("no list")?.len();
            tell.send(deny).map_err(|error| error.to_string())
        };
        let following =
            tokio::spawn(followed(reloads.clone(), directory.path()).follow(take, shutdown));
        let counts = |outcome| reloads.outcomes.get_or_create(&Outcome { outcome }).get();

        std::fs::write(&path, STARTED.replace("[x]", "[x, y]")).unwrap();
        assert_eq!(told.recv().await, Some(2));
        for (bad, refused) in [("deny: nobody", 1), ("deny: [", 2)] {
            std::fs::write(&path, bad).unwrap();
            while counts("refused") < refused {
                tokio::time::sleep(PERIOD).await;
            }
            assert_eq!(reloads.stale.get(), 1);
        }
        // Many looks later it was still said once.
        tokio::time::sleep(10 * PERIOD).await;
        assert_eq!((counts("refused"), told.is_empty()), (2, true));
        std::fs::write(&path, STARTED).unwrap();
        assert_eq!(told.recv().await, Some(1));
        trigger.request();
        following.await.unwrap();
        assert_eq!((counts("applied"), reloads.stale.get()), (2, 0));
    }
}
