//! Delegation tokens of HDFS, over the NameNodes' WebHDFS.

use std::sync::Arc;
use std::time::Duration;

use ::http::Method;
use futures::future::{BoxFuture, FutureExt};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_stamp::HadoopUser;
use serde::Deserialize;

use super::conf::{NameNode, NameService};
use super::failover::Hosts;
use super::host::HostPort;
use super::http::{Host, Login};
use super::interval::Interval;
use super::issued::{self, encode};
use super::services::Caller;
use super::{HadoopError, Issued, TokenService, remote};

const KIND: &str = "HDFS_DELEGATION_TOKEN";
const PATH: &str = "/webhdfs/v1/";
/// Answered by active and standby alike.
const LOGIN: &str = "/webhdfs/v1/?op=GETHOMEDIRECTORY";

/// A NameNode's web server, with no session yet.
pub(crate) fn host(namenode: &NameNode) -> Host {
    let login = Login {
        method: Method::GET,
        path: LOGIN,
    };
    Host::new(&namenode.url, &namenode.host, login)
}

/// One name service.
pub(super) struct WebHdfs {
    caller: Arc<Caller>,
    hosts: Hosts,
    spelling: Spelling,
    interval: Interval,
}

/// What clients look for: a token is found by its service text, letter for letter.
enum Spelling {
    Logical(String),
    /// Java wants the IP (use_ip), hdfs-native the name: one copy each.
    Address(HostPort),
    None,
}

impl WebHdfs {
    pub(super) fn new(caller: Arc<Caller>, service: &NameService, interval: Duration) -> Self {
        let hosts = service.namenodes.iter().map(host).collect();
        let spelling = match service.namenodes.first() {
            _ if service.logical => Spelling::Logical(format!("ha-hdfs:{}", service.id)),
            Some(namenode) => Spelling::Address(namenode.rpc.clone()),
            None => Spelling::None,
        };
        Self {
            caller,
            hosts: Hosts::new(&service.id, hosts),
            spelling,
            interval: Interval::assumed(interval),
        }
    }

    /// The URI of the KMS that encrypts this file system's keys, exactly as clients will look for it.
    pub(super) async fn key_provider(&self) -> Result<Option<String>, HadoopError> {
        let query = format!("{PATH}?op=GETSERVERDEFAULTS");
        let (answer, host) = match self.call(Method::GET, &query, None).await {
            // Old versions do not know the operation; none of their clients looks for it.
            Err(HadoopError::Refused { exception, .. })
                if exception == "IllegalArgumentException" =>
            {
                return Ok(None);
            }
            other => other?,
        };
        let defaults: DefaultsAnswer = remote::json(&answer, host.base())?;
        Ok(defaults
            .defaults
            .key_provider_uri
            .filter(|uri| !uri.is_empty()))
    }

    async fn call(
        &self,
        method: Method,
        query: &str,
        user: Option<&str>,
    ) -> Result<(remote::Answer, &Host), HadoopError> {
        self.hosts
            .call(&self.caller, method, query, user, |_| false)
            .await
    }

    async fn spellings(&self) -> Vec<String> {
        match &self.spelling {
            Spelling::Logical(text) => vec![text.clone()],
            Spelling::Address(address) => {
                let mut all: Vec<String> = address.by_ip().await.into_iter().collect();
                let by_name = address.to_string();
                if !all.contains(&by_name) {
                    all.push(by_name);
                }
                all
            }
            Spelling::None => Vec::new(),
        }
    }

    async fn get_token(&self, user: &HadoopUser) -> Result<Issued, HadoopError> {
        self.caller.check(user)?;
        let (name, renewer) = (encode(user.as_str()), encode(&self.caller.renewer));
        let query = format!("{PATH}?op=GETDELEGATIONTOKEN&doas={name}&renewer={renewer}");
        let (answer, host) = self.call(Method::GET, &query, Some(user.as_str())).await?;
        let (token, identifier) = issued::token(&answer, host.base(), user)?;
        let copies = issued::copies(&token, KIND, self.spellings().await, host.base())?;
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
            let (answer, host) = self.call(Method::PUT, &query, None).await?;
            issued::renewed_until(&answer, host.base())
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            let query = issued::token_query(PATH, "CANCELDELEGATIONTOKEN", token);
            issued::gone(self.call(Method::PUT, &query, None).await.map(drop))
        }
        .boxed()
    }
}
