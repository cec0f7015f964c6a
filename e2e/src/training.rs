//! Kubeflow's training-operator, built from source and run in the cluster as its own manifests say.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::kubectl::Kubectl;
use crate::provider::{ImageArchive, Provider};
use crate::toolchain::TRAINING_OPERATOR;
use crate::{buildah, places, process, progress};

/// Where its manifests put it, and who it is there: what the chart is told to trust.
pub const NAMESPACE: &str = "kubeflow";
const DOCKERFILE: &str = "FROM scratch\nCOPY rootfs/ /\nUSER 65532:65532\n";
/// The image that its manifests name.
const THEIRS: &str = "image: kubeflow/training-operator:";
/// Workers of a PyTorchJob wait for their master by a program that the test bench's images do not have, and have no
/// need of one.
const INIT_CONTAINER: &str = "\
- name: init-pytorch
  image: kube2hadoop-e2e/hadoop-client:3.4.1
  imagePullPolicy: Never
  command: ['/bin/sh', '-c', 'echo {{.MasterAddr}}']
";

/// The operator while it runs; dropping it takes it and its kinds away.
pub struct TrainingOperator<'a> {
    admin: &'a Kubectl,
    manifests: String,
}

impl<'a> TrainingOperator<'a> {
    /// Builds it where it is not built yet, and waits until it serves.
    pub fn start(provider: &dyn Provider, admin: &'a Kubectl) -> Result<Self> {
        TRAINING_OPERATOR.build()?;
        let image = image()?;
        provider.load_image(&image)?;
        let operator = Self {
            admin,
            manifests: manifests(&image.name)?,
        };
        operator.remove()?;
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        admin.run_with_input(&apply, &operator.manifests)?;
        let wait = [
            "rollout",
            "status",
            "deployment/training-operator",
            "--timeout=120s",
            "-n",
            NAMESPACE,
        ];
        admin.run(&wait)?;
        Ok(operator)
    }

    fn remove(&self) -> Result<()> {
        let delete = ["delete", "--ignore-not-found", "--timeout=60s", "-f", "-"];
        self.admin
            .run_with_input(&delete, &self.manifests)
            .map(drop)
    }
}

impl Drop for TrainingOperator<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            progress::say(format!("failed to remove training-operator: {error:#}"));
        }
    }
}

fn image() -> Result<ImageArchive> {
    let version = TRAINING_OPERATOR.version()?;
    let image = ImageArchive {
        name: format!("kube2hadoop-e2e/training-operator:{version}"),
        path: places::cache().join(format!("training-operator-{version}/image.tar")),
    };
    if !image.path.exists() {
        let step = progress::step(format!("building {}", image.name));
        let binary = TRAINING_OPERATOR.binary("training-operator.v1")?;
        buildah::pack(&image, None, DOCKERFILE, |root| {
            buildah::put(
                &root.join("etc/config/initContainer.yaml"),
                INIT_CONTAINER,
                0o644,
            )?;
            fs::copy(&binary, root.join("manager"))
                .map(drop)
                .context("failed to copy the operator")
        })?;
        step.done("");
    }
    Ok(image)
}

/// The manifests of the module's own release, with our image.
fn manifests(image: &str) -> Result<String> {
    let kept = places::cache().join(format!(
        "training-operator-{}/manifests.yaml",
        TRAINING_OPERATOR.version()?
    ));
    if !kept.exists() {
        let overlay = TRAINING_OPERATOR
            .sources()?
            .join("manifests/overlays/standalone");
        let kubectl = crate::toolchain::KUBERNETES.binary("kubectl")?;
        let text = process::run(Command::new(kubectl).arg("kustomize").arg(overlay))?;
        fs::write(&kept, text)?;
    }
    let text = fs::read_to_string(&kept)?;
    let ours = |line: &str| match line.split_once(THEIRS) {
        Some((indent, _)) => format!("{indent}image: {image}\n"),
        None => format!("{line}\n"),
    };
    Ok(text.lines().map(ours).collect())
}
