//! What the webhook tells the client, read from the environment and checked.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use kube2hadoop_client::container::{
    CA, DEADLINE, DIRECTORY, FILE_MODE, IDENTITY_PATH, SERVICES, URL,
};
use kube2hadoop_client::contract::{MAX_REQUEST_BYTES, TOKENS_PATH, TokenRequest};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use ureq::http::Uri;

use super::trust::certificates;

pub(super) const TOKEN_PATH: &str = "KUBE2HADOOP_TOKEN_PATH";
pub(super) const DIR: &str = "KUBE2HADOOP_DIR";
pub(super) const TERMINATION_LOG: &str = "KUBE2HADOOP_TERMINATION_LOG";

/// The longest that anybody may have us try, in seconds.
pub(super) const LONGEST_DEADLINE: u64 = 3600;

/// Which variable is wrong and what it should be. Values are not quoted: they may have been mixed up.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum SettingsError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    #[error("{URL} must be https://host:port, with no path, user or query")]
    Url,
    #[error("{CA} must hold certificates in PEM form")]
    Ca,
    #[error("{SERVICES} must be a comma separated list of at most {MAX_REQUEST_BYTES} bytes")]
    Services,
    #[error("{DEADLINE} must be a number from 1 to {LONGEST_DEADLINE}")]
    Deadline,
    #[error("{FILE_MODE} must be 0400, 0440 or 0444")]
    FileMode,
}

/// The environment, read and checked.
#[derive(Debug)]
pub(super) struct Settings {
    /// The whole URL of the tokens path.
    pub(super) url: String,
    pub(super) ca: Vec<CertificateDer<'static>>,
    /// The body of every request: a [`TokenRequest`].
    pub(super) request: Vec<u8>,
    pub(super) deadline: Duration,
    pub(super) token_path: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) file_mode: u32,
}

impl Settings {
    pub(super) fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let path = |name, default: &str| lookup(name).map_or_else(|| default.into(), PathBuf::from);
        let text = |name| {
            lookup(name)
                .map(|value| {
                    value
                        .into_string()
                        .map_err(|_| SettingsError::NotUtf8(name))
                })
                .transpose()
        };
        let required = |name| text(name)?.ok_or(SettingsError::Missing(name));
        Ok(Self {
            url: tokens_url(&required(URL)?)?,
            ca: certificates(required(CA)?.as_bytes()).ok_or(SettingsError::Ca)?,
            request: request(text(SERVICES)?.as_deref())?,
            deadline: deadline(text(DEADLINE)?.as_deref())?,
            token_path: path(TOKEN_PATH, IDENTITY_PATH),
            dir: path(DIR, DIRECTORY),
            file_mode: file_mode(text(FILE_MODE)?.as_deref())?,
        })
    }
}

fn tokens_url(text: &str) -> Result<String, SettingsError> {
    let uri: Uri = text.trim().parse().map_err(|_| SettingsError::Url)?;
    let authority = uri.authority().ok_or(SettingsError::Url)?;
    let plain = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
    if uri.scheme_str() != Some("https") || !plain || authority.host().is_empty() {
        return Err(SettingsError::Url);
    }
    Ok(format!("https://{authority}{TOKENS_PATH}"))
}

fn request(services: Option<&str>) -> Result<Vec<u8>, SettingsError> {
    let names = services.unwrap_or_default().split(',').map(str::trim);
    let names: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let request = TokenRequest {
        services: (!names.is_empty()).then_some(names),
    };
    match serde_json::to_vec(&request) {
        Ok(body) if body.len() <= MAX_REQUEST_BYTES => Ok(body),
        _ => Err(SettingsError::Services),
    }
}

fn deadline(text: Option<&str>) -> Result<Duration, SettingsError> {
    let seconds = text.unwrap_or("120").trim().parse::<u64>();
    match seconds {
        Ok(seconds @ 1..=LONGEST_DEADLINE) => Ok(Duration::from_secs(seconds)),
        _ => Err(SettingsError::Deadline),
    }
}

fn file_mode(text: Option<&str>) -> Result<u32, SettingsError> {
    match text.unwrap_or("0400").trim() {
        "0400" | "400" => Ok(0o400),
        "0440" | "440" => Ok(0o440),
        "0444" | "444" => Ok(0o444),
        _ => Err(SettingsError::FileMode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn with(extra: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            let given = extra
                .iter()
                .rev()
                .chain(&[(URL, "https://f:443"), (CA, PEM)]);
            let mut given = given.filter(|(key, _)| *key == name);
            given.next().map(|(_, value)| value.into())
        })
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.url, "https://f:443/v1/tokens");
        assert_eq!(settings.request, b"{}");
        assert_eq!(settings.deadline, Duration::from_secs(120));
        assert_eq!(settings.dir, PathBuf::from("/var/run/kube2hadoop"));
        assert_eq!(settings.file_mode, 0o400);
    }

    #[test]
    fn services_are_split_and_blanks_dropped() {
        let settings = with(&[(SERVICES, "hdfs, kms,,")]).unwrap();
        assert_eq!(settings.request, br#"{"services":["hdfs","kms"]}"#);
        let long = "x".repeat(MAX_REQUEST_BYTES);
        assert_eq!(
            with(&[(SERVICES, &long)]).unwrap_err(),
            SettingsError::Services
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for url in [
            "",
            "http://f:1",
            "https://",
            "https://f/path",
            "https://u@f",
            "https://f/?q",
            "f:443",
        ] {
            assert_eq!(
                with(&[(URL, url)]).unwrap_err(),
                SettingsError::Url,
                "{url}"
            );
        }
        assert_eq!(with(&[(CA, "x")]).unwrap_err(), SettingsError::Ca);
        for seconds in ["0", "3601", "-1", "soon"] {
            assert_eq!(
                with(&[(DEADLINE, seconds)]).unwrap_err(),
                SettingsError::Deadline
            );
        }
        assert_eq!(
            with(&[(FILE_MODE, "0666")]).unwrap_err(),
            SettingsError::FileMode
        );
        assert_eq!(
            Settings::from_lookup(|_| None).unwrap_err(),
            SettingsError::Missing(URL)
        );
    }
}
