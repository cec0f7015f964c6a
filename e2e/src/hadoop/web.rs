//! Hadoop's web addresses, with a ticket instead of a password.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::kerberos;
use crate::process;

/// GETs JSON as this user.
pub(super) fn get(user: &str, url: &str) -> Result<Value> {
    let (status, body) = request(user, "GET", url)?;
    if status != 200 {
        bail!("GET {url} as {user} was answered {status}: {}", body.trim());
    }
    serde_json::from_str(&body).with_context(|| format!("{url} gave no JSON"))
}

/// PUTs without a body as this user.
pub(super) fn put(user: &str, url: &str) -> Result<()> {
    let (status, body) = request(user, "PUT", url)?;
    if status != 200 {
        bail!("PUT {url} as {user} was answered {status}: {}", body.trim());
    }
    Ok(())
}

/// The status and body of any answer; an error only where there is none.
pub(super) fn request(user: &str, method: &str, url: &str) -> Result<(u16, String)> {
    let mut curl = curl(method, url);
    curl.args(["--negotiate", "--user", ":"]);
    answer(kerberos::act_as(user, &mut curl)?)
}

/// The same as nobody.
pub(super) fn anonymous(method: &str, url: &str) -> Result<(u16, String)> {
    answer(&mut curl(method, url))
}

fn curl(method: &str, url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "20"]);
    curl.args(["--request", method, "--write-out", "\n%{http_code}", url]);
    curl
}

fn answer(curl: &mut Command) -> Result<(u16, String)> {
    let said = process::run(curl)?;
    let (body, status) = said.rsplit_once('\n').context("curl gave no status")?;
    Ok((
        status.parse().context("curl gave no status")?,
        body.to_owned(),
    ))
}
