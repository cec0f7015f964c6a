//! The clocks of Hadoop's servers against ours. Kerberos hides a skew from clients until a server refuses their
//! tickets.

use k8s_openapi::jiff::{Timestamp, fmt::rfc2822};

use super::Finding;
use crate::chain;
use crate::hadoop::http::Host;
use crate::hadoop::{HadoopError, HadoopServices};

/// Kerberos allows five minutes: one is time enough to act.
const MOST: i64 = 60;

/// Asks every server for the time, which takes a session with it.
pub(super) async fn check(services: &HadoopServices, servers: &[Host]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for server in servers {
        let date = services.date(server).await;
        findings.push(judged(server.name(), date, Timestamp::now()));
    }
    findings
}

fn judged(host: &str, date: Result<Option<String>, HadoopError>, now: Timestamp) -> Finding {
    let check = format!("clock of {host}");
    let date = match date {
        Ok(date) => date,
        Err(error) => return Finding::bad(check, chain::text(&error)),
    };
    let shown = date.and_then(|date| rfc2822::parse(&date).ok());
    let Some(shown) = shown else {
        return Finding::bad(
            check,
            "its answers have no date: see that its web address names a service of Hadoop",
        );
    };
    let off = shown.timestamp().as_second() - now.as_second();
    if off.abs() <= MOST {
        return Finding::good(check, format!("{} s from ours", off.abs()));
    }
    let way = if off > 0 { "ahead of" } else { "behind" };
    let off = off.abs();
    Finding::bad(
        check,
        format!("it is {off} s {way} ours, and Kerberos allows 300 s: synchronise both with NTP"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_told_with_its_way() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let judged = |date: &str| judged("nn1", Ok(Some(date.to_owned())), now);
        let good = judged("Mon, 23 Nov 2026 11:59:30 GMT");
        assert_eq!((good.ok, good.detail.as_str()), (true, "30 s from ours"));
        for (date, says) in [
            ("Mon, 23 Nov 2026 12:06:00 GMT", "360 s ahead of ours"),
            ("Mon, 23 Nov 2026 11:58:00 GMT", "120 s behind ours"),
            ("yesterday", "no date"),
        ] {
            let bad = judged(date);
            assert!(!bad.ok && bad.detail.contains(says), "{}", bad.detail);
        }
    }
}
