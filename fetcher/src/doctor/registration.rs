//! The webhook's registration: does the API server show it every pod of a labelled namespace, and start none without?

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::{Api, Client};
use kube2hadoop_stamp::names;
use thiserror::Error;

use crate::serving_cert::Pair;

/// The entry for pods of labelled namespaces.
const PODS: &str = "pods.namespace.kube2hadoop.io";
/// What is connected to a pod is no identity: whether it fails open is `policy.connect`.
const CONNECT: &str = "connect.kube2hadoop.io";
/// Which of those pods the API server shows, by the chart's `kube2hadoop.inNamespace`.
const WANTS_HADOOP: &str = "object.?metadata.?labels[?'kube2hadoop.io/inject'].orValue('') != 'disabled' \
     || object.?metadata.?annotations.orValue({}).exists(k, k.startsWith('kube2hadoop.io/'))";
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// What is wrong with the registration, and what to do.
#[derive(Debug, Error)]
pub(super) enum RegistrationProblem {
    #[error(
        "MutatingWebhookConfiguration {0} is missing, and pods start unstamped: install the chart's"
    )]
    Missing(String),
    #[error(
        "failed to read MutatingWebhookConfiguration {0}: give kube2hadoop-fetcher the right to get it"
    )]
    Unreadable(String, #[source] kube::Error),
    #[error(
        "entry {PODS} is missing, and pods of labelled namespaces start unstamped: install the chart's"
    )]
    NoPods,
    #[error(
        "entry {0} lets everything in unstamped when the webhook does not answer: set its failurePolicy to Fail"
    )]
    FailsOpen(String),
    #[error(
        "entry {entry} has {field} other than the chart's, and pods may start unstamped: put the chart's back"
    )]
    Limited { entry: String, field: &'static str },
    #[error(
        "entry {entry} leaves out namespace {namespace}, where anybody may then write a stamp on a pod: name it in the \
         fetcher's excludedNamespaces, or put the chart's entry back"
    )]
    LeavesOut { entry: String, namespace: String },
    #[error(
        "entry {0} has no caBundle, so that labelled pods are refused: see that the webhook runs, which writes it"
    )]
    NoCa(String),
    #[error(
        "the caBundle of entry {0} is of another CA than our serving certificate: see that the webhook runs, which \
         writes its own there within seconds, and that nothing else writes there"
    )]
    ForeignCa(String),
}

/// Checks the registration; pods of `excluded` namespaces get no tokens, `pair` is our certificate, where the webhook
/// issued it.
pub(super) async fn check(
    client: &Client,
    name: &str,
    excluded: &BTreeSet<String>,
    pair: Option<&Pair>,
) -> Vec<RegistrationProblem> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    match api.get_opt(name).await {
        Ok(Some(found)) => {
            let is_ours = |bundle: &[u8]| pair.is_none_or(|pair| pair.is_issued_by(bundle));
            judged(&found.webhooks.unwrap_or_default(), excluded, is_ours)
        }
        Ok(None) => vec![RegistrationProblem::Missing(name.to_owned())],
        Err(error) => vec![RegistrationProblem::Unreadable(name.to_owned(), error)],
    }
}

fn judged(
    entries: &[MutatingWebhook],
    excluded: &BTreeSet<String>,
    is_ours: impl Fn(&[u8]) -> bool,
) -> Vec<RegistrationProblem> {
    let pods = entries.iter().find(|entry| entry.name == PODS);
    let pods = match pods {
        Some(entry) => shows_pods(entry).err(),
        None => Some(RegistrationProblem::NoPods),
    };
    let entries = entries
        .iter()
        .filter_map(|entry| holds(entry, excluded, &is_ours).err());
    pods.into_iter().chain(entries).collect()
}

/// What must be true of each entry.
fn holds(
    entry: &MutatingWebhook,
    excluded: &BTreeSet<String>,
    is_ours: impl Fn(&[u8]) -> bool,
) -> Result<(), RegistrationProblem> {
    let name = || entry.name.clone();
    // The API server's default is Fail.
    let fails_open = entry.failure_policy.as_deref() == Some("Ignore");
    if fails_open && entry.name != CONNECT {
        return Err(RegistrationProblem::FailsOpen(name()));
    }
    if entry.object_selector.as_ref().is_some_and(limits) {
        return Err(limited(entry, "an objectSelector"));
    }
    if let Some(namespace) = left_out(entry).find(|namespace| !excluded.contains(*namespace)) {
        return Err(RegistrationProblem::LeavesOut {
            entry: name(),
            namespace: namespace.clone(),
        });
    }
    let bundle = entry.client_config.ca_bundle.as_ref();
    let bundle = bundle.filter(|bundle| !bundle.0.is_empty());
    match bundle {
        None => Err(RegistrationProblem::NoCa(name())),
        Some(bundle) if !is_ours(&bundle.0) => Err(RegistrationProblem::ForeignCa(name())),
        Some(_) => Ok(()),
    }
}

/// What must be true besides of the entry for pods of labelled namespaces.
fn shows_pods(entry: &MutatingWebhook) -> Result<(), RegistrationProblem> {
    if !entry.rules.iter().flatten().any(is_of_pods) {
        return Err(limited(entry, "rules"));
    }
    let namespaces = entry.namespace_selector.as_ref();
    if namespaces.is_some_and(|selector| !is_of_labelled(selector)) {
        return Err(limited(entry, "a namespaceSelector"));
    }
    let mut conditions = entry.match_conditions.iter().flatten();
    if conditions.any(|condition| condition.expression != WANTS_HADOOP) {
        return Err(limited(entry, "matchConditions"));
    }
    Ok(())
}

fn is_of_pods(rule: &RuleWithOperations) -> bool {
    let has = |list: &Option<Vec<String>>, wanted: &str| {
        let mut list = list.iter().flatten();
        list.any(|item| item == wanted || item == "*")
    };
    has(&rule.operations, "CREATE")
        && has(&rule.api_groups, "")
        && has(&rule.api_versions, "v1")
        && has(&rule.resources, "pods")
        && rule.scope.as_deref() != Some("Cluster")
}

/// Every labelled namespace but those that the chart's values name.
fn is_of_labelled(selector: &LabelSelector) -> bool {
    let spares = |expression: &LabelSelectorRequirement| {
        let mut values = expression.values.iter().flatten();
        match (&*expression.key, &*expression.operator) {
            (names::INJECT_LABEL, "In") => values.any(|value| value == "enabled"),
            (NAMESPACE_NAME, "NotIn") => true,
            _ => false,
        }
    };
    let labels = selector.match_labels.as_ref();
    labels.is_none_or(|labels| labels.is_empty())
        && selector.match_expressions.iter().flatten().all(spares)
}

/// The namespaces that the entry leaves out by their names.
fn left_out(entry: &MutatingWebhook) -> impl Iterator<Item = &String> {
    let selector = entry.namespace_selector.iter();
    let expressions = selector.flat_map(|it| it.match_expressions.iter().flatten());
    let by_name = expressions.filter(|it| it.key == NAMESPACE_NAME && it.operator == "NotIn");
    by_name.flat_map(|it| it.values.iter().flatten())
}

/// The API server fills in an empty selector, which limits nothing.
fn limits(selector: &LabelSelector) -> bool {
    *selector != LabelSelector::default()
}

fn limited(entry: &MutatingWebhook, field: &'static str) -> RegistrationProblem {
    RegistrationProblem::Limited {
        entry: entry.name.clone(),
        field,
    }
}

#[cfg(test)]
mod tests;
