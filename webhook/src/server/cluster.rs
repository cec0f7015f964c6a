//! What is asked of the API server, and the namespaces as it tells of them unasked.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::PostParams;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use kube2hadoop_runtime::api_server::Clients;
use kube2hadoop_runtime::shutdown::Shutdown;

use crate::metrics::ApiCalls;

/// The resource that run-as is granted on, and the verb.
const GROUP: &str = "kube2hadoop.io";
const RESOURCE: &str = "hadoopusers";
const VERB: &str = "use";
/// An error of the API server is one of many: it is said once in this time, for each thing that is asked.
const QUIET: Duration = Duration::from_secs(60);

/// For how long a server keeps the watch of namespaces open, in seconds. What a watch says is believed while it is open:
/// so silence that hides a change is noticed soon after, and not in five minutes.
const SILENCE: u32 = 30;

/// May this caller, in this namespace, run as that Hadoop user?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub username: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
    pub namespace: String,
    /// The Hadoop user asked for.
    pub user: String,
}

/// A pod or a namespace that could not be read; whether it is there is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// What is asked of the API server.
pub trait Cluster: Send + Sync {
    /// The pod, or none where there is none.
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>>;
    /// The namespace, or none where there is none.
    fn namespace(&self, name: String) -> BoxFuture<'_, Result<Option<Arc<Namespace>>, Unread>>;
    /// RBAC's answer, or none where there is none.
    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>>;
}

/// The cluster that we run in.
pub struct ApiServer {
    client: Client,
    calls: ApiCalls,
    namespaces: Store<Namespace>,
    /// When an error was last said, by what was asked.
    said: Mutex<HashMap<&'static str, Instant>>,
}

impl ApiServer {
    /// Watches namespaces until shutdown, so that what they say costs no call.
    pub fn new(clients: Clients, calls: ApiCalls, shutdown: Shutdown) -> Self {
        let (namespaces, writer) = reflector::store();
        let watched = watcher(
            Api::<Namespace>::all(clients.watches),
            watcher::Config::default().timeout(SILENCE),
        );
        let watched = watched.default_backoff().modify(|namespace| {
            namespace.metadata.managed_fields = None;
        });
        let updates = reflector::reflector(writer, watched);
        tokio::spawn(async move {
            let updates = updates.for_each(|update| {
                if let Err(error) = update {
                    tracing::warn!(%error, "failed to watch namespaces; they are read one by one");
                }
                std::future::ready(())
            });
            tokio::select! {
                () = updates => {}
                () = shutdown.requested() => {}
            }
        });
        Self {
            client: clients.calls,
            calls,
            namespaces,
            said: Mutex::default(),
        }
    }

    /// Its answer; the reason why there is none is for the log.
    async fn ask<T>(
        &self,
        about: &'static str,
        question: impl Future<Output = kube::Result<T>>,
    ) -> Option<T> {
        self.calls.count(about);
        let answer = question.await;
        answer.inspect_err(|error| self.say(about, error)).ok()
    }

    fn say(&self, about: &'static str, error: &kube::Error) {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.get(about);
        if before.is_some_and(|then| now.duration_since(*then) < QUIET) {
            return;
        }
        said.insert(about, now);
        drop(said);
        if is_forbidden(error) {
            tracing::error!(about, %error, "the API server refuses us: give kube2hadoop-webhook its ClusterRole, which \
                `helm upgrade` puts back; this is said once a minute");
        } else {
            tracing::warn!(about, %error, "the API server gave no answer; this is said once a minute");
        }
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}

impl Cluster for ApiServer {
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>> {
        let api = Api::namespaced(self.client.clone(), &namespace);
        Box::pin(async move {
            let found = self.ask("pod", api.get_opt(&name)).await;
            found.ok_or(Unread)
        })
    }

    fn namespace(&self, name: String) -> BoxFuture<'_, Result<Option<Arc<Namespace>>, Unread>> {
        let known = self.namespaces.get(&ObjectRef::new(&name));
        let api = Api::all(self.client.clone());
        Box::pin(async move {
            if known.is_some() {
                return Ok(known);
            }
            let found = self.ask("namespace", api.get_opt(&name)).await;
            found.map(|found| found.map(Arc::new)).ok_or(Unread)
        })
    }

    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        Box::pin(async move {
            let (review, params) = (question.into_review(), PostParams::default());
            let answer = self.ask("access", api.create(&params, &review)).await?;
            answer.status.map(|status| status.allowed)
        })
    }
}

impl Question {
    fn into_review(self) -> SubjectAccessReview {
        SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.username),
                uid: self.uid,
                groups: Some(self.groups),
                extra: Some(self.extra),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    resource: Some(RESOURCE.to_owned()),
                    verb: Some(VERB.to_owned()),
                    name: Some(self.user),
                    namespace: Some(self.namespace),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_we_lack_is_told_from_a_server_that_fails() {
        let error = |code| {
            let status = kube::core::Status::failure("no", "Reason").with_code(code);
            kube::Error::Api(Box::new(status))
        };
        for (code, forbidden) in [(401, true), (403, true), (429, false), (500, false)] {
            assert_eq!(is_forbidden(&error(code)), forbidden, "{code}");
        }
    }

    #[test]
    fn rbac_is_asked_about_the_caller_in_the_objects_namespace() {
        let question = Question {
            username: "alice".into(),
            uid: None,
            groups: vec!["etl".into()],
            extra: BTreeMap::new(),
            namespace: "team".into(),
            user: "etl".into(),
        };
        let spec = serde_json::to_value(question.into_review()).unwrap()["spec"].take();
        assert_eq!(
            (&spec["user"], &spec["groups"][0]),
            (&"alice".into(), &"etl".into())
        );
        let wanted = serde_json::json!({"group": "kube2hadoop.io", "resource": "hadoopusers", "verb": "use",
            "name": "etl", "namespace": "team"});
        assert_eq!(spec["resourceAttributes"], wanted);
    }
}
