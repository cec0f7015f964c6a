//! `kube2hadoop-fetcher doctor`: each thing that is wrong with Kerberos has a line of its own, which says what to
//! change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::kdc::{Kdc, REALM, free_address};
use crate::process::Process;

const OURS: &str = "kube2hadoop";
const TICKET: &str = "ticket for HTTP/localhost";

/// What the process is told.
#[derive(Clone)]
struct Told {
    krb5_conf: PathBuf,
    keytab: PathBuf,
    principal: String,
    /// Where the NameNode's web server is: nowhere, as tickets for it can be had all the same.
    web: String,
}

impl Told {
    fn well(kdc: &Kdc) -> Self {
        Self {
            krb5_conf: kdc.conf_of(&[kdc.address()]),
            keytab: kdc.keytab_of(OURS),
            principal: format!("{OURS}@{REALM}"),
            web: free_address(),
        }
    }

    /// The line of this check: whether it is good, and what it says.
    fn finding(&self, check: &str) -> (bool, String) {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("fetcher.yaml");
        write_hadoop_conf(directory.path(), &self.web);
        let conf_dir = directory.path().display();
        let text = format!(
            "hadoop: {{confDir: {conf_dir}, principal: '{}'}}",
            self.principal
        );
        fs::write(&config, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_kube2hadoop-fetcher"))
            .arg("--config")
            .arg(&config)
            .args(["doctor", "--json"])
            .env("KRB5_CONFIG", &self.krb5_conf)
            .env("KRB5_CLIENT_KTNAME", &self.keytab)
            .env("KRB5CCNAME", "MEMORY:doctor")
            .env("KUBECONFIG", "/nonexistent")
            .output()
            .unwrap();
        // There is no API server, whatever becomes of the rest.
        assert_eq!(output.status.code(), Some(1));
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut all = findings.as_array().unwrap().iter();
        let found = all.find(|it| it["check"] == check);
        let found = found.expect(check);
        let detail = found["detail"].as_str().unwrap().to_owned();
        (found["ok"] == true, detail)
    }

    /// That line is bad, and says this.
    fn complains(&self, check: &str, parts: &[&str]) {
        let (good, detail) = self.finding(check);
        let all = parts.iter().all(|part| detail.contains(part));
        assert!(!good && all, "{check} wants {parts:?}: {detail}");
    }
}

/// One of Hadoop's configuration files.
pub(crate) fn site(properties: &[(&str, &str)]) -> String {
    let property = |(name, value): &(&str, &str)| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    let properties: String = properties.iter().map(property).collect();
    format!("<configuration>{properties}</configuration>")
}

/// Of one NameNode, whose web server has the port of this address.
pub(crate) fn write_hadoop_conf(directory: &Path, web: &str) {
    let (_, port) = web.rsplit_once(':').unwrap();
    let core = site(&[
        ("fs.defaultFS", "hdfs://localhost:8020"),
        ("hadoop.security.authentication", "kerberos"),
    ]);
    let hdfs = site(&[("dfs.namenode.http-address", &format!("localhost:{port}"))]);
    fs::write(directory.join("core-site.xml"), core).unwrap();
    fs::write(directory.join("hdfs-site.xml"), hdfs).unwrap();
}

#[test]
fn all_is_well() {
    let kdc = Kdc::start();
    let told = Told::well(&kdc);
    assert_eq!(told.finding(TICKET), (true, "the KDC gives one".into()));
    let (good, detail) = told.finding("keytab");
    assert!(
        good && detail.contains("has key version 2 of kube2hadoop@EXAMPLE.COM"),
        "{detail}"
    );
}

#[test]
fn what_is_wrong_with_the_keytab_is_told_apart() {
    let kdc = Kdc::start();
    let well = Told::well(&kdc);
    let made = |name: &str, content: &[u8]| {
        let path = kdc.file(name);
        fs::write(&path, content).unwrap();
        path
    };
    // A directory is what even root cannot read.
    let cases: [(PathBuf, &[&str]); 4] = [
        (kdc.file("none"), &["does not exist", "mount the Secret"]),
        (kdc.file(""), &["cannot be read", "let our user read it"]),
        (made("text", b"BQIAAABL"), &["is no keytab", "as binary"]),
        (made("empty", &[5, 2]), &["holds no keys", "export"]),
    ];
    for (keytab, says) in cases {
        let told = Told {
            keytab,
            ..well.clone()
        };
        told.complains("keytab", says);
        told.complains(TICKET, says);
    }
    let other = Told {
        keytab: kdc.keytab_of("other"),
        ..well
    };
    let says = [
        "has no key of kube2hadoop@EXAMPLE.COM",
        "only of other@EXAMPLE.COM",
    ];
    other.complains("keytab", &says);
}

#[test]
fn what_the_kdc_says_is_told_apart() {
    let kdc = Kdc::start();
    let well = Told::well(&kdc);
    let ours = "kube2hadoop@EXAMPLE.COM";
    kdc.admin("modprinc -allow_tix kube2hadoop");
    well.complains(TICKET, &["is locked or has expired", ours]);
    kdc.admin("modprinc +allow_tix kube2hadoop");
    kdc.admin("delprinc -force HTTP/localhost");
    well.complains(TICKET, &["does not know HTTP/localhost"]);
    kdc.admin("cpw -randkey kube2hadoop");
    well.complains(TICKET, &["another key of", ours, "export it anew"]);
    kdc.admin("delprinc -force kube2hadoop");
    well.complains(TICKET, &["the KDC does not know", ours, "create it"]);
}

#[test]
fn a_kdc_that_is_away_is_not_one_that_is_unknown() {
    let kdc = Kdc::start();
    let well = Told::well(&kdc);
    let away = Told {
        krb5_conf: kdc.conf_of(&[&free_address()]),
        ..well.clone()
    };
    away.complains(TICKET, &["no KDC answers", "KRB5_CONFIG"]);
    let unknown = Told {
        krb5_conf: kdc.conf_of(&[]),
        ..well
    };
    unknown.complains(TICKET, &["no KDC is known for the realm", "add the realm"]);
}

#[test]
fn a_server_whose_clock_is_wrong_is_told_by_how_much() {
    const CLOCK: &str = "clock of localhost";
    let kdc = Kdc::start();
    let mut told = Told::well(&kdc);
    kdc.export("HTTP/localhost", &told.keytab);
    let mut server = Process::start("skewed::process", &told.krb5_conf, &told.keytab);
    told.web = server.answer("-240");
    told.complains(CLOCK, &["s behind ours", "Kerberos allows 300 s", "NTP"]);
    server.answer("240");
    told.complains(CLOCK, &["s ahead of ours", "NTP"]);
    server.answer("0");
    let (good, detail) = told.finding(CLOCK);
    assert!(good, "{detail}");
}
