//! Every configured service that issues tokens, made from the operator's configuration directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_stamp::DenyList;
use thiserror::Error;
use tokio::sync::watch;

use super::caller::Caller;
use super::client_conf::ClientConf;
use super::client_krb5;
use super::conf::{Cluster, ClusterError, Conf, ConfError};
use super::http::{Host, Http};
use super::key_provider;
use super::kms::Kms;
use super::realms::Realms;
use super::resolver::Resolver;
use super::resource_manager::{self, ResourceManagers};
use super::spnego::{InvalidPrincipal, Negotiate, Principal, Spnego};
use super::trust::{HttpSetupError, Trust};
use super::truststore::{self, TruststoreError};
use super::webhdfs::{self, WebHdfs};
use super::{HadoopError, TokenService};

/// How Hadoop is reached, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory with core-site.xml, and where there are such hdfs-site.xml and yarn-site.xml.
    pub conf_dir: PathBuf,
    /// Our own principal, with the realm; its keys are found by KRB5_CLIENT_KTNAME.
    pub principal: String,
    /// Short name that may renew what is issued.
    pub renewer: String,
    /// PEM bundle of private CAs for services of Hadoop that serve https.
    pub ca_file: Option<PathBuf>,
    /// Whether servers that are reached by http are refused.
    pub require_https: bool,
    /// Text of the site's krb5.conf, of which pods get what concerns clients, and which tells hosts' realms; empty if
    /// there is none.
    pub krb5_conf: String,
    /// Whether KMS tokens are got where the NameNodes name a KMS.
    pub kms: bool,
    /// Limit of one call to one host.
    pub timeout: Duration,
    /// Users that nobody may be, as things stand.
    pub deny: watch::Receiver<DenyList>,
}

/// What has to change before anything can be issued.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error(transparent)]
    Conf(#[from] ConfError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Principal(#[from] InvalidPrincipal),
    #[error(transparent)]
    Http(#[from] HttpSetupError),
    #[error(transparent)]
    Truststore(#[from] TruststoreError),
    #[error(
        "hadoop.requireHttps is true, and {server} is reached by http: serve https there, and say so in the Hadoop configuration ({setting})"
    )]
    PlainHttp { server: String, setting: String },
    #[error("hadoop.renewer is empty: give the short name of our principal")]
    Renewer,
}

/// The configured services and what pods need to know of them.
pub struct HadoopServices {
    caller: Arc<Caller>,
    cluster: Cluster,
    services: Vec<Arc<dyn TokenService>>,
    kms: Option<Arc<Kms>>,
    client_conf: BTreeMap<String, Vec<u8>>,
}

/// What clients of old find their KMS by. The first is the one that pods get.
fn configured_kms(conf: &Conf) -> Option<String> {
    let keys = [
        "dfs.encryption.key.provider.uri",
        "hadoop.security.key.provider.path",
    ];
    let mut uris = keys.into_iter().filter_map(|key| conf.get(key));
    uris.find(|uri| key_provider::has_tokens(uri))
}

/// `kms` is nothing where no KMS tokens are wanted.
fn services(
    caller: &Arc<Caller>,
    cluster: &Cluster,
    kms: Option<Option<String>>,
) -> (Vec<Arc<dyn TokenService>>, Option<Arc<Kms>>) {
    let interval = cluster.renew_interval;
    let name_services = cluster
        .services
        .iter()
        .map(|it| WebHdfs::new(Arc::clone(caller), it, interval));
    let gateways = cluster
        .gateways
        .iter()
        .map(|it| WebHdfs::of_gateway(Arc::clone(caller), it, interval));
    let file_systems: Vec<_> = name_services.chain(gateways).map(Arc::new).collect();
    let mut all: Vec<Arc<dyn TokenService>> = Vec::new();
    for file_system in &file_systems {
        all.push(Arc::clone(file_system) as Arc<dyn TokenService>);
    }
    if let Some(yarn) = &cluster.yarn {
        all.push(Arc::new(ResourceManagers::new(Arc::clone(caller), yarn)));
    }
    let kms = kms.map(|configured| Kms::new(Arc::clone(caller), file_systems, configured));
    let kms = kms.map(Arc::new);
    if let Some(kms) = &kms {
        all.push(Arc::clone(kms) as Arc<dyn TokenService>);
    }
    (all, kms)
}

fn servers(cluster: &Cluster) -> impl Iterator<Item = Host> {
    let namenodes = cluster.services.iter().flat_map(|it| &it.namenodes);
    let managers = cluster.yarn.iter().flat_map(|it| &it.managers);
    namenodes
        .map(|namenode| webhdfs::host(&namenode.web))
        .chain(cluster.gateways.iter().map(|it| webhdfs::host(&it.web)))
        .chain(managers.map(|manager| resource_manager::host(&manager.web)))
}

impl HadoopServices {
    /// Reads the configuration and makes the services; no host is contacted.
    ///
    /// # Errors
    /// What in the configuration has to change.
    pub fn from_conf(settings: &Settings) -> Result<Self, SetupError> {
        let principal: Principal = settings.principal.parse()?;
        let realms = Realms::of_site(&settings.krb5_conf, principal.realm());
        let spnego = Spnego::new(principal).knowing(realms);
        Self::with_negotiate(settings, Arc::new(spnego))
    }

    /// The same with another way to authenticate; tests have no KDC.
    ///
    /// # Errors
    /// What in the configuration has to change.
    pub fn with_negotiate(
        settings: &Settings,
        negotiate: Arc<dyn Negotiate>,
    ) -> Result<Self, SetupError> {
        Self::with_resolver(settings, negotiate, Resolver::system())
    }

    pub(super) fn with_resolver(
        settings: &Settings,
        negotiate: Arc<dyn Negotiate>,
        resolver: Resolver,
    ) -> Result<Self, SetupError> {
        let principal: Principal = settings.principal.parse()?;
        if settings.renewer.trim().is_empty() {
            return Err(SetupError::Renewer);
        }
        let conf = Conf::read_dir(&settings.conf_dir)?;
        let cluster = Cluster::from_conf(&conf)?;
        let trust = Trust {
            ca_file: settings.ca_file.as_deref(),
            https_only: settings.require_https,
        };
        if let Some(server) = servers(&cluster).find(|it| trust.https_only && it.is_plain()) {
            return Err(SetupError::PlainHttp {
                server: server.base().to_owned(),
                setting: server.setting().to_owned(),
            });
        }
        let realms = Realms::of_site(&settings.krb5_conf, principal.realm());
        let caller = Arc::new(Caller {
            http: Http::new(trust, settings.timeout, negotiate, realms)?,
            resolver,
            principal: principal.short_name().to_owned(),
            renewer: settings.renewer.clone(),
            deny: settings.deny.clone(),
        });
        let kms = settings.kms.then(|| configured_kms(&conf));
        let (services, kms) = services(&caller, &cluster, kms);
        let mut client_conf = ClientConf::new(&conf).files();
        if let Some(ca_file) = &settings.ca_file {
            client_conf.extend(truststore::files(ca_file)?);
        }
        let krb5_conf = client_krb5::for_pods(&settings.krb5_conf, principal.realm());
        client_conf.insert(client_krb5::FILE.to_owned(), krb5_conf);
        Ok(Self {
            caller,
            cluster,
            services,
            kms,
            client_conf,
        })
    }

    /// In a stable order: the file systems as configured, then `yarn`, then `kms`.
    #[must_use]
    pub fn all(&self) -> &[Arc<dyn TokenService>] {
        &self.services
    }

    /// The service of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn TokenService>> {
        self.services.iter().find(|service| service.name() == name)
    }

    /// Every server that is asked for tokens, with no session yet; but for the KMS, of which only a NameNode knows.
    pub fn servers(&self) -> impl Iterator<Item = Host> {
        servers(&self.cluster)
    }

    /// Every KMS that the file systems name, with no session yet.
    ///
    /// # Errors
    /// No file system says which they are.
    pub async fn key_servers(&self) -> Result<Vec<Host>, HadoopError> {
        match &self.kms {
            Some(kms) => kms.servers().await,
            None => Ok(Vec::new()),
        }
    }

    /// What a server's clock shows, as its answers have it in `Date`.
    ///
    /// # Errors
    /// No answer, or no session.
    pub async fn date(&self, server: &Host) -> Result<Option<String>, HadoopError> {
        self.caller.http.date(server).await
    }

    /// The configuration for pods, without secrets: file name → content.
    #[must_use]
    pub fn client_conf(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.client_conf
    }
}
