//! kubectl as one of the people.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{places, process, toolchain};

/// kubectl with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self {
            kubeconfig: kubeconfig.into(),
        }
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs `kubectl args` and gives what it printed.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        process::run(self.command().args(args))
    }

    /// Like [`Kubectl::run`]; the API server's warnings come first.
    pub fn told(&self, args: &[&str]) -> Result<String> {
        process::run_with_warnings(self.command().args(args), "")
    }

    /// Like [`Kubectl::run`] with `input` as stdin (`-f -`).
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Result<String> {
        process::run_with_input(self.command().args(args), input)
    }

    /// Runs `kubectl args -o json`.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let printed = process::run(self.command().args(args).args(["-o", "json"]))?;
        serde_json::from_str(&printed)
            .with_context(|| format!("kubectl {} printed no JSON", args.join(" ")))
    }

    /// Applies YAML or JSON, one document or several.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        self.run_with_input(&["apply", "-f", "-"], manifest)
            .map(drop)
    }

    /// Creates an object (`generateName` is allowed); gives the API server's warnings and kubectl's answer.
    pub fn create(&self, namespace: &str, object: &Value) -> Result<String> {
        let args = ["create", "-n", namespace, "-f", "-"];
        process::run_with_warnings(self.command().args(args), &object.to_string())
    }

    /// Like [`Kubectl::create`] with more arguments, such as `--dry-run=server`.
    pub fn create_with(&self, namespace: &str, object: &Value, more: &[&str]) -> Result<String> {
        let args = [["create", "-n", namespace, "-f", "-"].as_slice(), more].concat();
        self.run_with_input(&args, &object.to_string())
    }

    /// Like [`Kubectl::apply`] with more arguments.
    pub fn apply_with(&self, manifest: &str, more: &[&str]) -> Result<()> {
        let args = [["apply", "-f", "-"].as_slice(), more].concat();
        self.run_with_input(&args, manifest).map(drop)
    }

    /// POSTs an object to a path of the API, for what no kubectl verb does.
    pub fn create_raw(&self, path: &str, object: &Value) -> Result<String> {
        self.run_with_input(&["create", "--raw", path, "-f", "-"], &object.to_string())
    }

    /// A command with program and kubeconfig set, for what the methods do not cover.
    pub fn command(&self) -> Command {
        let mut kubectl = Command::new(program());
        kubectl.arg("--kubeconfig").arg(&self.kubeconfig);
        // In the home directory it would outlive the cluster and describe the next one wrongly.
        kubectl
            .arg("--cache-dir")
            .arg(places::state().join("kubectl-cache"));
        kubectl.env("NO_PROXY", places::no_proxy());
        kubectl
    }
}

/// Our own kubectl where it was built, the user's otherwise.
fn program() -> PathBuf {
    let built = toolchain::KUBERNETES.binary("kubectl");
    built
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("kubectl"))
}
