//! What lies in HDFS when the tests begin.

use anyhow::{Context, Result};

use super::{java, namenodes, servers, web};
use crate::{process, progress};

const SUPERUSER: &str = "hdfs";
/// Made for the zones of tests.
pub(super) const KEY: &str = "secure-zone";
/// Encrypted with [`KEY`]; alice's alone.
const ZONE: &str = "/secure-zone";
const PUBLIC: &str = "/data/public/greeting";

/// Directory, owner, group, permission.
const DIRECTORIES: [(&str, &str, &str, &str); 8] = [
    ("/tmp", "hdfs", "supergroup", "1777"),
    ("/data", "hdfs", "supergroup", "755"),
    ("/data/public", "hdfs", "supergroup", "755"),
    ("/user", "hdfs", "supergroup", "755"),
    ("/user/alice", "alice", "alice", "700"),
    ("/user/bob", "bob", "bob", "700"),
    ("/user/carol", "carol", "carol", "700"),
    ("/user/etl", "etl", "etl", "700"),
];

/// Makes what is missing, and gives directories back to their owners.
pub(super) fn up() -> Result<()> {
    let step = progress::step("laying out HDFS");
    let fs = format!(
        "{}/webhdfs/v1",
        namenodes::active()
            .context("no NameNode is active")?
            .server()
            .web()
    );
    for directory in DIRECTORIES {
        make(&fs, directory)?;
    }
    make(&fs, (ZONE, "alice", "alice", "700"))?;
    if !is_encrypted(&fs)? {
        encrypt()?;
    }
    if web::request(SUPERUSER, "GET", &format!("{fs}{PUBLIC}?op=GETFILESTATUS"))?.0 == 404 {
        let mut put = java::tool(
            SUPERUSER,
            "org.apache.hadoop.fs.FsShell",
            &["-put", "-f", "-", PUBLIC],
        )?;
        process::run_with_input(&mut put, "hello from HDFS\n")?;
    }
    step.done("");
    Ok(())
}

fn make(fs: &str, (path, owner, group, permission): (&str, &str, &str, &str)) -> Result<()> {
    web::put(SUPERUSER, &format!("{fs}{path}?op=MKDIRS"))?;
    web::put(
        SUPERUSER,
        &format!("{fs}{path}?op=SETOWNER&owner={owner}&group={group}"),
    )?;
    web::put(
        SUPERUSER,
        &format!("{fs}{path}?op=SETPERMISSION&permission={permission}"),
    )
}

fn is_encrypted(fs: &str) -> Result<bool> {
    let status = web::get(SUPERUSER, &format!("{fs}{ZONE}?op=GETFILESTATUS"))?;
    Ok(status
        .pointer("/FileStatus/encBit")
        .and_then(serde_json::Value::as_bool)
        == Some(true))
}

/// The directory is new and empty: only then can it become a zone.
fn encrypt() -> Result<()> {
    let names = web::get(
        SUPERUSER,
        &format!("{}/kms/v1/keys/names", servers::KMS.web()),
    )?;
    if names
        .as_array()
        .is_none_or(|names| names.iter().all(|name| name != KEY))
    {
        java::run_tool(
            SUPERUSER,
            "org.apache.hadoop.crypto.key.KeyShell",
            &["create", KEY, "-size", "128"],
        )?;
    }
    let zone = ["-createZone", "-keyName", KEY, "-path", ZONE];
    java::run_tool(SUPERUSER, "org.apache.hadoop.hdfs.tools.CryptoAdmin", &zone).map(drop)
}
