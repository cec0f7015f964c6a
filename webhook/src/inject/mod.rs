//! What a pod is given: a pure function from the pod, the policy and the stamp to a JSON patch.

mod annotations;
mod containers;
mod copies;
mod fetch_token;
mod ops;
mod quantity;
mod resources;
mod users;
mod volumes;
mod written;

use std::sync::OnceLock;

use kube2hadoop_client::container::REFRESH_CONTAINER;
use kube2hadoop_stamp::names;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pod::Pod;

pub use annotations::{Notes, check_size, note_legacy, strip, strip_legacy};
pub use copies::{is_copy, take_out};
pub use ops::Ops;
pub use resources::Resources;
pub use written::Pem;

/// Where Kerberos libraries look for the realm, without which Hadoop's Java client does not start.
const KRB5_CONF: &str = "/etc/krb5.conf";
/// The same in the volume.
const KRB5_CONF_FILE: &str = "conf/krb5.conf";
const VOLUME: &str = "kube2hadoop";
const IDENTITY_VOLUME: &str = "kube2hadoop-identity";
const INIT_CONTAINER: &str = "kube2hadoop-fetch-token";
const OUR_CONTAINERS: [&str; 2] = [INIT_CONTAINER, REFRESH_CONTAINER];
/// The API server's limit for the annotations of one object (k8s.io/apimachinery, TotalAnnotationSizeLimitB).
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The `inject` section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InjectPolicy {
    /// Image of the init container.
    pub image: String,
    #[serde(default = "if_not_present")]
    pub image_pull_policy: String,
    /// Of the init container.
    #[serde(default = "some")]
    pub resources: Resources,
    /// Of the sidecar, which runs as long as the pod and sleeps nearly all the time.
    #[serde(default = "little")]
    pub refresh_resources: Resources,
    /// `https://host:port`, as pods reach the fetcher.
    pub fetcher_url: String,
    /// PEM of the CA by which pods know the fetcher, where it is not the webhook's own.
    #[serde(default)]
    pub fetcher_ca: Option<Pem>,
    #[serde(default = "audience")]
    pub audience: String,
    /// How long the init container tries.
    #[serde(default = "deadline")]
    pub deadline_seconds: u32,
    /// Mount the site's krb5.conf as /etc/krb5.conf in containers that mount none of their own.
    #[serde(default = "yes")]
    pub krb5_conf: bool,
    #[serde(skip)]
    fixed: OnceLock<Fixed>,
}

/// What all pods under one policy are given alike.
#[derive(Clone, Debug)]
struct Fixed {
    volumes: volumes::Fixed,
    containers: containers::Fixed,
    fetch_token: fetch_token::Fixed,
}

impl InjectPolicy {
    fn fixed(&self) -> &Fixed {
        self.fixed.get_or_init(|| Fixed {
            volumes: volumes::fixed(&self.audience),
            containers: containers::Fixed::new(),
            fetch_token: fetch_token::Fixed::of(self),
        })
    }
}

fn some() -> Resources {
    Resources::new("100m", "1")
}

fn little() -> Resources {
    Resources::new("20m", "500m")
}

fn if_not_present() -> String {
    "IfNotPresent".into()
}

fn audience() -> String {
    names::AUDIENCE.into()
}

fn deadline() -> u32 {
    120
}

fn yes() -> bool {
    true
}

/// Why a pod cannot be given a token as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("the pod has a volume named {0}, which Kube2Hadoop needs for itself: rename it")]
    Volume(&'static str),
    #[error("the pod has a container named {0}, which Kube2Hadoop needs for itself: rename it")]
    Container(&'static str),
    #[error(
        "container {container} mounts {path}, where Kube2Hadoop puts the token: mount it elsewhere"
    )]
    MountPath { container: String, path: String },
    #[error(
        "annotation kube2hadoop.io/containers names {0}, and the pod has no such container: correct it"
    )]
    NoSuchContainer(String),
    #[error(
        "the pod's annotations are {0} bytes with those of Kube2Hadoop, and Kubernetes takes {ANNOTATIONS_LIMIT}: remove some"
    )]
    Annotations(usize),
}

/// A pod and all that its injection depends on.
#[derive(Clone, Copy, Debug)]
pub struct Injection<'a> {
    pub pod: &'a Pod<'a>,
    pub policy: &'a InjectPolicy,
    /// The CA that the fetcher's certificate comes from.
    pub ca: &'a Pem,
    /// User, submitter and stamp.
    pub notes: Notes<'a>,
    /// The whole pod, where it carries our stamp of a moment ago: what has our names is ours, and is brought to what it
    /// should be.
    pub reinvoked: Option<&'a Value>,
    /// It was made of an injected pod ([`is_copy`]): what has our names is replaced.
    pub copied: bool,
}

/// The patch, and what the person should know.
#[derive(Debug, Default)]
pub struct Injected {
    pub patch: Ops,
    pub warnings: Vec<String>,
}

impl Injection<'_> {
    /// Are volumes and containers of our names from us?
    fn names_are_ours(&self) -> bool {
        self.reinvoked.is_some() || self.copied
    }

    /// Must what stands there under a name of ours be replaced? Defaults that the API server added are no difference.
    fn differs(&self, [spec, list]: [&str; 2], at: usize, wanted: &impl Serialize) -> bool {
        let present = self.reinvoked.filter(|_| !self.copied);
        let present = present.and_then(|pod| pod.get(spec)?.get(list)?.get(at));
        let covered = |present| {
            serde_json::to_value(wanted).is_ok_and(|wanted| volumes::covers(present, &wanted))
        };
        !present.is_some_and(covered)
    }

    /// The patch that gives the pod its token.
    ///
    /// # Errors
    /// Where the pod holds something of its own in our place.
    pub fn patch(&self) -> Result<Injected, Conflict> {
        let mut ops = Ops::default();
        let mut warnings = Vec::new();
        annotations::note(&mut ops, &self.pod.metadata, &self.notes)?;
        volumes::add(&mut ops, self)?;
        containers::add(&mut ops, self, &mut warnings)?;
        // Last: until here every index is one of the pod as it came.
        fetch_token::add(&mut ops, self, &mut warnings)?;
        Ok(Injected {
            patch: ops,
            warnings,
        })
    }
}

#[cfg(test)]
mod tests;
