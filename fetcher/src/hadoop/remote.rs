//! What Hadoop answers: JSON, a RemoteException, or (KMS) an exception in the reason phrase.
//!
//! Decided on the exception's name, never on the status alone: 403 means six different things. Where its text decides,
//! it is the whole text, of which messages have the beginning: a token's long name may stand before the telling words.

use std::borrow::Cow;

use ::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::HadoopError;
use super::error::TicketFault;
use super::product::Product;

/// How much of a server's text goes into our messages.
const MAX_TEXT: usize = 300;
/// What every secret manager says when it is shown a token that it does not know.
const NOT_FOUND: &str = "can't be found in cache";

/// One answer, read whole; its body may be a token.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Only where it is not the status's usual one.
    pub(super) reason: Option<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What we asked for, as far as messages name it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) service: &'a str,
    pub(super) product: Product,
    pub(super) host: &'a str,
    pub(super) principal: &'a str,
    pub(super) user: Option<&'a str>,
}

#[derive(Deserialize)]
struct RemoteAnswer {
    #[serde(rename = "RemoteException")]
    remote: RemoteException,
}

#[derive(Deserialize)]
struct RemoteException {
    exception: String,
    #[serde(default)]
    message: Option<String>,
}

/// The body of a success.
pub(super) fn json<T: DeserializeOwned>(answer: &Answer, host: &str) -> Result<T, HadoopError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        // serde's message may quote what it read.
        let what = match error.classify() {
            serde_json::error::Category::Eof => "its JSON ends too early",
            serde_json::error::Category::Data => "its JSON has another shape",
            _ => "it is no JSON",
        };
        HadoopError::BadAnswer {
            host: host.into(),
            what: format!("{}, {what}", answer.status),
        }
    })
}

/// What a refusal means.
pub(super) fn failure(answer: &Answer, asked: Asked<'_>) -> HadoopError {
    if is_standby_manager(answer) {
        return HadoopError::AllStandby {
            service: asked.service.into(),
        };
    }
    let said = serde_json::from_slice::<RemoteAnswer>(&answer.body)
        .map(|it| it.remote)
        .ok();
    let said = said
        .or_else(|| in_reason_phrase(answer))
        .or_else(|| in_plain_text(answer, asked.product));
    let Some(said) = said else {
        if gss_failure(answer).is_some() {
            return ticket_refused(asked.host, answer);
        }
        let what = format!(
            "{}{}",
            answer.status,
            title(answer)
                .map(|it| format!(", {}", clean(&it)))
                .unwrap_or_default()
        );
        return HadoopError::BadAnswer {
            host: asked.host.into(),
            what,
        };
    };
    let name = said.exception.rsplit(['.', '$']).next().unwrap_or_default();
    let message = one_line(said.message.as_deref().unwrap_or_default());
    match named(name, &message, asked) {
        HadoopError::Refused {
            service,
            exception,
            message: text,
        } if may_pass(answer.status, name, &message) => HadoopError::Failed {
            service,
            exception,
            message: text,
        },
        decided => decided,
    }
}

/// What it means that a token was refused which was used. Only «can't be found» says that it is gone: an expired one is
/// revived by a late renewal, and a NameNode that is becoming active has perhaps not read of it yet.
pub(super) fn refused_use(answer: &Answer, asked: Asked<'_>) -> HadoopError {
    let text = String::from_utf8_lossy(&answer.body);
    let gone = text.contains(NOT_FOUND) && !text.contains("RetriableException");
    match failure(answer, asked) {
        HadoopError::Unknown {
            service, message, ..
        } if !gone => HadoopError::Refused {
            service,
            exception: "InvalidToken".into(),
            message,
        },
        other => other,
    }
}

fn named(exception: &str, message: &str, asked: Asked<'_>) -> HadoopError {
    let (service, product) = (asked.service.to_owned(), asked.product);
    let principal = asked.principal.to_owned();
    let text = shortened(message);
    match exception {
        "StandbyException" | "ObserverRetryOnActiveException" | "RouterSafeModeException" => {
            HadoopError::AllStandby { service }
        }
        "SafeModeException" => HadoopError::SafeMode {
            service,
            message: text,
        },
        "RetriableException" if message.contains("safe mode") => HadoopError::SafeMode {
            service,
            message: text,
        },
        // A NameNode serves HTTP before it has read its image, which takes many minutes on a large cluster.
        _ if exception == "RetriableException" || message.contains("is in startup mode") => {
            HadoopError::NotReady {
                service,
                message: text,
            }
        }
        // A router that has not heard of its NameNodes for a while; another one may have.
        _ if message.contains("Cannot locate a registered namenode") => HadoopError::Unreachable {
            service,
            tried: format!("{}: {text}", asked.host),
        },
        _ if message.contains("Unauthorized connection for super-user") => {
            HadoopError::HostNotAllowed {
                service,
                product,
                principal,
                message: text,
            }
        }
        _ if message.contains("is not allowed to impersonate") => {
            let user = asked.user.unwrap_or("the user").to_owned();
            HadoopError::NotImpersonated {
                service,
                product,
                principal,
                user,
                message: text,
            }
        }
        _ if means_lost(exception, message) => HadoopError::Unknown {
            service,
            message: text,
            perhaps_a_stranger: of_a_stranger(message),
        },
        _ if message.contains("non-matching renewer") => HadoopError::NotRenewer {
            service,
            message: text,
        },
        _ => HadoopError::Refused {
            service,
            exception: clean(exception),
            message: text,
        },
    }
}

/// Whether what no rule of ours knows ends by itself: a server's fault, or its network's, which a NameNode and a router
/// answer 403 as any other IOException. What is wrong with the question, HttpFS and others answer 500, too.
fn may_pass(status: StatusCode, exception: &str, message: &str) -> bool {
    let ours = matches!(
        exception,
        "AccessControlException"
            | "AuthorizationException"
            | "IllegalArgumentException"
            | "QueryParamException"
            | "SecurityException"
            | "UnsupportedOperationException"
    );
    let network = matches!(
        exception,
        "ConnectException"
            | "ConnectTimeoutException"
            | "NoRouteToHostException"
            | "SocketTimeoutException"
    );
    // A renewer of a realm that it has no rule for.
    let no_rule = message.contains("NoMatchingRule");
    network || status.is_server_error() && !ours && !no_rule
}

/// A ResourceManager that does not lead says so in a redirection to the one that does, or, where none does, in any
/// status (RMWebAppFilter).
pub(super) fn is_standby_manager(answer: &Answer) -> bool {
    let spellings: [&[u8]; 3] = [
        b"This is standby RM",
        b"Can not find any active RM",
        b"There is no active RM",
    ];
    spellings.iter().any(|it| answer.body.starts_with(it))
}

/// An HttpFS has no words for it when a token to cancel is gone already.
pub(super) fn is_gone(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && answer.body.is_empty()
}

/// «Unknown token» in each of its spellings. A KMS that forgot its tokens says «wrong password».
fn means_lost(exception: &str, message: &str) -> bool {
    let spellings = [
        "InvalidToken",
        NOT_FOUND,
        "Token not found",
        "unknown token",
        "tried to renew an expired token",
        "Could not decode encoded token",
        "with wrong password",
        "Invalid delegation token, cannot cancel",
    ];
    matches!(exception, "InvalidToken" | "EOFException")
        || spellings.iter().any(|it| message.contains(it))
}

/// Used or renewed where it was never seen, or made with a key that the server has no more: whether it is gone for good,
/// that does not say.
fn of_a_stranger(message: &str) -> bool {
    let spellings = [
        NOT_FOUND,
        "with wrong password",
        "Unable to find master key",
    ];
    spellings.iter().any(|it| message.contains(it))
}

/// `org.apache.…$InvalidToken: text`, or only the text.
fn in_reason_phrase(answer: &Answer) -> Option<RemoteException> {
    let phrase = answer.reason.as_deref()?;
    if gss_failure(answer).is_some() {
        return None;
    }
    let (exception, message) = match phrase.split_once(": ") {
        Some((class, message)) if is_class(class) => (class, message),
        _ if is_class(phrase) => (phrase, ""),
        _ if phrase.starts_with("Invalid delegation token") => ("InvalidToken", phrase),
        _ => return None,
    };
    Some(RemoteException {
        exception: exception.into(),
        message: Some(message.into()),
    })
}

/// A ResourceManager that refuses a renewal or cancellation says why in its body, and calls it JSON.
fn in_plain_text(answer: &Answer, product: Product) -> Option<RemoteException> {
    let refuses = product == Product::ResourceManager && answer.status == StatusCode::FORBIDDEN;
    let text = str::from_utf8(&answer.body).ok().filter(|_| refuses)?;
    let words = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    words.then(|| RemoteException {
        exception: "AccessControlException".into(),
        message: Some(text.into()),
    })
}

fn is_class(text: &str) -> bool {
    text.contains('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".$_".contains(&byte))
}

/// A server that cannot read our ticket answers HTML; why, stands in the reason phrase and the title.
fn gss_failure(answer: &Answer) -> Option<String> {
    let texts = [answer.reason.clone(), title(answer)];
    texts
        .into_iter()
        .flatten()
        .find(|text| text.contains("GSSException"))
}

pub(super) fn ticket_refused(host: &str, answer: &Answer) -> HadoopError {
    let said = gss_failure(answer).or_else(|| answer.reason.clone());
    let said = said.or_else(|| title(answer));
    let said = said.unwrap_or_else(|| answer.status.to_string());
    HadoopError::TicketRefused {
        host: host.into(),
        message: clean(&said),
        fault: TicketFault::of(&said),
    }
}

/// A new ticket helps.
pub(super) fn is_replay(error: &HadoopError) -> bool {
    let replay = TicketFault::Replay;
    matches!(error, HadoopError::TicketRefused { fault, .. } if *fault == replay)
}

fn title(answer: &Answer) -> Option<String> {
    let body = String::from_utf8_lossy(&answer.body);
    let (_, after) = body.split_once("<title>")?;
    after
        .split_once("</title>")
        .map(|(title, _)| title.to_owned())
}

/// For a message of ours.
fn clean(text: &str) -> String {
    shortened(&one_line(text))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Nothing that moves a terminal's cursor, and no token: a proxy may repeat the URL that it was asked for.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|it| !it.is_empty())
        .map(without_token)
        .collect();
    words.join(" ")
}

/// The word without what stands behind the parameters that carry tokens.
fn without_token(word: &str) -> Cow<'_, str> {
    let carriers = ["token=", "delegation="];
    let found = carriers
        .iter()
        .filter_map(|it| Some(word.find(it)? + it.len()));
    match found.min() {
        Some(end) => format!("{}…", word.get(..end).unwrap_or_default()).into(),
        None => word.into(),
    }
}

#[cfg(test)]
mod tests;
