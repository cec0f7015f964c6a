//! The least that gets a token: a request with the session's cookie.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use kube2hadoop_client::credentials::Token;
use kube2hadoop_fetcher::config::Config;
use kube2hadoop_fetcher::hadoop::conf::{Cluster, Conf, NameNode};
use kube2hadoop_fetcher::hadoop::spnego::{Negotiate, Spnego};
use kube2hadoop_stamp::HadoopUser;
use reqwest::Client;
use serde_json::Value;

pub(crate) struct Bare {
    client: Client,
    url: String,
    cookie: String,
}

impl Bare {
    /// A session with the NameNode that is active.
    pub(crate) async fn log_in(config: &Config, user: &HadoopUser) -> Result<Self> {
        let cluster = Cluster::from_conf(&Conf::read_dir(&config.hadoop.conf_dir)?)?;
        let service = cluster.services.first().context("no name service")?;
        for namenode in &service.namenodes {
            let bare = Self::at(namenode, config, user).await?;
            if bare.answer().await.is_ok() {
                return Ok(bare);
            }
        }
        bail!("no NameNode is active")
    }

    async fn at(namenode: &NameNode, config: &Config, user: &HadoopUser) -> Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        let spnego = Spnego::new(config.hadoop.principal.parse()?);
        let ticket = spnego.start(namenode.web.host()).await?;
        let ticket = format!("Negotiate {}", STANDARD.encode(ticket.token()));
        let root = format!("{}/webhdfs/v1/", namenode.web.url());
        let login = client.get(format!("{root}?op=GETHOMEDIRECTORY"));
        let answer = login.header(AUTHORIZATION, ticket).send().await?;
        let cookie = answer.headers().get(SET_COOKIE).context("no cookie")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
        let renewer = config.hadoop.renewer();
        Ok(Self {
            client,
            url: format!("{root}?op=GETDELEGATIONTOKEN&doas={user}&renewer={renewer}"),
            cookie: cookie.to_owned(),
        })
    }

    /// The answer with a token, unread.
    pub(crate) async fn answer(&self) -> Result<Bytes> {
        let request = self.client.get(&self.url).header(COOKIE, &self.cookie);
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(answer.bytes().await?)
    }
}

pub(crate) fn token(answer: &[u8]) -> Result<Token> {
    let answer: Value = serde_json::from_slice(answer)?;
    let text = answer.pointer("/Token/urlString").and_then(Value::as_str);
    Ok(Token::from_url_string(text.context("no token")?)?)
}
