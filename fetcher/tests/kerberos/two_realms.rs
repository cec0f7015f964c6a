//! Hadoop's servers are of one realm, and we are of another, which it trusts.

use std::fs;

use crate::at_hand::{LOGGED_IN, ask_as_one_of};
use crate::kdc::{Kdc, REALM};
use crate::process::Process;
use crate::silent::OURS;

const OUR_REALM: &str = "KUBERNETES.TEST";

/// Not a test: what a [`Process`] does.
#[test]
#[ignore = "a process of the test beside it"]
fn process() {
    ask_as_one_of(OUR_REALM);
}

#[test]
fn a_server_of_a_realm_that_trusts_ours_is_logged_in_at() {
    let (hadoops, our_kdc) = (Kdc::start(), Kdc::start_of(OUR_REALM));
    let keytab = our_kdc.keytab_of(OURS);
    hadoops.export("HTTP/localhost", &keytab);
    let conf = hadoops.conf_of(&[hadoops.address()]);
    let realm = format!(
        "[realms]\n {OUR_REALM} = {{\n  kdc = {}\n }}\n",
        our_kdc.address()
    );
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + &realm).unwrap();
    let mut process = Process::start("two_realms::process", &conf, &keytab);
    let answer = process.answer("asked");
    assert!(!answer.contains(LOGGED_IN), "without trust: {answer}");
    for kdc in [&hadoops, &our_kdc] {
        kdc.admin(&format!("addprinc -pw both krbtgt/{REALM}@{OUR_REALM}"));
    }
    let answer = process.answer("asked");
    assert!(answer.contains(LOGGED_IN), "{answer}");
}
