//! One process for hours: tickets end, keys are changed, KDCs die.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube2hadoop_fetcher::hadoop::spnego::{Negotiate, Spnego};

use crate::kdc::{Kdc, REALM, free_address};
use crate::process::{Process, serve};
use crate::wait_until;

const OURS: &str = "kube2hadoop";
const PROCESS: &str = "long_lived::process";
/// `hadoop.timeoutSeconds`, unless the operator says otherwise.
const LIMIT: Duration = Duration::from_secs(15);

/// Not a test: what a [`Process`] does. It begins an exchange for each line it is given, and says how
/// that went.
#[test]
#[ignore = "a process of the tests beside it"]
fn process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spnego = Spnego::new(format!("{OURS}@{REALM}").parse().unwrap());
    serve(|host| match runtime.block_on(spnego.start(host)) {
        Ok(_) => "good".to_owned(),
        Err(error) => error.reason().to_owned(),
    });
}

/// A Secret as the kubelet mounts it: a new version is a new directory, and one symbolic link is replaced.
struct Mounted(PathBuf);

impl Mounted {
    fn keytab(&self) -> PathBuf {
        self.0.join("keytab")
    }

    fn new(kdc: &Kdc) -> Self {
        let mounted = Self(kdc.file("mounted"));
        fs::create_dir(&mounted.0).unwrap();
        mounted.export(kdc, "..first");
        symlink("..data/keytab", mounted.keytab()).unwrap();
        mounted
    }

    fn export(&self, kdc: &Kdc, version: &str) {
        fs::create_dir(self.0.join(version)).unwrap();
        kdc.export(OURS, &self.0.join(version).join("keytab"));
        symlink(version, self.0.join("..data_tmp")).unwrap();
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).unwrap();
    }
}

/// Tickets of four seconds: what takes a day elsewhere is seen in half a minute.
#[test]
fn tickets_are_renewed_and_a_changed_keytab_is_taken_up() {
    let kdc = Kdc::start();
    kdc.add(OURS, "-maxlife 4s");
    let mounted = Mounted::new(&kdc);
    let mut process = Process::start(PROCESS, &kdc.conf_of(&[kdc.address()]), &mounted.keytab());
    assert_eq!(process.answer("localhost"), "good");
    let first = kdc.logins();
    wait_until("another ticket", || {
        assert_eq!(process.answer("localhost"), "good");
        kdc.logins() > first
    });
    // From here on the KDC knows another key only, and the keytab has it.
    mounted.export(&kdc, "..second");
    let second = kdc.logins();
    wait_until("a ticket by the new key", || {
        assert_eq!(process.answer("localhost"), "good");
        kdc.logins() > second
    });
    // Nobody has the next key: the last ticket serves until it ends.
    kdc.admin(&format!("cpw -randkey {OURS}"));
    wait_until("the last ticket to end", || {
        process.answer("localhost") != "good"
    });
    assert_eq!(process.answer("localhost"), "kerberos-ticket-ended");
}

/// Two of three KDCs are dead: one refuses connections, one says nothing.
#[test]
fn a_kdc_that_is_dead_is_passed_over_within_the_limit() {
    let kdc = Kdc::start();
    let keytab = kdc.keytab_of(OURS);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap().to_string();
    let conf = kdc.conf_of(&[&free_address(), &silent_address, kdc.address()]);
    let mut process = Process::start(PROCESS, &conf, &keytab);
    let asked = Instant::now();
    assert_eq!(process.answer("localhost"), "good");
    let took = asked.elapsed();
    assert!(took < LIMIT, "a ticket took {took:?}");
}
