use kube2hadoop_runtime::listen::KEPT;

use super::*;
use crate::serve::LEGACY_CONNECTIONS;

const LEAST: &str = "hadoop: {principal: kube2hadoop@EXAMPLE.COM}\n";

fn parse(text: &str) -> Result<Config, String> {
    serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn defaults_fill_what_is_left_out() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(config.listen.port(), 8443);
    assert_eq!(config.audience, "kube2hadoop");
    assert_eq!(
        config.tls,
        TlsSource::Secret("kube2hadoop-fetcher-tls".into())
    );
    assert_eq!(config.hadoop.renewer(), "kube2hadoop");
    assert!(config.policy.require_token_guard);
    assert!(config.deny_list().contains(&"hdfs".parse().unwrap()));
}

#[test]
fn the_example_for_outside_the_cluster_can_be_used() {
    let config = parse(include_str!("../../../deploy/outside/fetcher.yaml")).unwrap();
    assert_eq!(config.validate(), Ok(()));
    assert!(matches!(config.tls, TlsSource::Files { .. }) && config.renews());
    assert!(config.admin.ip().is_loopback());
}

#[test]
fn strangers_leave_us_a_quarter_of_the_memory_that_the_chart_gives() {
    let values = include_str!("../../../deploy/chart/kube2hadoop/values.yaml");
    let values: serde_json::Value = serde_yaml_ng::from_str(values).unwrap();
    let memory = values["fetcher"]["resources"]["limits"]["memory"]
        .as_str()
        .and_then(|memory| memory.strip_suffix("Mi")?.parse::<usize>().ok())
        .unwrap();
    let limits = Limits::default();
    let kept = (limits.connections + LEGACY_CONNECTIONS) as usize * KEPT;
    assert!(kept <= memory * 1024 * 1024 / 4 * 3, "{kept} bytes");
    let heard = limits.connections as usize - limits.running - limits.waiting;
    assert!(heard > 0, "who may not even wait hears so");
}

#[test]
fn sources_are_one_or_the_other() {
    let config = parse(&format!(
        "{LEAST}tls: {{certFile: /a, keyFile: /b}}\nstampKeys: {{file: /k}}"
    ))
    .unwrap();
    assert_eq!(
        config.tls,
        TlsSource::Files {
            cert: "/a".into(),
            key: "/b".into()
        }
    );
    assert_eq!(config.stamp_keys, StampKeysSource::File("/k".into()));
    for bad in [
        "tls: {certFile: /a}",
        "tls: {}",
        "tls: {secret: s, keyFile: /b}",
        "stampKeys: {}",
    ] {
        assert!(
            parse(&format!("{LEAST}{bad}"))
                .unwrap_err()
                .contains("give either"),
            "{bad}"
        );
    }
}

#[test]
fn unknown_keys_are_refused() {
    for bad in [
        "lisen: 0.0.0.0:1",
        "policy: {requireTokenGard: false}",
        "ledger: {size: 3}",
    ] {
        assert!(
            parse(&format!("{LEAST}{bad}"))
                .unwrap_err()
                .contains("unknown field"),
            "{bad}"
        );
    }
}

#[test]
fn what_cannot_work_is_named() {
    let cases = [
        ("audience: ''", InvalidConfig::Empty { field: "audience" }),
        (
            "guards: {tokenGuard: ' '}",
            InvalidConfig::Empty {
                field: "guards.tokenGuard",
            },
        ),
        (
            "guards: {historyIsTheControllers: ''}",
            InvalidConfig::Empty {
                field: "guards.historyIsTheControllers",
            },
        ),
        (
            "limits: {running: 0}",
            InvalidConfig::Zero {
                field: "limits.running",
            },
        ),
        (
            "limits: {requestSeconds: 30}",
            InvalidConfig::RequestSeconds(30),
        ),
        (
            "stampWindowSeconds: 0",
            InvalidConfig::Zero {
                field: "stampWindowSeconds",
            },
        ),
        ("stampWindowSeconds: 3600", InvalidConfig::Window(3600)),
        ("ledger: {minLifeFraction: 1.0}", InvalidConfig::Fraction),
        (
            "lifecycle: {leaseSeconds: 1}",
            InvalidConfig::LeaseSeconds(1),
        ),
        (
            "lifecycle: {graceSeconds: 4}",
            InvalidConfig::GraceSeconds(4),
        ),
        (
            "lifecycle: {renewFraction: 0.95}",
            InvalidConfig::RenewFraction,
        ),
        (
            "lifecycle: {renewSpread: 0.7}",
            InvalidConfig::RenewFraction,
        ),
        (
            "lifecycle: {lease: ''}",
            InvalidConfig::Empty {
                field: "lifecycle.lease",
            },
        ),
        (
            "lifecycle: {perSecond: 0}",
            InvalidConfig::Zero {
                field: "lifecycle.perSecond",
            },
        ),
        (
            "ledger: {namespace: kube2hadoop}",
            InvalidConfig::LedgerNamespace,
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(
            parse(&format!("{LEAST}{line}")).unwrap().validate(),
            Err(expected),
            "{line}"
        );
    }
}

#[test]
fn a_principal_has_a_realm() {
    for bad in ["kube2hadoop", "@R", "a@", "a@b@c", "/h@R"] {
        let config = parse(&format!("hadoop: {{principal: '{bad}'}}")).unwrap();
        assert_eq!(
            config.validate(),
            Err(InvalidConfig::Principal(bad.into())),
            "{bad}"
        );
    }
    let config = parse("hadoop: {principal: k2h/host@R}").unwrap();
    assert_eq!(config.hadoop.short_name(), Some("k2h"));
}

#[test]
fn denied_users_are_checked_names() {
    assert!(parse(&format!("{LEAST}deny: ['a b']")).is_err());
    let config = parse(&format!("{LEAST}deny: [etl, -spark]")).unwrap();
    let denied = |name: &str| config.deny_list().contains(&name.parse().unwrap());
    assert!(denied("etl") && denied("hdfs") && !denied("spark"));
}

#[test]
fn our_own_name_is_denied_whatever_it_is() {
    for (principal, own) in [("k2h@R", "k2h"), ("Gateway/host@R", "gateway")] {
        let config = parse(&format!("hadoop: {{principal: {principal}}}\ndeny: [etl]")).unwrap();
        assert!(config.deny_list().contains(&own.parse().unwrap()), "{own}");
    }
    // Not even a list that takes it out lets anybody be us.
    let config = parse(&format!("{LEAST}deny: [-kube2hadoop]")).unwrap();
    assert!(config.deny_list().contains(&"kube2hadoop".parse().unwrap()));
}
