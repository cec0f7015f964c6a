//! The pod's proof of itself: its projected service account token.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use thiserror::Error;
use ureq::http::HeaderValue;
use zeroize::Zeroizing;

/// Projected tokens have 1 to 2 KiB.
const MAX_TOKEN: u64 = 16 * 1024;

#[derive(Debug, Error)]
pub(crate) enum ServiceAccountError {
    #[error("{0}")]
    Read(#[source] io::Error),
    #[error("it is empty, or longer than {MAX_TOKEN} bytes")]
    Size,
    #[error("it holds other text than a token")]
    NotAToken,
}

/// The pod's projected service account token, ready to be sent.
pub(super) struct Bearer {
    token: Zeroizing<String>,
    header: HeaderValue,
}

impl Bearer {
    /// To be called for every try: the kubelet replaces the file when the token nears its end.
    pub(super) fn read(path: &Path) -> Result<Self, ServiceAccountError> {
        let file = File::open(path).map_err(ServiceAccountError::Read)?;
        let mut text = Zeroizing::new(String::with_capacity(4096));
        file.take(MAX_TOKEN + 1)
            .read_to_string(&mut text)
            .map_err(ServiceAccountError::Read)?;
        let token = text.trim();
        if token.is_empty() || text.len() as u64 > MAX_TOKEN {
            return Err(ServiceAccountError::Size);
        }
        // The characters of RFC 6750; this also keeps a wrong file from being sent.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if !token.bytes().all(allowed) {
            return Err(ServiceAccountError::NotAToken);
        }
        let header = Zeroizing::new(format!("Bearer {token}"));
        let mut header =
            HeaderValue::from_str(&header).map_err(|_| ServiceAccountError::NotAToken)?;
        header.set_sensitive(true);
        Ok(Self {
            token: Zeroizing::new(token.to_owned()),
            header,
        })
    }

    /// The value of the Authorization header.
    pub(super) fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// `text` without the token in it.
    pub(super) fn removed_from(&self, text: &str) -> String {
        text.replace(self.token.as_str(), "[redacted]")
    }
}
