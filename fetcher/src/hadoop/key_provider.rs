//! The address of a KMS, as Hadoop writes it.

use std::str::FromStr;

use thiserror::Error;

use super::host::HostPort;

const PORT: u16 = 9600;
const KMS: &str = "kms://";

/// Whether it is a KMS: other key providers (jceks) have no tokens.
pub(super) fn has_tokens(uri: &str) -> bool {
    uri.starts_with(KMS)
}

/// `kms://https@host1;host2:9600/kms`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProvider {
    uri: String,
    scheme: &'static str,
    hosts: Vec<HostPort>,
    path: String,
}

/// A text that is no key provider of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no KMS address (kms://https@host:9600/kms): see hadoop.security.key.provider.path on the NameNodes"
)]
pub struct InvalidKeyProvider(String);

impl FromStr for KeyProvider {
    type Err = InvalidKeyProvider;

    fn from_str(uri: &str) -> Result<Self, InvalidKeyProvider> {
        Self::parse(uri).ok_or_else(|| InvalidKeyProvider(uri.chars().take(200).collect()))
    }
}

impl KeyProvider {
    fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.strip_prefix(KMS)?.split_once('@')?;
        let scheme = match scheme {
            "http" => "http",
            "https" => "https",
            _ => return None,
        };
        let (authority, path) = rest.split_once('/')?;
        let path_fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let path = path.trim_end_matches('/');
        // The port stands once, after the last host.
        let (names, port) = match authority.rsplit_once(':') {
            Some((names, port)) => (names, port.parse().ok()?),
            None => (authority, PORT),
        };
        let hosts: Option<Vec<_>> = names
            .split(';')
            .map(|name| HostPort::parse(name, port))
            .collect();
        let all = path.bytes().all(path_fits);
        Some(Self {
            uri: uri.into(),
            scheme,
            hosts: hosts?,
            path: format!("/{path}"),
        })
        .filter(|_| all)
    }

    /// What clients look for: the whole URI, letter for letter; a client of one member only, that one's.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let mut all = vec![self.uri.clone()];
        for host in &self.hosts {
            let one = format!("kms://{}@{host}{}", self.scheme, self.path);
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// Where its members are.
    pub(super) fn addresses(&self) -> &[HostPort] {
        &self.hosts
    }

    /// The URI as it was read.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The members, each as (base URL, host name).
    pub fn members(&self) -> impl Iterator<Item = (String, &str)> {
        self.hosts.iter().map(|host| {
            let base = format!("{}://{host}{}", self.scheme, self.path);
            (base, host.host.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_whole_and_by_member() {
        let both: KeyProvider = "kms://http@localhost;127.0.0.2:29600/kms".parse().unwrap();
        let expected = [
            "kms://http@localhost;127.0.0.2:29600/kms",
            "kms://http@localhost:29600/kms",
            "kms://http@127.0.0.2:29600/kms",
        ];
        assert_eq!(both.spellings(), expected);
        let one: KeyProvider = "kms://https@kms.test/kms".parse().unwrap();
        assert_eq!(
            one.spellings(),
            ["kms://https@kms.test/kms", "kms://https@kms.test:9600/kms"]
        );
        for bad in [
            "",
            "jceks://file@/a",
            "kms://http@h:1",
            "kms://ftp@h:1/kms",
            "kms://http@h:x/kms",
            "kms://http@;:1/kms",
            "kms://http@h:1/kms?x",
        ] {
            assert!(bad.parse::<KeyProvider>().is_err(), "{bad:?}");
        }
    }
}
