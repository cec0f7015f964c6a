//! The KDC of realm HADOOP.TEST, the keytabs, and tickets of the people.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use super::files;
use crate::{process, progress};

/// The realm of everybody.
pub(super) const REALM: &str = "HADOOP.TEST";

const KDC: &str = "kdc";
const ENDPOINT: (&str, u16) = ("kdc.hadoop.test", 18088);
/// Half an hour is far from a ticket's ten.
const FRESH: Duration = Duration::from_secs(1800);

/// Keytabs and whose keys they hold. The services' own come first, then the proxy user, the admin and the people.
const KEYTABS: [(&str, &[&str]); 10] = [
    ("nn", &["nn/nn.hadoop.test"]),
    ("dn", &["dn/dn1.hadoop.test"]),
    (
        "http",
        &[
            "HTTP/nn1.hadoop.test",
            "HTTP/nn2.hadoop.test",
            "HTTP/dn1.hadoop.test",
            "HTTP/kms.hadoop.test",
        ],
    ),
    (
        "annex",
        &[
            "nn/nn3.hadoop.test",
            "rm/rm.hadoop.test",
            "router/router.hadoop.test",
            "httpfs/httpfs.hadoop.test",
            "HTTP/nn3.hadoop.test",
            "HTTP/kms3.hadoop.test",
            "HTTP/kms4.hadoop.test",
            "HTTP/router.hadoop.test",
            "HTTP/httpfs.hadoop.test",
            "HTTP/rm1.hadoop.test",
            "HTTP/rm2.hadoop.test",
        ],
    ),
    ("kube2hadoop", &["kube2hadoop"]),
    ("hdfs", &["hdfs"]),
    ("alice", &["alice"]),
    ("bob", &["bob"]),
    ("carol", &["carol"]),
    ("etl", &["etl"]),
];

/// Makes the database and the keytabs where they are missing, and runs the KDC.
pub(super) fn up() -> Result<()> {
    let whole = files::krb5().join("whole");
    if !whole.exists() {
        create()?;
        fs::write(&whole, "")?;
    }
    for (keytab, principals) in KEYTABS {
        if !files::keytab(keytab).exists() {
            export(keytab, principals)?;
        }
    }
    process::spawn(KDC, krb5("krb5kdc").arg("-n"))?;
    process::wait_for_daemon(KDC, Duration::from_secs(20), || {
        TcpStream::connect(ENDPOINT).is_ok()
    })
}

pub(super) fn down() -> Result<()> {
    process::stop(KDC)
}

/// Removes what the KDC said.
pub(super) fn forget() -> Result<()> {
    process::remove_log(KDC)
}

/// The environment variables with which a program acts as this user.
pub(super) fn act_as<'a>(user: &str, command: &'a mut Command) -> Result<&'a mut Command> {
    let cache = files::tickets(user);
    if !is_fresh(&cache) {
        kinit(user)?;
    }
    command.env("KRB5_CONFIG", files::krb5_conf());
    Ok(command.env("KRB5CCNAME", format!("FILE:{}", cache.display())))
}

fn is_fresh(cache: &std::path::Path) -> bool {
    let written = fs::metadata(cache).and_then(|cache| cache.modified());
    written.is_ok_and(|written| {
        SystemTime::now()
            .duration_since(written)
            .is_ok_and(|age| age < FRESH)
    })
}

/// Written aside and renamed: others may be reading the old ticket.
fn kinit(user: &str) -> Result<()> {
    let cache = files::tickets(user);
    files::private_dir(cache.parent().context("tickets lie in a directory")?)?;
    let partial = cache.with_extension(format!(
        "{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut kinit = Command::new("kinit");
    kinit
        .env("KRB5_CONFIG", files::krb5_conf())
        .arg("-c")
        .arg(format!("FILE:{}", partial.display()));
    process::run(kinit.arg("-kt").arg(files::keytab(user)).arg(user))
        .with_context(|| format!("no ticket for {user}; is the KDC up?"))?;
    fs::rename(&partial, &cache)?;
    Ok(())
}

/// A database that a killed run left half made is thrown away, and all keys with it.
fn create() -> Result<()> {
    let step = progress::step("creating the Kerberos database");
    process::stop(KDC)?;
    for directory in ["keytabs", "tickets"] {
        files::remove(&files::home().join(directory))?;
    }
    for entry in fs::read_dir(files::krb5())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            fs::remove_file(path)?;
        }
    }
    // Nobody types the master password: it is stashed.
    let password = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let input = format!("{0}\n{0}\n", password.trim());
    process::run_with_input(
        krb5("kdb5_util").args(["create", "-s", "-r", REALM]),
        &input,
    )?;
    step.done("");
    Ok(())
}

/// Makes the principals that are missing and writes their keys, unchanged, to a keytab.
fn export(name: &str, principals: &[&str]) -> Result<()> {
    let keytab = files::keytab(name);
    files::private_dir(keytab.parent().context("keytabs lie in a directory")?)?;
    let partial = keytab.with_extension("partial");
    let mut input = String::new();
    for principal in principals {
        input.push_str(&format!(
            "addprinc -randkey {principal}\nktadd -norandkey -k {} {principal}\n",
            partial.display()
        ));
    }
    // A keytab that a killed run left is appended to otherwise.
    if partial.exists() {
        fs::remove_file(&partial)?;
    }
    let said = process::run_with_input(&mut krb5("kadmin.local"), &input)?;
    if !partial.exists() {
        // kadmin.local ends with status 0 whatever happened.
        bail!("kadmin.local wrote no keys of {name}: {said}");
    }
    files::owner_only(&partial)?;
    fs::rename(&partial, &keytab)?;
    Ok(())
}

fn krb5(program: &str) -> Command {
    // Debian has them in /usr/sbin, which is not on everybody's path.
    let sbin = std::path::Path::new("/usr/sbin").join(program);
    let mut command = if sbin.exists() {
        Command::new(sbin)
    } else {
        Command::new(program)
    };
    command
        .env("KRB5_CONFIG", files::krb5_conf())
        .env("KRB5_KDC_PROFILE", files::krb5().join("kdc.conf"));
    command
}
