//! The credential a pod asks with: `Authorization: Bearer <projected token>`, read strictly.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use kube2hadoop_client::secret::SecretString;
use thiserror::Error;

/// Larger than any service account token; the header limit of the listener is not far above.
const MAX_BYTES: usize = 8 * 1024;

/// A service account token; never printed, wiped when dropped.
#[derive(Debug)]
pub struct BearerToken(SecretString);

/// A missing or unreadable Authorization header.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum BearerError {
    #[error("the Authorization header is missing; send `Authorization: Bearer <projected token>`")]
    Missing,
    #[error("the Authorization header is there more than once; send it once")]
    Repeated,
    #[error(
        "the Authorization header is not `Bearer <token>`; send the projected token as it is in its file"
    )]
    Malformed,
}

impl BearerToken {
    /// Takes the token out of a request's headers.
    ///
    /// # Errors
    /// Anything but one header of the form `Bearer <b64token>` (RFC 6750).
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, BearerError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(BearerError::Missing)?;
        if values.next().is_some() {
            return Err(BearerError::Repeated);
        }
        let text = value.to_str().map_err(|_| BearerError::Malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or(BearerError::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") || !is_token(token) {
            return Err(BearerError::Malformed);
        }
        Ok(Self(SecretString::from(token.to_owned())))
    }

    /// The token itself, for the one place that sends it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

fn is_token(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, BearerError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        BearerToken::from_headers(&headers).map(|token| token.expose().to_owned())
    }

    #[test]
    fn only_one_well_formed_header_passes() {
        assert_eq!(read(&["Bearer ey.J-_x.y="]).unwrap(), "ey.J-_x.y=");
        assert_eq!(read(&["bearer abc"]).unwrap(), "abc");
        assert_eq!(read(&[]), Err(BearerError::Missing));
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(BearerError::Repeated));
        let long = format!("Bearer {}", "a".repeat(MAX_BYTES + 1));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "Bearer a b",
            "Bearer  a",
            "Bearer a,b",
            &long,
        ] {
            assert_eq!(read(&[bad]), Err(BearerError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn the_token_is_not_printed() {
        let token = BearerToken(SecretString::from("secret".to_owned()));
        assert!(!format!("{token:?}").contains("secret"));
    }
}
