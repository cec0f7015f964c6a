//! What clients look for: a token's kind and its service text, letter for letter.

use futures::future::try_join_all;
use kube2hadoop_client::credentials::{CredentialsError, Token};

use super::HadoopError;
use super::conf::{Gateway, NameService, ResourceManager, Web};
use super::host::HostPort;
use super::key_provider::KeyProvider;
use super::resolver::Resolver;

const HDFS: &str = "HDFS_DELEGATION_TOKEN";
const WEBHDFS: &str = "WEBHDFS delegation";
const SWEBHDFS: &str = "SWEBHDFS delegation";
const RESOURCE_MANAGER: &str = "RM_DELEGATION_TOKEN";
const KMS: &str = "kms-dt";

/// One way in which some client looks for a token. Both parts are outside of what the issuer signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    kind: &'static str,
    service: Service,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Service {
    Text(String),
    /// Java wants IPs (use_ip), hdfs-native names: one copy each. Several addresses are joined by commas.
    Addresses(Vec<HostPort>),
}

impl Label {
    fn text(kind: &'static str, service: impl Into<String>) -> Self {
        Self {
            kind,
            service: Service::Text(service.into()),
        }
    }

    fn address(kind: &'static str, address: &HostPort) -> Self {
        Self {
            kind,
            service: Service::Addresses(vec![address.clone()]),
        }
    }

    /// The service texts that it stands for.
    async fn services(&self, resolver: &Resolver) -> Result<Vec<String>, HadoopError> {
        let addresses = match &self.service {
            Service::Text(text) => return Ok(vec![text.clone()]),
            Service::Addresses(addresses) => addresses,
        };
        let by_ip = try_join_all(addresses.iter().map(|it| resolver.by_ip(it))).await?;
        let by_ip: Vec<_> = by_ip.into_iter().flatten().collect();
        let by_name: Vec<_> = addresses.iter().map(HostPort::to_string).collect();
        let mut all = vec![by_ip.join(","), by_name.join(",")];
        all.dedup();
        all.retain(|text| !text.is_empty());
        Ok(all)
    }
}

/// For clients of hdfs:// and of webhdfs://.
pub(super) fn of_name_service(service: &NameService) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut add = |label: Label| {
        if !labels.contains(&label) {
            labels.push(label);
        }
    };
    if service.logical {
        add(Label::text(HDFS, format!("ha-hdfs:{}", service.id)));
    }
    for namenode in &service.namenodes {
        let wanted = |address| !service.logical || service.by_address.contains(address);
        if wanted(&namenode.rpc) {
            add(Label::address(HDFS, &namenode.rpc));
        }
        for web in std::iter::once(&namenode.web).chain(&namenode.plain) {
            let kind = web_kind(web);
            if service.logical {
                let scheme = if web.https { "swebhdfs" } else { "webhdfs" };
                add(Label::text(kind, format!("ha-{scheme}:{}", service.id)));
            }
            if wanted(&web.address) {
                add(Label::address(kind, &web.address));
            }
        }
    }
    labels
}

pub(super) fn of_gateway(gateway: &Gateway) -> Vec<Label> {
    vec![Label::address(web_kind(&gateway.web), &gateway.web.address)]
}

/// A client finds its ResourceManager's address within the text, so one copy serves a group (RMDelegationTokenSelector).
pub(super) fn of_managers(managers: &[ResourceManager]) -> Vec<Label> {
    let addresses = managers.iter().map(|manager| manager.rpc.clone());
    vec![Label {
        kind: RESOURCE_MANAGER,
        service: Service::Addresses(addresses.collect()),
    }]
}

/// Clients look for the URI, old ones for the address of the member that they ask (DelegationTokenAuthenticatedURL of 2.7).
pub(super) fn of_key_provider(provider: &KeyProvider) -> Vec<Label> {
    let uris = provider.spellings().into_iter();
    let mut labels: Vec<_> = uris.map(|uri| Label::text(KMS, uri)).collect();
    for address in provider.addresses() {
        let label = Label::address(KMS, address);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

fn web_kind(web: &Web) -> &'static str {
    if web.https { SWEBHDFS } else { WEBHDFS }
}

/// A token's kind and its service.
pub(super) type Text = (&'static str, String);

/// All that clients look for. It is found out before anything is issued: a token that nobody is given would live on, and
/// one that lacks an address would be shared by all pods of its job.
pub(super) async fn texts(labels: &[Label], resolver: &Resolver) -> Result<Vec<Text>, HadoopError> {
    let of_each = labels.iter().map(|label| async move {
        let services = label.services(resolver).await?;
        Ok::<_, HadoopError>(services.into_iter().map(|it| (label.kind, it)))
    });
    let all = try_join_all(of_each).await?;
    Ok(all.into_iter().flatten().collect())
}

/// The token once for each text, which is its alias and its service.
pub(super) fn copies(
    token: &Token,
    texts: Vec<Text>,
    host: &str,
) -> Result<Vec<(String, Token)>, HadoopError> {
    let copy = |(kind, service): Text| {
        let copy = token.relabelled(kind, &service);
        let copy = copy.map_err(|error: CredentialsError| HadoopError::BadAnswer {
            host: host.into(),
            what: error.to_string(),
        })?;
        Ok((service, copy))
    };
    texts.into_iter().map(copy).collect()
}
