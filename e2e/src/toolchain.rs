//! Tools built from source, each from a go.mod of its own under `toolchain/`, kept in the cache by version.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{places, process, progress};

/// A Go module whose commands we use.
pub struct Tool {
    /// Its directory under `toolchain/`, and the start of its name in the cache.
    pub name: &'static str,
    /// The module that go.mod requires, which gives the version.
    pub module: &'static str,
    /// The packages to build; the last part of each is the binary's name.
    pub commands: &'static [&'static str],
    /// Linked statically, since the image it runs from holds nothing else.
    runs_in_a_pod: bool,
    /// The variable's prefix that `version` is linked into, where the program reports one.
    version_package: Option<&'static str>,
}

pub const KUBERNETES: Tool = Tool {
    name: "kubernetes",
    module: "k8s.io/kubernetes",
    commands: &[
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "k8s.io/kubernetes/cmd/kubelet",
        "k8s.io/kubernetes/cmd/kube-proxy",
        "k8s.io/kubernetes/cmd/kubectl",
    ],
    runs_in_a_pod: false,
    version_package: Some("k8s.io/component-base/version"),
};

pub const HELM: Tool = Tool {
    name: "helm",
    module: "helm.sh/helm/v3",
    commands: &["helm.sh/helm/v3/cmd/helm"],
    runs_in_a_pod: false,
    version_package: None,
};

pub const COREDNS: Tool = Tool {
    name: "coredns",
    module: "github.com/coredns/coredns",
    commands: &["github.com/coredns/coredns"],
    runs_in_a_pod: false,
    version_package: None,
};

/// Kubeflow's operator of TFJob, PyTorchJob and the like.
pub const TRAINING_OPERATOR: Tool = Tool {
    name: "training-operator",
    module: "github.com/kubeflow/training-operator",
    commands: &["github.com/kubeflow/training-operator/cmd/training-operator.v1"],
    runs_in_a_pod: true,
    version_package: None,
};

impl Tool {
    /// Where the binary of this name lies once [`Tool::build`] has run.
    pub fn binary(&self, name: &str) -> Result<PathBuf> {
        let version = self.version()?;
        Ok(places::cache()
            .join(format!("{}-{version}", self.name))
            .join("bin")
            .join(name))
    }

    /// Builds what is missing in the cache; the first build of Kubernetes takes minutes.
    pub fn build(&self) -> Result<()> {
        for package in self.commands {
            let name = package.rsplit('/').next().unwrap_or(package);
            let target = self.binary(name)?;
            if !target.exists() {
                let step =
                    progress::step(format!("building {name} {} from source", self.version()?));
                self.build_one(package, &target)?;
                step.done("");
            }
        }
        Ok(())
    }

    /// Built aside and renamed, so that a killed build leaves no half of a program.
    fn build_one(&self, package: &str, target: &std::path::Path) -> Result<()> {
        fs::create_dir_all(target.parent().context("the cache has no directory")?)?;
        let half = target.with_extension(format!("{}.building", std::process::id()));
        let mut go = Command::new("go");
        go.current_dir(places::toolchain().join(self.name))
            .args(["build", "-trimpath", "-ldflags", &self.link_flags()?, "-o"])
            .arg(&half)
            .arg(package);
        if self.runs_in_a_pod {
            go.env("CGO_ENABLED", "0");
        }
        process::run(&mut go)
            .context("Go 1.24 or newer must be in PATH, and proxy.golang.org reachable")?;
        fs::rename(&half, target)?;
        Ok(())
    }

    /// Where the module's own files lie, manifests among them.
    pub fn sources(&self) -> Result<PathBuf> {
        let mut go = Command::new("go");
        go.current_dir(places::toolchain().join(self.name)).args([
            "mod",
            "download",
            "-json",
            self.module,
        ]);
        let printed = process::run(&mut go)?;
        let module: serde_json::Value = serde_json::from_str(&printed)?;
        let directory = module["Dir"].as_str();
        directory
            .map(PathBuf::from)
            .with_context(|| format!("go knows no directory of {}", self.module))
    }

    fn link_flags(&self) -> Result<String> {
        let Some(package) = self.version_package else {
            return Ok("-s -w".to_owned());
        };
        let version = self.version()?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
        Ok(format!(
            "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
        ))
    }

    /// The version that go.mod requires: the manifest is the one place that says it.
    pub fn version(&self) -> Result<String> {
        let manifest = places::toolchain().join(self.name).join("go.mod");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("failed to read {}", manifest.display()))?;
        required(&text, self.module)
            .with_context(|| format!("{} does not require {}", manifest.display(), self.module))
    }
}

fn required(manifest: &str, module: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let mut words = line.trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module))
            .then(|| words.next().map(str::to_owned))
            .flatten()
            .filter(|v| v.starts_with('v'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_names_its_version() {
        for tool in [KUBERNETES, HELM, COREDNS, TRAINING_OPERATOR] {
            assert!(tool.version().unwrap().starts_with('v'), "{}", tool.name);
        }
    }

    #[test]
    fn a_replaced_module_is_not_taken_for_a_requirement() {
        let manifest = "replace (\n\tk8s.io/api => k8s.io/api v0.34.4\n)\nrequire (\n\tk8s.io/api v0.0.0 // indirect\n)";
        assert_eq!(required(manifest, "k8s.io/api").as_deref(), Some("v0.0.0"));
    }
}
