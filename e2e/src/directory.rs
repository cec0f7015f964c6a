//! A real OpenLDAP server with groups of headless accounts. Only the case that asks it runs it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::authority::Authority;
use crate::hadoop::files::{owner_only, private_dir, remove};
use crate::hadoop::requirements::programs;
use crate::{places, process, progress};

/// Names its log and pid file.
const SLAPD: &str = "slapd";
const HOST: &str = "ldap.hadoop.test";
/// Servers as the chart is given them, the first for StartTLS.
pub const URLS: [&str; 2] = [
    "ldap://ldap.hadoop.test:1389",
    "ldaps://ldap.hadoop.test:1636",
];
/// Below it are the groups.
pub const BASE: &str = "ou=groups,dc=hadoop,dc=test";
/// Who may read them.
pub const READER: &str = "cn=kube2hadoop,dc=hadoop,dc=test";
const ADMIN: &str = "cn=admin,dc=hadoop,dc=test";
/// And the Debian package that brings each.
const PROGRAMS: [(&str, &str); 3] = [
    (SLAPD, SLAPD),
    ("ldapmodify", "ldap-utils"),
    ("openssl", "openssl"),
];
const READY: Duration = Duration::from_secs(20);

/// By which of [`URLS`] it is reached, and whose certificate it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    StartTls,
    Ldaps,
    /// With a certificate of a CA that nobody trusts.
    Stranger,
}

/// A running server; dropping it ends it.
#[must_use]
pub struct Slapd {
    door: Door,
}

/// The CA of the server's certificate.
pub fn ca() -> PathBuf {
    authority("ca").file("ca.crt")
}

/// The password of [`READER`].
pub fn password_file() -> PathBuf {
    home().join("password")
}

/// Installs it, and makes what the chart is given, where that is missing: the CA and the password.
pub fn prepare(no_install: bool) -> Result<()> {
    programs(&PROGRAMS, no_install)?;
    if password_file().exists() {
        return Ok(());
    }
    for name in ["ca", "stranger"] {
        let authority = authority(name);
        private_dir(&authority.file(""))?;
        authority.found("/CN=directory")?;
        authority.issue("slapd", "/CN=slapd", "serverAuth", &format!("DNS:{HOST}"))?;
    }
    // Renamed last: a run that is killed half-way begins anew.
    let password = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let partial = home().join("password.partial");
    fs::write(&partial, password.trim())?;
    owner_only(&partial)?;
    fs::rename(partial, password_file())?;
    Ok(())
}

/// Ends it, and removes what it had.
pub fn down() -> Result<()> {
    process::stop(SLAPD)?;
    process::remove_log(SLAPD)?;
    remove(&home())
}

impl Slapd {
    /// Starts it with these groups and their members, and nothing else, behind one door.
    pub fn start(door: Door, groups: &[(&str, &[&str])]) -> Result<Self> {
        process::stop(SLAPD)?;
        let slapd = Self { door };
        let conf = slapd.configure()?;
        let content = home().join("content.ldif");
        fs::write(&content, entries(groups)?)?;
        let mut load = own_program("slapadd")?;
        process::run(load.arg("-f").arg(&conf).arg("-l").arg(&content))?;
        let mut command = own_program(SLAPD)?;
        // With a debug level it stays in the foreground.
        command.args(["-d", "none", "-h", slapd.url(), "-f"]);
        process::spawn(SLAPD, command.arg(&conf))?;
        process::wait_for_daemon(SLAPD, READY, || {
            slapd
                .client("ldapwhoami")
                .is_ok_and(|mut ask| process::run(&mut ask).is_ok())
        })?;
        Ok(slapd)
    }

    /// Takes a member out of a group.
    pub fn dismiss(&self, group: &str, member: &str) -> Result<()> {
        let change = format!(
            "dn: cn={group},{BASE}\nchangetype: modify\ndelete: memberUid\nmemberUid: {member}\n"
        );
        process::run_with_input(&mut self.client("ldapmodify")?, &change).map(drop)
    }

    fn url(&self) -> &'static str {
        match self.door {
            Door::StartTls => URLS[0],
            Door::Ldaps | Door::Stranger => URLS[1],
        }
    }

    fn authority(&self) -> Authority {
        authority(if self.door == Door::Stranger {
            "stranger"
        } else {
            "ca"
        })
    }

    /// A tool of OpenLDAP's that acts as the admin.
    fn client(&self, program: &str) -> Result<Command> {
        let mut client = Command::new(program);
        client.args(["-x", "-H", self.url(), "-D", ADMIN, "-y"]);
        client.arg(password_file());
        client.env("LDAPTLS_CACERT", self.authority().file("ca.crt"));
        if self.door == Door::StartTls {
            client.arg("-ZZ");
        }
        Ok(client)
    }

    /// Writes its configuration, and gives it an empty database.
    fn configure(&self) -> Result<PathBuf> {
        let data = home().join("data");
        remove(&data)?;
        private_dir(&data)?;
        let (data, home) = (data.display(), home());
        let authority = self.authority();
        let file = |name: &str| authority.file(name).display().to_string();
        let password = fs::read_to_string(password_file())?;
        let text = format!(
            "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {pid}
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security tls=128
database mdb
suffix dc=hadoop,dc=test
rootdn {ADMIN}
rootpw {password}
directory {data}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact={READER} read by * none
",
            pid = home.join("pid").display(),
            ca = file("ca.crt"),
            certificate = file("slapd.crt"),
            key = file("slapd.key"),
        );
        // A name for each: a daemon with the same command line would be left alone.
        let conf = home.join(format!("slapd-{:?}.conf", self.door));
        fs::write(&conf, text)?;
        Ok(conf)
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if let Err(error) = process::stop(SLAPD) {
            progress::say(format!("failed to stop slapd: {error:#}"));
        }
    }
}

fn entries(groups: &[(&str, &[&str])]) -> Result<String> {
    let password = fs::read_to_string(password_file())?;
    let mut text = format!(
        "dn: dc=hadoop,dc=test
objectClass: dcObject
objectClass: organization
o: Hadoop

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {password}

dn: {BASE}
objectClass: organizationalUnit
"
    );
    for (number, (group, members)) in groups.iter().enumerate() {
        text += &format!(
            "\ndn: cn={group},{BASE}\nobjectClass: posixGroup\ngidNumber: {}\n",
            5000 + number
        );
        for member in *members {
            text += &format!("memberUid: {member}\n");
        }
    }
    Ok(text)
}

/// A copy: Debian's AppArmor profile knows the program by its path, and keeps it to /var/lib/ldap.
fn own_program(name: &str) -> Result<Command> {
    let copy = home().join(SLAPD);
    if !copy.exists() {
        let partial = copy.with_extension("partial");
        fs::copy("/usr/sbin/slapd", &partial).context("failed to copy slapd")?;
        fs::rename(&partial, &copy)?;
    }
    // Which of its tools it is, it reads off its name.
    let tool = home().join(name);
    if !tool.exists() {
        std::os::unix::fs::symlink(&copy, &tool)?;
    }
    Ok(Command::new(tool))
}

fn home() -> PathBuf {
    places::state().join("ldap")
}

fn authority(name: &str) -> Authority {
    Authority::new(home().join(name))
}
