//! A KDC that lives as long as its value: a temporary directory, a free port of the loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::wait_until;

pub(crate) const REALM: &str = "EXAMPLE.COM";

/// A running KDC.
pub(crate) struct Kdc {
    realm: &'static str,
    directory: TempDir,
    address: String,
    process: Child,
}

impl Kdc {
    /// Starts one of [`REALM`].
    pub(crate) fn start() -> Self {
        Self::start_of(REALM)
    }

    /// Starts one that knows HTTP/localhost.
    pub(crate) fn start_of(realm: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        write_configuration(directory.path(), realm, &address);
        let create = ["create", "-s", "-r", realm, "-P", "of no use to anybody"];
        succeed(tool(directory.path(), "kdb5_util").args(create));
        let mut command = Command::new(program("krb5kdc"));
        environment(directory.path(), &mut command);
        let log = fs::File::create(directory.path().join("kdc.log")).unwrap();
        let process = command
            .arg("-n")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let kdc = Self {
            realm,
            directory,
            address,
            process,
        };
        wait_until("the KDC to listen", || {
            TcpStream::connect(&kdc.address).is_ok()
        });
        kdc.add("HTTP/localhost", "");
        kdc
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes a principal with a random key, and with these options of `addprinc`.
    pub(crate) fn add(&self, principal: &str, options: &str) {
        self.admin(&format!(
            "addprinc -randkey +requires_preauth {options} {principal}"
        ));
    }

    /// Asks `kadmin.local`, for example for `delprinc -force kube2hadoop`.
    pub(crate) fn admin(&self, query: &str) {
        let mut kadmin = tool(self.directory.path(), "kadmin.local");
        succeed(kadmin.args(["-r", self.realm, "-q", query]));
    }

    /// Gives the principal another key and puts that into a new keytab: the key from before is gone.
    pub(crate) fn export(&self, principal: &str, keytab: &Path) {
        self.admin(&format!("ktadd -k {} {principal}", keytab.display()));
    }

    /// A keytab of a principal that is made for it.
    pub(crate) fn keytab_of(&self, principal: &str) -> PathBuf {
        self.add(principal, "");
        let keytab = self.file(&format!("{principal}.keytab"));
        self.export(principal, &keytab);
        keytab
    }

    /// A krb5.conf of clients that knows these KDCs.
    pub(crate) fn conf_of(&self, kdcs: &[&str]) -> PathBuf {
        let name = kdcs.join("-").replace(':', ".");
        let path = self.file(&format!("krb5-{name}.conf"));
        fs::write(&path, configuration(self.realm, kdcs)).unwrap();
        path
    }

    /// How many tickets it has given to whom it first had to know by their key.
    pub(crate) fn logins(&self) -> usize {
        let log = fs::read_to_string(self.directory.path().join("kdc.log")).unwrap();
        let granted = |line: &&str| line.contains("AS_REQ") && line.contains("ISSUE:");
        log.lines().filter(granted).count()
    }

    /// A path beside its database.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address of the loopback on which nobody listens.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

fn write_configuration(directory: &Path, realm: &str, address: &str) {
    let client = configuration(realm, &[address]);
    fs::write(directory.join("krb5.conf"), client).unwrap();
    let state = directory.display();
    let kdc = format!(
        "[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n\
         [realms]\n {realm} = {{\n  database_name = {state}/principal\n  key_stash_file = {state}/stash\n }}\n\
         [logging]\n kdc = STDERR\n"
    );
    fs::write(directory.join("kdc.conf"), kdc).unwrap();
}

fn configuration(realm: &str, kdcs: &[&str]) -> String {
    let kdcs: String = kdcs.iter().map(|kdc| format!("  kdc = {kdc}\n")).collect();
    format!(
        "[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n\
         \x20rdns = false\n\
         [realms]\n {realm} = {{\n{kdcs} }}\n[domain_realm]\n localhost = {realm}\n"
    )
}

fn tool(directory: &Path, name: &str) -> Command {
    let mut tool = Command::new(program(name));
    environment(directory, &mut tool);
    tool
}

fn environment(directory: &Path, command: &mut Command) {
    command.env("KRB5_CONFIG", directory.join("krb5.conf"));
    command.env("KRB5_KDC_PROFILE", directory.join("kdc.conf"));
}

/// Where Debian has it, which is on the path of root only.
fn program(name: &str) -> PathBuf {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() { path } else { name.into() }
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("install krb5-kdc and krb5-admin-server: these tests have a KDC");
    let said = String::from_utf8_lossy(&output.stderr);
    // kadmin.local ends well whatever became of its query.
    assert!(
        output.status.success()
            && !said.contains("kadmin.local:")
            && !said.contains("add_principal:"),
        "{command:?}: {said}"
    );
}

/// How long anything here may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);
