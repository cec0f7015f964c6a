//! What clients look for: a token's kind and its service text, letter for letter.

use kube2hadoop_client::credentials::{CredentialsError, Token};

use super::HadoopError;
use super::conf::{Gateway, NameService, ResourceManager, Web};
use super::host::HostPort;
use super::key_provider::KeyProvider;

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
    async fn services(&self) -> Vec<String> {
        let addresses = match &self.service {
            Service::Text(text) => return vec![text.clone()],
            Service::Addresses(addresses) => addresses,
        };
        let mut by_ip = Vec::new();
        for address in addresses {
            by_ip.extend(address.by_ip().await);
        }
        let by_name: Vec<_> = addresses.iter().map(HostPort::to_string).collect();
        let mut all = vec![by_ip.join(","), by_name.join(",")];
        all.dedup();
        all.retain(|text| !text.is_empty());
        all
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

/// The token once for each text that clients look for, which is its alias and its service.
pub(super) async fn copies(
    token: &Token,
    labels: &[Label],
    host: &str,
) -> Result<Vec<(String, Token)>, HadoopError> {
    let mut all = Vec::new();
    for label in labels {
        for service in label.services().await {
            let copy = token.relabelled(label.kind, &service);
            let copy = copy.map_err(|error: CredentialsError| HadoopError::BadAnswer {
                host: host.into(),
                what: error.to_string(),
            })?;
            all.push((service, copy));
        }
    }
    Ok(all)
}
