//! All that is up when a demo, a test or a bench begins: cluster, Hadoop, Kube2Hadoop, and the people.

mod outage;
mod outside;
mod people;
mod replicas;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::hadoop::SecureHadoop;
use crate::kubectl::Kubectl;
use crate::process::wait_until;
use crate::provider::{Choice, Provider};
use crate::{chart, directory, dist, hadoop, images, places, provider};

pub use outage::Outage;
pub use outside::{Outside, Settings};
pub use people::{Answer, Door};
pub use replicas::Replica;

/// Where Helm installs Kube2Hadoop.
pub const NAMESPACE: &str = "kube2hadoop";
/// Where the fetcher keeps what it issued.
pub const LEDGER: &str = "kube2hadoop-ledger";

/// A replica lingers, and drains.
const OLD_REPLICAS: Duration = Duration::from_secs(90);

/// The running parts and a kubectl for each of the people.
pub struct Stage {
    pub provider: Box<dyn Provider>,
    /// Install no Debian packages.
    pub no_install: bool,
    pub hadoop: SecureHadoop,
    /// The cluster's admin.
    pub admin: Kubectl,
    /// alice@example.com, mapped to the Hadoop user alice.
    pub alice: Kubectl,
    /// bob@example.com, mapped to bob.
    pub bob: Kubectl,
    /// stranger@elsewhere.org, whom no mapping rule knows.
    pub stranger: Kubectl,
    /// hdfs@example.com, mapped to a user of the deny list.
    pub superuser: Kubectl,
}

impl Stage {
    /// Brings up whatever is not up yet. Safe to call again after a crash of anything.
    pub fn up(choice: Choice) -> Result<Self> {
        let provider = provider::choose(choice)?;
        if !choice.installed {
            provider.takes_builds()?;
        }
        provider.up()?;
        provider.name_hosts(&places::HADOOP_HOSTS, provider.host_address()?)?;
        let hadoop = hadoop::up(provider.as_ref(), choice.no_install)?;
        let admin = Kubectl::new(provider.kubeconfig()?);
        provider.load_image(&hadoop.client_image()?)?;
        if !choice.installed {
            install(provider.as_ref(), &hadoop, &admin, choice.no_install)?;
        }
        let person = |name: &str| people::kubectl(&admin, name);
        Ok(Self {
            alice: person("alice@example.com")?,
            bob: person("bob@example.com")?,
            stranger: person("stranger@elsewhere.org")?,
            superuser: person("hdfs@example.com")?,
            hadoop,
            admin,
            provider,
            no_install: choice.no_install,
        })
    }

    /// Removes all that `up` made; only the cache stays.
    pub fn down(choice: Choice) -> Result<()> {
        directory::down()?;
        // The bridge that Hadoop's daemons listen on goes with the cluster.
        hadoop::down()?;
        provider::choose(choice)?.down()
    }

    /// Makes a namespace in which the people hold ClusterRole `edit`; the label is all it knows of us.
    pub fn namespace(&self, name: &str, labelled: bool) -> Result<()> {
        let labels = if labelled {
            json!({"kube2hadoop.io/inject": "enabled"})
        } else {
            json!({})
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.admin.apply(&namespace.to_string())?;
        self.admin.apply(&people::editors(name).to_string())?;
        self.default_service_account(name)
    }

    /// Pods are refused until the controller has made the namespace's service account.
    fn default_service_account(&self, namespace: &str) -> Result<()> {
        let wait = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "--timeout=30s",
            "-n",
            namespace,
        ];
        self.admin
            .run(&wait)
            .context("the namespace got no default service account")?;
        Ok(())
    }

    /// The chart as Helm would send it to the API server.
    pub fn render_chart(&self) -> Result<String> {
        chart::render(&self.hadoop)
    }

    /// The same for a fetcher that runs outside the cluster.
    pub fn render_chart_for(&self, outside: &Outside<'_>, user: Option<&str>) -> Result<String> {
        chart::render_outside(&outside.url, &outside.ca()?, user)
    }

    /// Waits until all replicas of webhook and fetcher are ready.
    pub fn services_ready(&self) -> Result<()> {
        for deployment in [
            "deployment/kube2hadoop-webhook",
            "deployment/kube2hadoop-fetcher",
        ] {
            self.admin.run(&[
                "rollout",
                "status",
                deployment,
                "--timeout=180s",
                "-n",
                NAMESPACE,
            ])?;
        }
        Ok(())
    }

    /// Replaces every replica of webhook and fetcher, and waits until only the new ones are there.
    pub fn restart_services(&self) -> Result<()> {
        let restart = ["rollout", "restart", "deployments", "-n", NAMESPACE];
        self.admin.run(&restart)?;
        self.services_ready()?;
        wait_until("the old replicas to end", OLD_REPLICAS, || {
            let pods = self.admin.json(&["get", "pods", "-n", NAMESPACE])?;
            let mut pods = pods["items"].as_array().into_iter().flatten();
            let all_stay = pods.all(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            Ok(all_stay.then_some(()))
        })
    }

    /// Prints the services' states and last lines.
    pub fn dump_services(&self) {
        for args in [
            ["get", "pods", "-o", "wide"].as_slice(),
            &[
                "logs",
                "-l",
                "app.kubernetes.io/component=webhook",
                "--tail=25",
                "--prefix",
            ],
            &[
                "logs",
                "-l",
                "app.kubernetes.io/component=fetcher",
                "--tail=25",
                "--prefix",
            ],
        ] {
            let args: Vec<&str> = args.iter().copied().chain(["-n", NAMESPACE]).collect();
            let shown = self
                .admin
                .run(&args)
                .unwrap_or_else(|error| format!("{error:#}"));
            println!("--- kubectl {}\n{shown}", args.join(" "));
        }
    }

    /// One object of our own namespace.
    pub fn own(&self, kind: &str, name: &str) -> Result<Value> {
        self.admin.json(&["get", kind, name, "-n", NAMESPACE])
    }
}

/// Builds Kube2Hadoop of this clone and installs it with its chart.
fn install(
    provider: &dyn Provider,
    hadoop: &SecureHadoop,
    admin: &Kubectl,
    no_install: bool,
) -> Result<()> {
    let dist = dist::build(no_install)?;
    directory::prepare(no_install)?;
    for archive in images::build(&dist, no_install)? {
        provider.load_image(&archive)?;
    }
    chart::install(admin, hadoop)
}
