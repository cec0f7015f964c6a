//! The three images, from the one Dockerfile, as archives that a cluster can load.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::dist::Dist;
use crate::provider::ImageArchive;
use crate::{packages, places, process, progress};

/// The tag of the images, and the chart's appVersion.
pub const TAG: &str = env!("CARGO_PKG_VERSION");

/// Stage of the Dockerfile and name of the image.
const TARGETS: [&str; 3] = ["webhook", "fetcher", "client"];

/// File beside an archive that says what it was made of.
const MARK: &str = "ingredients";

/// What the fetcher's base holds besides the C library: Kerberos, CA certificates, and a shell for the Dockerfile's
/// RUN.
const BASE_PACKAGES: &str =
    "--include=base-files,dash,coreutils,libc-bin,netbase,libgssapi-krb5-2,ca-certificates";

/// Bytes of the client's archive, at most.
const MOST_OF_CLIENT: u64 = 4_000_000;

/// Builds the images whose binary, Dockerfile or base has changed, and gives all three.
pub fn build(dist: &Dist, no_install: bool) -> Result<Vec<ImageArchive>> {
    let builder = Builder::find(no_install)?;
    let images = TARGETS.iter().map(|target| builder.image(dist, target));
    images.collect()
}

/// Changes with any image. Their tag stays, and without this a rebuilt one would not reach running replicas.
pub fn fingerprint() -> String {
    let ingredients = TARGETS.map(|target| fs::read_to_string(directory(target).join(MARK)));
    ingredients.map(Result::unwrap_or_default).join("-")
}

/// Where the image of a target is kept.
fn directory(target: &str) -> PathBuf {
    places::cache().join(format!("image-{target}"))
}

/// Which program builds, and what the fetcher stands on.
enum Builder {
    /// Needs no daemon and reaches no registry: the base comes from Debian's packages.
    Buildah,
    /// For those who have it and no buildah; the base is the Dockerfile's own.
    Docker,
}

impl Builder {
    fn find(no_install: bool) -> Result<Self> {
        if answers("buildah", &["--version"]) {
            packages::ensure(&["mmdebstrap"], no_install)?;
            return Ok(Self::Buildah);
        }
        // The daemon must answer: the command alone builds nothing.
        if answers("docker", &["info"]) {
            return Ok(Self::Docker);
        }
        packages::ensure(&["buildah", "mmdebstrap"], no_install)?;
        Ok(Self::Buildah)
    }

    fn image(&self, dist: &Dist, target: &str) -> Result<ImageArchive> {
        let binary = dist.binary(&format!("kube2hadoop-{target}"));
        let directory = directory(target);
        let image = ImageArchive {
            name: format!("kube2hadoop/{target}:{TAG}"),
            path: directory.join("image.tar"),
        };
        let (mark, ingredients) = (directory.join(MARK), self.ingredients(&binary)?);
        if image.path.exists() && fs::read_to_string(&mark).is_ok_and(|old| old == ingredients) {
            return Ok(image);
        }
        let step = progress::step(format!("building image {}", image.name));
        fs::create_dir_all(&directory)?;
        let partial = directory.join("partial.tar");
        remove(&partial)?;
        self.archive(dist.directory(), target, &image.name, &partial)?;
        if target == "client" {
            is_small(&partial)?;
        }
        fs::rename(&partial, &image.path)?;
        fs::write(mark, ingredients)?;
        step.done("");
        Ok(image)
    }

    /// What the image is made of, as a short text: equal ingredients, equal image.
    fn ingredients(&self, binary: &Path) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        fs::read(binary)
            .with_context(|| format!("failed to read {}", binary.display()))?
            .hash(&mut hasher);
        fs::read(dockerfile())?.hash(&mut hasher);
        (matches!(self, Self::Buildah), BASE_PACKAGES).hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }

    fn archive(&self, context: &Path, target: &str, name: &str, to: &Path) -> Result<()> {
        let work = tempfile::tempdir_in(places::cache())?;
        match self {
            Self::Buildah => Buildah::new(work.path()).archive(context, target, name, to),
            Self::Docker => docker_archive(context, target, name, to),
        }
    }
}

/// buildah with a storage of its own, thrown away after the build: `vfs` keeps a whole copy per layer.
struct Buildah<'a> {
    work: &'a Path,
}

impl<'a> Buildah<'a> {
    fn new(work: &'a Path) -> Self {
        Self { work }
    }

    fn archive(&self, context: &Path, target: &str, name: &str, to: &Path) -> Result<()> {
        const BASE: &str = "localhost/kube2hadoop-base:1";
        if target == "fetcher" {
            self.import_base(BASE)?;
        }
        let base = format!("BASE_IMAGE={BASE}");
        let mut build = self.buildah(&["bud", "--isolation", "chroot", "--quiet", "--pull-never"]);
        build.args(["--build-arg", &base, "--target", target, "--tag", name]);
        process::run(build.arg("--file").arg(dockerfile()).arg(context))?;
        let to = format!("oci-archive:{}:{name}", to.display());
        process::run(self.buildah(&["push", "--quiet", name]).arg(to)).map(drop)
    }

    /// The base as an image: one layer on nothing.
    fn import_base(&self, name: &str) -> Result<()> {
        let context = self.work.join("base");
        fs::create_dir(&context)?;
        fs::copy(base()?, context.join("base.tar"))?;
        fs::write(context.join("Dockerfile"), "FROM scratch\nADD base.tar /\n")?;
        let mut build = self.buildah(&["bud", "--isolation", "chroot", "--quiet", "--tag", name]);
        process::run(build.arg(&context)).map(drop)
    }

    fn buildah(&self, args: &[&str]) -> Command {
        let mut buildah = Command::new("buildah");
        buildah.args(["--storage-driver", "vfs", "--root"]);
        buildah.arg(self.work.join("root")).arg("--runroot");
        buildah.arg(self.work.join("runroot")).args(args);
        buildah
    }
}

fn docker_archive(context: &Path, target: &str, name: &str, to: &Path) -> Result<()> {
    let mut build = Command::new("docker");
    build.args([
        "build", "--quiet", "--target", target, "--tag", name, "--file",
    ]);
    process::run(build.arg(dockerfile()).arg(context))?;
    process::run(
        Command::new("docker")
            .args(["save", "--output"])
            .arg(to)
            .arg(name),
    )
    .map(drop)
}

/// A small Debian with MIT Kerberos, extracted once.
fn base() -> Result<PathBuf> {
    let directory = places::made_of("debian-bookworm-krb5", &BASE_PACKAGES);
    let base = directory.join("base.tar");
    if base.exists() {
        return Ok(base);
    }
    fs::create_dir_all(&directory)?;
    let partial = directory.join("partial.tar");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=extract", BASE_PACKAGES]);
    mmdebstrap.args(
        ["doc", "man", "locale"]
            .map(|unread| format!("--dpkgopt=path-exclude=/usr/share/{unread}/*")),
    );
    // Extracted packages are not configured, so nothing has made the bundle of CA certificates.
    mmdebstrap.arg("--extract-hook=mkdir -p \"$1/etc/ssl/certs\" && find \"$1/usr/share/ca-certificates\" -name '*.crt' -exec cat {} + > \"$1/etc/ssl/certs/ca-certificates.crt\"");
    process::run(mmdebstrap.arg("bookworm").arg(&partial))?;
    fs::rename(&partial, &base)?;
    Ok(base)
}

/// Every pod that gets tokens has its node pull it.
fn is_small(client: &Path) -> Result<()> {
    let bytes = fs::metadata(client)?.len();
    ensure!(
        bytes <= MOST_OF_CLIENT,
        "the client image has grown to {bytes} bytes; it may have {MOST_OF_CLIENT}"
    );
    Ok(())
}

fn dockerfile() -> PathBuf {
    places::repository().join("deploy/Dockerfile")
}

fn answers(program: &str, args: &[&str]) -> bool {
    process::run(Command::new(program).args(args)).is_ok()
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!("failed to remove {}: {error}", file.display())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_image_that_has_grown_is_refused() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(MOST_OF_CLIENT).unwrap();
        is_small(image.path()).unwrap();
        image.as_file().set_len(MOST_OF_CLIENT + 1).unwrap();
        let error = is_small(image.path()).unwrap_err().to_string();
        assert!(error.contains("4000001"), "{error}");
    }
}
