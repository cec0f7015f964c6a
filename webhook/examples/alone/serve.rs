//! The router over TLS on the loopback, with an API server that knows nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube2hadoop_runtime::audit::AuditLog;
use kube2hadoop_runtime::listen::{self, Limits};
use kube2hadoop_runtime::logging::{self, LogArgs};
use kube2hadoop_runtime::shutdown::Shutdown;
use kube2hadoop_runtime::tls::ServingTls;
use kube2hadoop_webhook::identity::Directory;
use kube2hadoop_webhook::ldap::Directories;
use kube2hadoop_webhook::metrics::Metrics;
use kube2hadoop_webhook::server::{
    Bodies, Callers, Cluster, CurrentKeys, Patience, Question, Unread, Webhook, router,
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{keys, policy};

struct Nothing;

impl Cluster for Nothing {
    fn pod(&self, _: String, _: String) -> BoxFuture<'_, Result<Option<Pod>, Unread>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn namespace(&self, _: String) -> BoxFuture<'_, Result<Option<Arc<Namespace>>, Unread>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn may_use(&self, _: Question) -> BoxFuture<'_, Option<bool>> {
        std::future::ready(None).boxed()
    }
}

impl Directories for Nothing {
    fn has(&self, _: Arc<Directory>, _: String) -> BoxFuture<'_, Option<bool>> {
        std::future::ready(None).boxed()
    }
}

/// Writes the CA that a client must trust to reach `localhost`, and serves.
pub(super) fn until_stopped(ca_file: &Path) -> anyhow::Result<()> {
    let _unwritten_log = logging::init(&LogArgs::default());
    let (audit, _unwritten) = AuditLog::batched();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(ca_file, certified.cert.pem())?;
    let tls = ServingTls::from_pem(
        certified.cert.pem().as_bytes(),
        certified.signing_key.serialize_pem().as_bytes(),
    )?;
    let current = CurrentKeys::default();
    current.set(keys()?);
    let (_unchanged, policy) = watch::channel(Arc::new(policy()?));
    let webhook = Webhook {
        policy,
        keys: Arc::new(current),
        callers: Callers::new(
            Arc::new(Nothing),
            Arc::new(Nothing),
            Arc::new(AtomicBool::new(true)),
        ),
        patience: Patience::of(5),
        bodies: Bodies::default(),
        metrics: Metrics::new(&mut Registry::default()),
        audit,
    };
    let threads = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    threads.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 8443)).await?;
        let stopped = Shutdown::on_signals();
        listen::serve(
            listener,
            tls,
            router(Arc::new(webhook)),
            Limits::default(),
            stopped,
        )
        .await;
        Ok(())
    })
}
