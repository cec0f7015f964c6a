//! What a login sends and brings, and what a session goes by.

use std::sync::Arc;

use ::http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub(super) type Cookie = Arc<Zeroizing<String>>;
pub(super) type Header = (HeaderName, HeaderValue);

/// Our half of the exchange (RFC 4559).
pub(super) fn ticket(token: &[u8]) -> Option<Header> {
    let text = Zeroizing::new(format!("Negotiate {}", STANDARD.encode(token)));
    secret(&text).map(|value| (AUTHORIZATION, value))
}

pub(super) fn session(cookie: &Cookie) -> Option<Header> {
    secret(cookie).map(|value| (COOKIE, value))
}

/// A value that nobody prints.
pub(super) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `hadoop.auth=…` with its value, quotes and all; an empty value is Hadoop's way to say «no cookie».
pub(super) fn auth_cookie(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    headers.get_all(SET_COOKIE).iter().find_map(|header| {
        let pair = header.to_str().ok()?.split(';').next()?.trim();
        let value = pair.strip_prefix("hadoop.auth=")?;
        (!value.trim_matches('"').is_empty()).then(|| Zeroizing::new(pair.to_owned()))
    })
}

pub(super) fn server_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|header| {
        let token = header.to_str().ok()?.strip_prefix("Negotiate ")?.trim();
        STANDARD
            .decode(token)
            .ok()
            .filter(|token| !token.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cookies_are_no_cookies() {
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(SET_COOKIE, HeaderValue::from_static(line));
            }
            auth_cookie(&headers).map(|cookie| cookie.to_string())
        };
        assert_eq!(read(&["hadoop.auth=; Path=/; HttpOnly"]), None);
        assert_eq!(read(&["hadoop.auth=\"\"; Path=/"]), None);
        assert_eq!(read(&["other=1"]), None);
        let cookie = read(&[
            "a=b",
            "hadoop.auth=\"u=k&p=k@R&s=x=\"; Path=/kms/v1/; Secure",
        ]);
        assert_eq!(cookie.unwrap(), "hadoop.auth=\"u=k&p=k@R&s=x=\"");
    }

    #[test]
    fn a_bare_negotiate_is_no_proof() {
        let read = |line| {
            server_token(&HeaderMap::from_iter([(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(line),
            )]))
        };
        assert_eq!(read("Negotiate"), None);
        assert_eq!(read("Negotiate !"), None);
        assert_eq!(read("Negotiate b2s=").unwrap(), b"ok");
    }
}
