//! How long all tests took when they last ran on this machine: with an empty cache, and with a full one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::places;
use crate::toolchain::KUBERNETES;

/// What the cache held when a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cache {
    Cold,
    Warm,
}

impl Cache {
    /// Kubernetes is what takes longest to build, and the first thing that is built.
    pub fn now() -> Result<Self> {
        Ok(if KUBERNETES.binary("kubelet")?.exists() {
            Self::Warm
        } else {
            Self::Cold
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// Remembers a complete run.
pub fn remember(cache: Cache, took: Duration) -> Result<()> {
    let mut all = remembered()?;
    all.insert(cache.name().to_owned(), took.as_secs());
    fs::write(file(), serde_json::to_vec_pretty(&all)?)?;
    Ok(())
}

/// Seconds of the last complete run of each kind.
pub fn remembered() -> Result<BTreeMap<String, u64>> {
    match fs::read(file()) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(_) => Ok(BTreeMap::new()),
    }
}

fn file() -> PathBuf {
    places::cache().join("test-seconds.json")
}
