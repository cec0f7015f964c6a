//! `host:port` as Hadoop's configuration writes it.

use std::fmt;

/// An address with its port; an IPv6 host stands without brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl HostPort {
    /// Reads `host`, `host:port` or `[v6]:port`; nothing where it is neither.
    #[must_use]
    pub fn parse(text: &str, default_port: u16) -> Option<Self> {
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (
                    host,
                    if port.is_empty() {
                        None
                    } else {
                        Some(port.strip_prefix(':')?)
                    },
                )
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        (!host.is_empty() && host.bytes().all(fits)).then(|| Self {
            host: host.into(),
            port,
        })
    }

    /// Whether it only says where a server listens, not where it is reached.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "0.0.0.0" | "::")
    }

    /// A server's address as configured; where it only says what it listens on, or nothing, the host is `beside`'s.
    #[must_use]
    pub(super) fn or_beside(configured: Option<Self>, beside: &Self, port: u16) -> Self {
        match configured {
            Some(address) if !address.is_wildcard() => address,
            other => Self {
                host: beside.host.clone(),
                port: other.map_or(port, |address| address.port),
            },
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_hadoop_writes_them() {
        for (text, shown) in [
            ("nn1.hadoop.test:8020", "nn1.hadoop.test:8020"),
            (" nn1 ", "nn1:9870"),
            ("[::1]:8020", "[::1]:8020"),
            ("[::1]", "[::1]:9870"),
        ] {
            assert_eq!(HostPort::parse(text, 9870).unwrap().to_string(), shown);
        }
        for bad in [
            "", ":80", "a:b", "a:70000", "a b:1", "[::1", "a/b:1", "u@h:1",
        ] {
            assert_eq!(HostPort::parse(bad, 1), None, "{bad:?}");
        }
    }
}
