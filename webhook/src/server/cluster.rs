//! What is asked of the API server, and the namespaces as it tells of them unasked.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A pod that could not be read; whether it is there is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// What is asked of the API server.
pub trait Cluster: Send + Sync {
    /// The pod, or none where there is none.
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>>;
    /// The namespace, or none where there is none or it cannot be read.
    fn namespace(&self, name: String) -> BoxFuture<'_, Option<Arc<Namespace>>>;
    /// RBAC's answer, or none where there is none.
    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>>;
}

/// The cluster that we run in.
pub struct ApiServer {
    client: Client,
    calls: ApiCalls,
    namespaces: Store<Namespace>,
}

impl ApiServer {
    /// Watches namespaces until shutdown, so that what they say costs no call.
    pub fn new(clients: Clients, calls: ApiCalls, shutdown: Shutdown) -> Self {
        let (namespaces, writer) = reflector::store();
        let watched = watcher(
            Api::<Namespace>::all(clients.watches),
            watcher::Config::default(),
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
        }
    }
}

impl Cluster for ApiServer {
    fn pod(&self, namespace: String, name: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>> {
        let api = Api::namespaced(self.client.clone(), &namespace);
        self.calls.count("pod");
        Box::pin(async move { api.get_opt(&name).await.map_err(|_| Unread) })
    }

    fn namespace(&self, name: String) -> BoxFuture<'_, Option<Arc<Namespace>>> {
        let known = self.namespaces.get(&ObjectRef::new(&name));
        let api = Api::all(self.client.clone());
        Box::pin(async move {
            if known.is_some() {
                return known;
            }
            self.calls.count("namespace");
            api.get_opt(&name).await.ok().flatten().map(Arc::new)
        })
    }

    fn may_use(&self, question: Question) -> BoxFuture<'_, Option<bool>> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        self.calls.count("access");
        Box::pin(async move {
            let review = question.into_review();
            let answer = api.create(&PostParams::default(), &review).await.ok()?;
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
