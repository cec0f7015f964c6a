//! A KDC that takes what it is sent, and says nothing: a firewall, or a process that hangs.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use kube2hadoop_fetcher::hadoop::{HadoopServices, Settings};
use kube2hadoop_stamp::DenyList;

use crate::doctor::write_hadoop_conf;
use crate::kdc::{Kdc, REALM, free_address};
use crate::process::{Process, serve};
use crate::wait_until;

pub(crate) const OURS: &str = "kube2hadoop";
pub(crate) const LIMIT: Duration = Duration::from_secs(2);

/// What a directory configures for ours of this realm, with little patience, and a text of krb5.conf that tells hosts'
/// realms.
pub(crate) fn services(conf: &Path, krb5_conf: String, realm: &str) -> HadoopServices {
    let services = HadoopServices::from_conf(&Settings {
        conf_dir: conf.into(),
        principal: format!("{OURS}@{realm}"),
        renewer: OURS.into(),
        ca_file: None,
        require_https: false,
        krb5_conf,
        kms: false,
        timeout: LIMIT,
        deny: tokio::sync::watch::channel(DenyList::default()).1,
    });
    services.unwrap()
}

/// Not a test: what a [`Process`] does. So many as it is told ask for tokens at a time; it answers what each came to.
#[test]
#[ignore = "a process of the tests beside it"]
fn process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let conf = tempfile::tempdir().unwrap();
    write_hadoop_conf(conf.path(), &free_address());
    let services = services(conf.path(), String::new(), REALM);
    let hdfs = services.get("localhost").unwrap();
    let alice = "alice".parse().unwrap();
    serve(|many| {
        let all = (0..many.parse().unwrap()).map(|_| hdfs.issue(&alice));
        let ends = runtime.block_on(join_all(all)).into_iter();
        let said = ends.map(|end| end.map_or_else(|error| error.to_string(), |_| "a token".into()));
        said.collect::<Vec<_>>().join(" | ")
    });
}

/// They hear why within the time of one wait, and who comes after them at once.
#[test]
fn all_wait_for_a_silent_kdc_once_and_find_it_when_it_is_back() {
    let kdc = Kdc::start();
    let keytab = kdc.keytab_of(OURS);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let _tcp = TcpListener::bind(address).unwrap();
    let conf = kdc.conf_of(&[&address.to_string()]);
    let mut process = Process::start("silent::process", &conf, &keytab);
    let mut ask = |many: usize, word: &str| {
        let asked = Instant::now();
        let answer = process.answer(&many.to_string());
        let told = answer.split(" | ").filter(|it| it.contains(word)).count();
        (told, asked.elapsed(), answer)
    };
    let (told, took, answer) = ask(50, "KRB5_CONFIG");
    assert!(told == 50 && took < 2 * LIMIT, "{took:?}: {answer}");
    let (told, took, answer) = ask(50, "no KDC answered at 20");
    assert!(told == 50 && took < LIMIT / 2, "{took:?}: {answer}");
    fs::copy(kdc.conf_of(&[kdc.address()]), &conf).unwrap();
    // No NameNode is there; but who asks it has a ticket.
    wait_until("a ticket", || {
        ask(1, "no host of localhost answered").0 == 1
    });
}
