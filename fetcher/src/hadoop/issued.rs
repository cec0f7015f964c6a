//! What WebHDFS, HttpFS and the KMS have in common: the shape of their token operations.

use ::http::HeaderName;
use kube2hadoop_client::credentials::{Identifier, Token};
use kube2hadoop_client::secret::SecretString;
use kube2hadoop_stamp::HadoopUser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::interval::{Dates, Interval};
use super::remote::{self, Answer};
use super::{HadoopError, Issued, TokenService};

/// By what a request is its token's owner's, where it is not by the query (DelegationTokenAuthenticator).
pub(super) const OWNER: HeaderName = HeaderName::from_static("x-hadoop-delegation-token");

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(rename = "Token")]
    token: UrlString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlString {
    #[serde(deserialize_with = "secret")]
    url_string: SecretString,
}

pub(super) fn secret<'de, D: Deserializer<'de>>(text: D) -> Result<SecretString, D::Error> {
    String::deserialize(text).map(SecretString::from)
}

#[derive(Deserialize)]
struct RenewAnswer {
    long: u64,
}

/// A query parameter's value.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The token of an answer.
pub(super) fn token(
    answer: &Answer,
    host: &str,
    user: &HadoopUser,
) -> Result<(Token, Identifier), HadoopError> {
    let read: TokenAnswer = remote::json(answer, host)?;
    owned(&read.token.url_string, Token::parse_identifier, host, user)
}

/// The token of such a text, and what `parse` reads in it; one of anybody but `user` is never handed on.
pub(super) fn owned<E: ToString>(
    text: &SecretString,
    parse: fn(&Token) -> Result<Identifier, E>,
    host: &str,
    user: &HadoopUser,
) -> Result<(Token, Identifier), HadoopError> {
    let bad = |what: String| HadoopError::BadAnswer {
        host: host.into(),
        what,
    };
    let token = Token::from_url_string(text.expose()).map_err(|error| bad(error.to_string()))?;
    let identifier = parse(&token).map_err(|error| bad(error.to_string()))?;
    let owner = &identifier.owner;
    if owner != user.as_str() {
        return Err(bad(format!("a token of {owner:?} instead of {user}")));
    }
    Ok((token, identifier))
}

/// Adds the dates to the copies of one token.
pub(super) async fn complete(
    service: &dyn TokenService,
    interval: &Interval,
    tokens: Vec<(String, Token)>,
    identifier: &Identifier,
) -> Result<Issued, HadoopError> {
    let dates = Dates::of(identifier);
    let expires_at = match tokens.first() {
        Some((_, token)) => interval.expiry(service, token, dates).await,
        None => dates.issued,
    };
    Ok(Issued {
        tokens,
        issued_at: dates.issued,
        renewed_at: dates.issued,
        expires_at,
        max_date: dates.max,
        sequence_number: identifier.sequence_number,
    })
}

/// The path and query of an operation on a token.
pub(super) fn token_query(path: &str, operation: &str, token: &Token) -> Zeroizing<String> {
    let text = token.to_url_string();
    Zeroizing::new(format!("{path}?op={operation}&token={}", text.expose()))
}

/// The path and query of an operation as the token's owner.
pub(super) fn use_query(path: &str, operation: &str, token: &Token) -> Zeroizing<String> {
    let text = token.to_url_string();
    Zeroizing::new(format!(
        "{path}?op={operation}&delegation={}",
        text.expose()
    ))
}

pub(super) fn renewed_until(answer: &Answer, host: &str) -> Result<u64, HadoopError> {
    remote::json::<RenewAnswer>(answer, host).map(|answer| answer.long)
}

/// A token that is gone has been cancelled.
pub(super) fn gone(cancelled: Result<(), HadoopError>) -> Result<(), HadoopError> {
    match cancelled {
        Err(HadoopError::Unknown { .. }) => Ok(()),
        other => other,
    }
}

/// Whether a token that was used is known.
pub(super) fn known(used: Result<(), HadoopError>) -> Result<bool, HadoopError> {
    match used {
        Ok(()) => Ok(true),
        Err(HadoopError::Unknown { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
