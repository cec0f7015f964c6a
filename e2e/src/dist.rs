//! The release binaries, as the images get them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::{packages, places, process, progress};

const MUSL: &str = "x86_64-unknown-linux-musl";

/// What the C parts of the dependencies are compiled with: aws-lc, and bindings to MIT Kerberos.
pub const BUILD_PACKAGES: [&str; 7] = [
    "build-essential",
    "clang",
    "cmake",
    "libclang-dev",
    "libkrb5-dev",
    "musl-tools",
    "pkg-config",
];

/// A binary and how it is built.
struct Binary {
    package: &'static str,
    profile: &'static str,
    target: Option<&'static str>,
}

/// Static where nothing but the kernel is needed; the fetcher links MIT Kerberos.
const BINARIES: [Binary; 3] = [
    Binary {
        package: "kube2hadoop-webhook",
        profile: "release",
        target: Some(MUSL),
    },
    Binary {
        package: "kube2hadoop-client",
        profile: "client",
        target: Some(MUSL),
    },
    Binary {
        package: "kube2hadoop-fetcher",
        profile: "release",
        target: None,
    },
];

/// The directory that holds the three binaries and nothing else: the build context of the images.
#[derive(Clone, Debug)]
pub struct Dist {
    directory: PathBuf,
}

impl Dist {
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `kube2hadoop-webhook`, `kube2hadoop-client` or `kube2hadoop-fetcher`.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Builds what is not built yet; cargo knows what has changed.
pub fn build(no_install: bool) -> Result<Dist> {
    packages::ensure(&BUILD_PACKAGES, no_install)?;
    let dist = Dist {
        directory: places::cache().join("dist"),
    };
    fs::create_dir_all(dist.directory())?;
    let cleaning = BINARIES.map(|binary| binary.cargo(&["clean", "--workspace"]));
    forget_another_clone(&target_directory(), cleaning)?;
    let (fixed, linked): (Vec<_>, Vec<_>) = BINARIES.iter().partition(|it| it.target.is_some());
    // Each is on one core for most of its time.
    thread::scope(|scope| {
        let beside = scope.spawn(|| fixed.iter().try_for_each(|binary| binary.build(&dist)));
        let built = linked.iter().try_for_each(|binary| binary.build(&dist));
        beside
            .join()
            .unwrap_or_else(|_| bail!("a build panicked"))?;
        built
    })?;
    Ok(dist)
}

/// Cargo tells stale from fresh by times, which mean nothing between clones: our own crates are compiled again when
/// the last build into this directory was of another one, once these commands have cleaned it. What they depend on is
/// shared.
pub(crate) fn forget_another_clone(
    target_directory: &Path,
    cleaning: impl IntoIterator<Item = Command>,
) -> Result<()> {
    let mark = target_directory.join("built-from");
    let repository = places::repository();
    if fs::read(&mark).is_ok_and(|last| last == repository.as_os_str().as_encoded_bytes()) {
        return Ok(());
    }
    for mut command in cleaning {
        process::run(&mut command)?;
    }
    fs::create_dir_all(target_directory)?;
    fs::write(&mark, repository.as_os_str().as_encoded_bytes())?;
    Ok(())
}

impl Binary {
    fn build(&self, dist: &Dist) -> Result<()> {
        let step = progress::step(format!("building {}", self.package));
        process::run(&mut self.cargo(&["build", "--package", self.package]))?;
        place(&self.built(), &dist.binary(self.package))?;
        step.done(size_of(&dist.binary(self.package))?);
        Ok(())
    }

    /// Cargo builds one thing at a time in a directory.
    fn target_directory(&self) -> PathBuf {
        match self.target {
            Some(_) => places::cache().join("target-static"),
            None => target_directory(),
        }
    }

    fn cargo(&self, verb: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(places::repository())
            .args(verb)
            .args(["--locked", "--profile", self.profile, "--target-dir"])
            .arg(self.target_directory());
        if let Some(target) = self.target {
            cargo.args(["--target", target]);
        }
        cargo
    }

    /// Where cargo leaves the binary.
    fn built(&self) -> PathBuf {
        let mut path = self.target_directory();
        path.extend(self.target);
        path.join(self.profile).join(self.package)
    }
}

/// The binary of that name, as [`build`] left it.
pub fn program(name: &str) -> PathBuf {
    places::cache().join("dist").join(name)
}

/// Runs a benchmark of the client's own with the program that is shipped.
pub fn client_benchmark(name: &str) -> Command {
    let [_, client, _] = &BINARIES;
    client.cargo(&["bench", "--package", client.package, "--bench", name])
}

/// An example of ours as the workspace's own tests have built it, and its path.
pub fn debug_example(name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(places::repository());
    // All members, or the dependencies' features would differ from those of the tests.
    process::run(cargo.args(["build", "--locked", "--workspace", "--example", name]))?;
    let e2e = std::env::current_exe()?;
    let directory = e2e.parent().context("a program lies in a directory")?;
    Ok(directory.join("examples").join(name))
}

/// Outside the tree, so that release builds of several clones share what they have in common.
pub fn target_directory() -> PathBuf {
    places::cache().join("target")
}

/// Copies a changed binary; one that is the same keeps its place, and so the images that hold it.
fn place(built: &Path, to: &Path) -> Result<()> {
    let new = fs::read(built).with_context(|| format!("cargo left no {}", built.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    fs::copy(built, &partial)?;
    fs::rename(&partial, to)?;
    Ok(())
}

fn size_of(file: &Path) -> Result<String> {
    let bytes = fs::metadata(file)?.len();
    Ok(format!(
        "{}.{} MB",
        bytes / 1_000_000,
        bytes % 1_000_000 / 100_000
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_leaves_binaries_of_a_target_in_a_directory_of_their_own() {
        let built: Vec<PathBuf> = BINARIES.iter().map(Binary::built).collect();
        let fixed = places::cache().join("target-static").join(MUSL);
        assert_eq!(built[0], fixed.join("release/kube2hadoop-webhook"));
        assert_eq!(built[1], fixed.join("client/kube2hadoop-client"));
        let linked = target_directory().join("release/kube2hadoop-fetcher");
        assert_eq!(built[2], linked);
    }
}
