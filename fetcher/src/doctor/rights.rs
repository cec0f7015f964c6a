//! What we may do in the cluster, as the API server sees it: what is missing shows only when a job needs it.

use std::fmt;

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};

use super::Finding;
use crate::chain;
use crate::config::Config;
use crate::ledger::secrets::TYPE;

const RIGHTS: &str = "rights";
const CLUSTER_ROLE: &str = "ClusterRole kube2hadoop-fetcher";
const ROLE: &str = "Role kube2hadoop-fetcher";
const LEDGER_ROLE: &str = "Role kube2hadoop-ledger";

/// One that the chart grants. Those to read certificate, keys, guards and registration are tried by their own checks.
struct Right<'a> {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    /// None: whatever it is called.
    name: Option<&'a str>,
    /// None: in all of them.
    namespace: Option<&'a str>,
    granted_by: &'static str,
}

impl fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = self.name {
            write!(f, " {name}")?;
        }
        match self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in the cluster"),
        }
    }
}

/// Asks about each right that this configuration needs, and tries to write to the ledger's namespace.
pub(super) async fn check(config: &Config, client: &Client) -> Vec<Finding> {
    let wanted = wanted(config);
    let asked = wanted.iter().map(|right| is_ours(client, right));
    let granted = match try_join_all(asked).await {
        Ok(granted) => granted,
        Err(error) => return vec![Finding::bad(RIGHTS, chain::text(&error))],
    };
    let pairs = wanted.iter().zip(granted);
    let mut findings: Vec<_> = pairs
        .filter(|(_, granted)| !granted)
        .map(|(right, _)| missing(right))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::good(RIGHTS, "we have all that the chart grants"));
        findings.extend(ledger(config, client).await);
    }
    findings
}

fn missing(right: &Right<'_>) -> Finding {
    let role = right.granted_by;
    let detail = format!("we may not {right}: put the chart's {role} and its binding back");
    Finding::bad(RIGHTS, detail)
}

fn wanted(config: &Config) -> Vec<Right<'_>> {
    let cluster = |verb, group, resource| Right {
        verb,
        group,
        resource,
        name: None,
        namespace: None,
        granted_by: CLUSTER_ROLE,
    };
    let mut wanted = vec![
        cluster("create", "authentication.k8s.io", "tokenreviews"),
        cluster("get", "", "pods"),
    ];
    if config.events {
        wanted.push(cluster("create", "", "events"));
    }
    if config.renews() {
        wanted.extend(["list", "watch"].map(|verb| cluster(verb, "", "pods")));
        wanted.extend(of_lease(config));
    }
    wanted.extend(of_ledger(config));
    wanted
}

fn of_lease(config: &Config) -> impl Iterator<Item = Right<'_>> {
    let named = Some(config.lifecycle.lease.as_str());
    // RBAC cannot limit a creation by name.
    let verbs = [("get", named), ("update", named), ("create", None)];
    verbs.into_iter().map(|(verb, name)| Right {
        verb,
        group: "coordination.k8s.io",
        resource: "leases",
        name,
        namespace: Some(&config.namespace),
        granted_by: ROLE,
    })
}

fn of_ledger(config: &Config) -> impl Iterator<Item = Right<'_>> {
    let namespace = config.ledger.namespace.iter();
    namespace.flat_map(|namespace| {
        let verbs = ["get", "list", "watch", "create", "update", "delete"];
        verbs.map(|verb| Right {
            verb,
            group: "",
            resource: "secrets",
            name: None,
            namespace: Some(namespace),
            granted_by: LEDGER_ROLE,
        })
    })
}

/// Everybody may ask this about themselves.
async fn is_ours(client: &Client, right: &Right<'_>) -> Result<bool, kube::Error> {
    let owned = |text: &str| Some(text.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: owned(right.verb),
                group: owned(right.group),
                resource: owned(right.resource),
                name: right.name.and_then(owned),
                namespace: right.namespace.and_then(owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// A right is not all: the namespace may be gone, its quota used up, or an admission policy may refuse our Secrets.
async fn ledger(config: &Config, client: &Client) -> Option<Finding> {
    const LEDGER: &str = "ledger";
    let namespace = config.ledger.namespace.as_deref()?;
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = Secret {
        metadata: ObjectMeta {
            generate_name: Some("kube2hadoop-doctor-".into()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.into()),
        ..Secret::default()
    };
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    Some(match api.create(&params, &secret).await {
        Ok(_) => Finding::good(LEDGER, format!("a Secret could be created in {namespace}")),
        Err(error) => Finding::bad(
            LEDGER,
            format!(
                "no Secret can be created in namespace {namespace}, so tokens are not shared nor renewed: {}: put \
                 right what it names",
                chain::text(&error)
            ),
        ),
    })
}

#[cfg(test)]
mod tests;
