//! Groups of headless accounts in LDAP: where they are, what finds them, and which accounts they may grant.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube2hadoop_stamp::HadoopUser;
use serde::Deserialize;

use super::group_filter::{FilterError, GroupFilter, Names};
use super::run_as::Grantable;

const MOST_SERVERS: usize = 8;
/// Seconds.
const LONGEST_BELIEF: u64 = 3600;

/// The `runAs.ldap` section of the configuration.
#[derive(Debug, Deserialize)]
#[serde(try_from = "LdapConfig")]
pub struct LdapPolicy {
    pub directory: Arc<Directory>,
    filter: GroupFilter,
    grantable: Vec<Grantable>,
    /// How long an answer is believed: who is taken out of a group is out after that.
    pub believed: Duration,
}

/// Servers with the same content, and how they are asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Directory {
    /// In the order in which they are tried; at least one.
    pub servers: Vec<Server>,
    /// PEM: the CAs that the servers' certificates must come from.
    pub ca_file: PathBuf,
    /// None: anonymously.
    pub bind: Option<Bind>,
    /// The entry below which is searched.
    pub base: String,
}

/// One server. Whatever goes to it is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    /// Encryption is asked for after the connection is made (`ldap://`), instead of with it (`ldaps://`).
    pub start_tls: bool,
}

/// As whom the servers are asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bind {
    pub dn: String,
    /// Read anew for each connection.
    pub password_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LdapConfig {
    urls: Vec<String>,
    #[serde(default)]
    start_tls: bool,
    ca_file: PathBuf,
    #[serde(default)]
    bind: Option<Bind>,
    base: String,
    filter: String,
    grantable: Vec<Grantable>,
    #[serde(default = "minute")]
    cache_seconds: u64,
}

const fn minute() -> u64 {
    60
}

/// Why the section is refused when the configuration is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LdapError {
    #[error("runAs.ldap.urls: want 1 to {MOST_SERVERS} servers")]
    Servers,
    #[error(
        "runAs.ldap.urls: «{0}» is no server: want ldaps://host or ldaps://host:port, and the host by name or IPv4"
    )]
    Url(String),
    #[error(
        "runAs.ldap.urls: «{0}» would carry names and the password in the clear: \
         use ldaps://, or set startTls if the server has it"
    )]
    InTheClear(String),
    #[error("runAs.ldap.base is empty: name the entry that the groups lie below")]
    NoBase,
    #[error("runAs.ldap.bind.dn is empty: name who asks, or leave bind out to ask anonymously")]
    NoBindDn,
    #[error(
        "runAs.ldap.grantable is empty, so no group would grant anything: name the accounts that have groups"
    )]
    NobodyGrantable,
    #[error("runAs.ldap.cacheSeconds: want 1 to {LONGEST_BELIEF}")]
    CacheSeconds,
    #[error("runAs.ldap: {0}")]
    Filter(#[from] FilterError),
}

impl TryFrom<LdapConfig> for LdapPolicy {
    type Error = LdapError;

    fn try_from(config: LdapConfig) -> Result<Self, LdapError> {
        if !(1..=MOST_SERVERS).contains(&config.urls.len()) {
            return Err(LdapError::Servers);
        }
        if config.base.trim().is_empty() {
            return Err(LdapError::NoBase);
        }
        if config
            .bind
            .as_ref()
            .is_some_and(|bind| bind.dn.trim().is_empty())
        {
            return Err(LdapError::NoBindDn);
        }
        if config.grantable.is_empty() {
            return Err(LdapError::NobodyGrantable);
        }
        if !(1..=LONGEST_BELIEF).contains(&config.cache_seconds) {
            return Err(LdapError::CacheSeconds);
        }
        let servers = config
            .urls
            .iter()
            .map(|url| Server::at(url, config.start_tls));
        let directory = Directory {
            servers: servers.collect::<Result<_, _>>()?,
            ca_file: config.ca_file,
            bind: config.bind,
            base: config.base,
        };
        Ok(Self {
            directory: Arc::new(directory),
            filter: config.filter.try_into()?,
            grantable: config.grantable,
            believed: Duration::from_secs(config.cache_seconds),
        })
    }
}

impl LdapPolicy {
    /// May a group grant this user at all?
    pub fn may_grant(&self, user: &HadoopUser) -> bool {
        self.grantable.iter().any(|pattern| pattern.matches(user))
    }

    /// What finds the account's group with the submitter in it; none where their name has no business in a directory.
    pub fn filter(&self, names: &Names<'_>) -> Option<String> {
        self.filter.about(names)
    }
}

impl Server {
    fn at(url: &str, start_tls: bool) -> Result<Self, LdapError> {
        let invalid = || LdapError::Url(url.to_owned());
        let (rest, start_tls, usual) = if let Some(rest) = url.strip_prefix("ldaps://") {
            (rest, false, 636)
        } else if let Some(rest) = url.strip_prefix("ldap://") {
            if !start_tls {
                return Err(LdapError::InTheClear(url.to_owned()));
            }
            (rest, true, 389)
        } else {
            return Err(invalid());
        };
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| invalid())?),
            None => (rest, usual),
        };
        let named = host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if host.is_empty() || !named || port == 0 {
            return Err(invalid());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            start_tls,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(change: &Value) -> Result<LdapPolicy, String> {
        let mut config = json!({
            "urls": ["ldaps://one.example.com", "ldaps://two.example.com:1636"],
            "caFile": "/etc/ldap/ca.crt",
            "bind": {"dn": "cn=reader", "passwordFile": "/etc/ldap/password"},
            "base": "ou=groups,dc=example,dc=com",
            "filter": "(&(cn={account})(memberUid={user}))",
            "grantable": ["^etl-[a-z]+$"],
        });
        for (key, value) in change.as_object().unwrap() {
            config[key] = value.clone();
        }
        serde_json::from_value(config).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_tried_in_order_and_never_in_the_clear() {
        let shown = |policy: LdapPolicy| {
            let servers = policy.directory.servers.iter();
            servers
                .map(|server| format!("{server} {}", server.start_tls))
                .collect::<Vec<_>>()
        };
        let usual = ["one.example.com:636 false", "two.example.com:1636 false"];
        assert_eq!(shown(read(&json!({})).unwrap()), usual);
        let mixed = json!({"startTls": true, "urls": ["ldap://10.0.0.1", "ldaps://one"]});
        assert_eq!(
            shown(read(&mixed).unwrap()),
            ["10.0.0.1:389 true", "one:636 false"]
        );
        let clear = read(&json!({"urls": ["ldaps://one", "ldap://127.0.0.1"]})).unwrap_err();
        assert!(
            clear.contains("in the clear") && clear.contains("startTls"),
            "{clear}"
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (change, words) in [
            (json!({"urls": []}), "urls: want 1 to 8"),
            (json!({"urls": vec!["ldaps://one"; 9]}), "urls: want 1 to 8"),
            (
                json!({"urls": ["https://one"]}),
                "«https://one» is no server",
            ),
            (json!({"urls": ["ldaps://"]}), "is no server"),
            (json!({"urls": ["ldaps://one/dc=x"]}), "is no server"),
            (json!({"urls": ["ldaps://me@one"]}), "is no server"),
            (json!({"urls": ["ldaps://[::1]"]}), "is no server"),
            (json!({"urls": ["ldaps://one:0"]}), "is no server"),
            (json!({"base": " "}), "base is empty"),
            (
                json!({"bind": {"dn": "", "passwordFile": "x"}}),
                "bind.dn is empty",
            ),
            (json!({"bind": {"dn": "cn=x"}}), "passwordFile"),
            (
                json!({"bind": {"dn": "cn=x", "password": "hunter2"}}),
                "unknown field",
            ),
            (json!({"grantable": []}), "grantable is empty"),
            (json!({"grantable": ["etl"]}), "not anchored"),
            (json!({"cacheSeconds": 0}), "cacheSeconds"),
            (json!({"cacheSeconds": 86400}), "cacheSeconds"),
            (json!({"filter": "(cn={account})"}), "{user} or {submitter}"),
            (json!({"url": "ldaps://one"}), "unknown field"),
        ] {
            let refusal = read(&change).unwrap_err();
            assert!(refusal.contains(words), "{change}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
