//! The kinds of server that issue tokens, as far as messages to their operators differ.

/// What answers behind a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    NameNode,
    HttpFs,
    Kms,
    ResourceManager,
}

impl Product {
    /// How its keys for proxy users begin.
    pub(super) fn proxy_prefix(self) -> &'static str {
        match self {
            Self::NameNode | Self::ResourceManager => "hadoop.proxyuser",
            Self::HttpFs => "httpfs.proxyuser",
            Self::Kms => "hadoop.kms.proxyuser",
        }
    }

    /// The file that holds them.
    pub(super) fn proxy_file(self) -> &'static str {
        match self {
            Self::NameNode | Self::ResourceManager => "core-site.xml",
            Self::HttpFs => "httpfs-site.xml",
            Self::Kms => "kms-site.xml",
        }
    }
}
