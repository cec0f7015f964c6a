//! Delegation tokens of HDFS, over WebHDFS: of NameNodes, routers and HttpFS.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;
use serde::Deserialize;

use super::caller::Caller;
use super::conf::{Gateway, NameService, Web};
use super::failover::Hosts;
use super::http::{Host, Login, Request};
use super::interval::Interval;
use super::issued::{self, encode};
use super::label::{self, Label};
use super::product::Product;
use super::{HadoopError, Issued, TokenService, remote};

const PATH: &str = "/webhdfs/v1/";
/// Answered by active and standby alike.
const LOGIN: &str = "/webhdfs/v1/?op=GETHOMEDIRECTORY";
/// What a NameNode says to an operation that it does not know, a router and an HttpFS.
const UNKNOWN_OPERATION: [&str; 3] = [
    "IllegalArgumentException",
    "UnsupportedOperationException",
    "QueryParamException",
];

/// What a file system says of its KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyProviderAnswer {
    /// Its URI, exactly as clients will look for it.
    Uri(String),
    None,
    /// It does not know the question, or its answer says nothing of it, as before 2.9: its clients look into their own
    /// configuration.
    Unknown,
}

/// A web server, with no session yet.
pub(super) fn host(web: &Web) -> Host {
    Host::new(web.url(), web.host(), &web.setting, Login::get(LOGIN))
}

/// One file system.
pub(super) struct WebHdfs {
    caller: Arc<Caller>,
    hosts: Hosts,
    labels: Vec<Label>,
    interval: Interval,
}

impl WebHdfs {
    pub(super) fn new(caller: Arc<Caller>, service: &NameService, interval: Duration) -> Self {
        let webs = service.namenodes.iter().map(|namenode| &namenode.web);
        let hosts = Hosts::new(&service.id, Product::NameNode, webs.map(host).collect());
        Self {
            caller,
            hosts,
            labels: label::of_name_service(service),
            interval: Interval::assumed(interval),
        }
    }

    pub(super) fn of_gateway(caller: Arc<Caller>, gateway: &Gateway, interval: Duration) -> Self {
        let hosts = vec![host(&gateway.web)];
        Self {
            caller,
            hosts: Hosts::new(&gateway.id, Product::HttpFs, hosts),
            labels: label::of_gateway(gateway),
            interval: Interval::assumed(interval),
        }
    }

    /// The KMS that encrypts this file system's keys. An HttpFS asks its NameNode as whoever asks it: as `user`, or as
    /// ourselves.
    pub(super) async fn key_provider(
        &self,
        user: Option<&HadoopUser>,
    ) -> Result<KeyProviderAnswer, HadoopError> {
        let mut query = format!("{PATH}?op=GETSERVERDEFAULTS");
        if let Some(user) = user.filter(|_| self.hosts.product() == Product::HttpFs) {
            query += &format!("&doas={}", encode(user.as_str()));
        }
        let (answer, host) = match self.call(&Request::get(&query), None).await {
            Err(HadoopError::Refused { exception, .. })
                if UNKNOWN_OPERATION.contains(&exception.as_str()) =>
            {
                return Ok(KeyProviderAnswer::Unknown);
            }
            other => other?,
        };
        let defaults: DefaultsAnswer = remote::json(&answer, host.base())?;
        Ok(match defaults.defaults.key_provider_uri {
            Some(uri) if uri.is_empty() => KeyProviderAnswer::None,
            Some(uri) => KeyProviderAnswer::Uri(uri),
            None => KeyProviderAnswer::Unknown,
        })
    }

    async fn call(
        &self,
        request: &Request<'_>,
        user: Option<&str>,
    ) -> Result<(remote::Answer, &Host), HadoopError> {
        self.hosts
            .call(&self.caller, request, user, |_| false)
            .await
    }

    async fn get_token(&self, user: &HadoopUser) -> Result<Issued, HadoopError> {
        self.caller.check(user)?;
        let texts = label::texts(&self.labels, &self.caller.resolver).await?;
        let (name, renewer) = (encode(user.as_str()), encode(&self.caller.renewer));
        let query = format!("{PATH}?op=GETDELEGATIONTOKEN&doas={name}&renewer={renewer}");
        let request = Request::get(&query);
        let (answer, host) = self.call(&request, Some(user.as_str())).await?;
        let (token, identifier) = issued::token(&answer, host.base(), user)?;
        let copies = label::copies(&token, texts, host.base())?;
        issued::complete(self, &self.interval, copies, &identifier).await
    }
}

#[derive(Deserialize)]
struct DefaultsAnswer {
    #[serde(rename = "FsServerDefaults")]
    defaults: Defaults,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    #[serde(default)]
    key_provider_uri: Option<String>,
}

impl TokenService for WebHdfs {
    fn name(&self) -> &str {
        self.hosts.service()
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        self.get_token(user).boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async move {
            let query = issued::token_query(PATH, "RENEWDELEGATIONTOKEN", token);
            let (answer, host) = self.call(&Request::put(&query), None).await?;
            issued::renewed_until(&answer, host.base())
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            let query = issued::token_query(PATH, "CANCELDELEGATIONTOKEN", token);
            issued::gone(self.call(&Request::put(&query), None).await.map(drop))
        }
        .boxed()
    }

    /// Takes no lock of the namespace; a standby passes it on.
    fn is_known<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        async move {
            let query = issued::use_query(PATH, "GETHOMEDIRECTORY", token);
            let request = Request::get(&query).by_token();
            issued::known(self.call(&request, None).await.map(drop))
        }
        .boxed()
    }

    /// Only the active NameNode says what the defaults are. It takes no lock for that, and audits nothing.
    fn answers(&self) -> BoxFuture<'_, Result<(), HadoopError>> {
        async { self.key_provider(None).await.map(drop) }.boxed()
    }
}
