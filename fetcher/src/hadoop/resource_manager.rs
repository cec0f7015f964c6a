//! Delegation tokens of YARN's ResourceManager, by its REST API («Cluster Delegation Tokens API»).

use std::sync::Arc;

use ::http::{HeaderName, Method};
use futures::future::{BoxFuture, FutureExt};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_client::secret::SecretString;
use kube2hadoop_stamp::HadoopUser;
use serde::Deserialize;

use super::caller::Caller;
use super::conf::{Web, Yarn};
use super::failover::Hosts;
use super::http::{Host, Login, Request};
use super::interval::Dates;
use super::issued::{self, encode};
use super::label::{self, Label};
use super::product::Product;
use super::{HadoopError, Issued, TokenService, remote, yarn_identifier};

const NAME: &str = "yarn";
const PATH: &str = "/ws/v1/cluster/delegation-token";
const EXPIRATION: &str = "/ws/v1/cluster/delegation-token/expiration";
/// Answered by active and standby alike.
const LOGIN: &str = "/ws/v1/cluster/info";
/// Answered by the active only.
const METRICS: &str = "/ws/v1/cluster/metrics";
/// By what the token is named that a request is about.
const TOKEN: HeaderName = HeaderName::from_static("hadoop-yarn-rm-delegation-token");

/// One ResourceManager, or an HA group.
pub(super) struct ResourceManagers {
    caller: Arc<Caller>,
    hosts: Hosts,
    labels: Vec<Label>,
}

impl ResourceManagers {
    pub(super) fn new(caller: Arc<Caller>, yarn: &Yarn) -> Self {
        let hosts = yarn.managers.iter().map(|manager| host(&manager.web));
        Self {
            caller,
            hosts: Hosts::new(NAME, Product::ResourceManager, hosts.collect()),
            labels: label::of_managers(&yarn.managers),
        }
    }

    async fn call(
        &self,
        request: &Request<'_>,
        user: Option<&str>,
    ) -> Result<(remote::Answer, &Host), HadoopError> {
        let call = self.hosts.call(&self.caller, request, user, |_| false);
        call.await.map_err(explained)
    }

    async fn get_token(&self, user: &HadoopUser) -> Result<Issued, HadoopError> {
        self.caller.check(user)?;
        let texts = label::texts(&self.labels, &self.caller.resolver).await?;
        let path = format!("{PATH}?doAs={}", encode(user.as_str()));
        let body = serde_json::json!({"renewer": self.caller.renewer}).to_string();
        let request = Request::new(Method::POST, &path).json(body);
        let (answer, host) = self.call(&request, Some(user.as_str())).await?;
        let read: TokenAnswer = remote::json(&answer, host.base())?;
        let parse = |token: &Token| yarn_identifier::parse(token.identifier().expose());
        let (token, identifier) = issued::owned(&read.token, parse, host.base(), user)?;
        let dates = Dates::of(&identifier);
        Ok(Issued {
            tokens: label::copies(&token, texts, host.base())?,
            issued_at: dates.issued,
            renewed_at: dates.issued,
            expires_at: read.expiration_time.min(dates.max),
            max_date: dates.max,
            sequence_number: identifier.sequence_number,
        })
    }
}

/// A web server, with no session yet.
pub(super) fn host(web: &Web) -> Host {
    Host::new(web.url(), web.host(), &web.setting, Login::get(LOGIN))
}

/// What the ResourceManager answers to whoever its web server did not ask for a ticket.
fn explained(error: HadoopError) -> HadoopError {
    match error {
        HadoopError::Refused {
            service,
            exception,
            message,
        } if message.contains("default static user") => HadoopError::Refused {
            service,
            exception,
            message: format!(
                "{message}; set hadoop.http.filter.initializers to \
                 org.apache.hadoop.security.AuthenticationFilterInitializer in its core-site.xml"
            ),
        },
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TokenAnswer {
    #[serde(deserialize_with = "issued::secret")]
    token: SecretString,
    /// Milliseconds since 1970.
    expiration_time: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ExpirationAnswer {
    expiration_time: u64,
}

impl TokenService for ResourceManagers {
    fn name(&self) -> &str {
        NAME
    }

    fn issue<'a>(&'a self, user: &'a HadoopUser) -> BoxFuture<'a, Result<Issued, HadoopError>> {
        self.get_token(user).boxed()
    }

    fn renew<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<u64, HadoopError>> {
        async move {
            let text = token.to_url_string();
            let request = Request::new(Method::POST, EXPIRATION).secret(TOKEN, text.expose());
            let (answer, host) = self.call(&request, None).await?;
            let read: ExpirationAnswer = remote::json(&answer, host.base())?;
            Ok(read.expiration_time)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<(), HadoopError>> {
        async move {
            let text = token.to_url_string();
            let request = Request::new(Method::DELETE, PATH).secret(TOKEN, text.expose());
            issued::gone(self.call(&request, None).await.map(drop))
        }
        .boxed()
    }

    /// A standby knows no tokens: one that all deny is unknown for certain only while one of them leads. A web port that
    /// asks nobody for a ticket denies none.
    fn is_known<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<bool, HadoopError>> {
        async move {
            let text = token.to_url_string();
            let request = Request::get(LOGIN).secret(issued::OWNER, text.expose());
            let (request, also) = (request.by_token(), HadoopError::lost);
            let used = self.hosts.call(&self.caller, &request, None, also).await;
            let known = issued::known(used.map(drop))?;
            if !known {
                self.call(&Request::get(METRICS), None).await?;
            }
            Ok(known)
        }
        .boxed()
    }

    fn answers(&self) -> BoxFuture<'_, Result<(), HadoopError>> {
        async { self.call(&Request::get(METRICS), None).await.map(drop) }.boxed()
    }
}
