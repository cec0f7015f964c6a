//! Hadoop's other services, real ones: their tokens are got by the fetcher's own code and used by the stock client,
//! which has nothing but what a pod has.

use anyhow::{Result, bail, ensure};

use super::scene::{Scene, says};
use crate::hadoop::{Annex, Server, Tokens};
use crate::native;

/// Empty: there is no DataNode, but its key has to be decrypted all the same.
const ENCRYPTED: &str = "/three/zone/encrypted";

/// ViewFS over HA, a single NameNode and a router; webhdfs://, swebhdfs:// and HttpFS; an encryption zone, and two KMS;
/// all of them https with a private CA but for the main cluster.
pub(super) fn of_an_https_only_cluster(scene: &Scene<'_>) -> Result<()> {
    let annex = scene.stage.hadoop.annex(&[
        Server::ZooKeeper,
        Server::NameNode,
        Server::Kms3,
        Server::Router,
        Server::HttpFs,
    ])?;
    annex.hdfs(&["-mkdir", "/zone"])?;
    annex.hdfs(&["-chmod", "1777", "/", "/zone"])?;
    annex.encrypt("/zone")?;
    let tokens = annex.issue("ns1,ns3,ns-fed,httpfs.hadoop.test,kms")?;
    serve_everywhere(&tokens)?;
    serve_without_java(&tokens, scene.stage.no_install)?;
    kms_that_share_their_tokens(&annex, &tokens)?;
    let refused = tokens.hdfs(&["-ls", "/routed"]);
    ensure!(refused.is_err(), "a cancelled token lists files");
    kms_that_do_not(&annex)
}

fn serve_everywhere(tokens: &Tokens) -> Result<()> {
    tokens.hdfs(&[
        "-touchz",
        "hdfs://nn3.hadoop.test:8020/by-address",
        "/three/by-mount",
        "hdfs://ns-fed/by-router",
        "/routed/by-mounted-router",
        ENCRYPTED,
    ])?;
    tokens.hdfs(&["-mkdir", "swebhdfs://httpfs.hadoop.test:14000/by-httpfs"])?;
    let seen = tokens.hdfs(&[
        "-ls",
        "/main/public",
        "webhdfs://ns1/data/public",
        "swebhdfs://nn3.hadoop.test:9871/",
        "swebhdfs://httpfs.hadoop.test:14000/zone",
    ])?;
    for file in [
        "/main/public/greeting",
        "webhdfs://ns1/data/public/greeting",
        "9871/by-address",
        "9871/by-mount",
        "9871/by-router",
        "9871/by-mounted-router",
        "9871/by-httpfs",
        "14000/zone/encrypted",
    ] {
        let line = seen.lines().find(|line| line.ends_with(file));
        ensure!(line.is_some(), "{file} is not among\n{seen}");
        let alices = line.is_some_and(|line| line.contains(" alice "));
        ensure!(
            alices || file.contains("greeting"),
            "{file} is not alice's:\n{seen}"
        );
    }
    Ok(())
}

/// hdfs-native looks for a token by the address as the URL has it; Java by its IP address.
fn serve_without_java(tokens: &Tokens, no_install: bool) -> Result<()> {
    let program = r#"
from hdfs_native import Client
for url, directory in [
    ("hdfs://nn3.hadoop.test:8020", "/native-by-address"),
    ("hdfs://ns-fed", "/native-by-router"),
    ("viewfs://all", "/three/native-by-mount"),
    ("viewfs://all", "/routed/native-by-mounted-router"),
]:
    client = Client(url)
    client.mkdirs(directory)
    print(url, client.get_file_info(directory).owner)
print(*(found.path for found in Client("viewfs://all").list_status("/main/public")))
"#;
    let said = tokens.python(&native::packages(no_install)?, program)?;
    ensure!(said.matches(" alice\n").count() == 4, "{said}");
    says(&said, &["public/greeting"])
}

/// The first has issued. With its token the second decrypts, and renews it; the first still has it after a restart.
/// Each reads its keys when it starts, so the second comes only now.
fn kms_that_share_their_tokens(annex: &Annex, tokens: &Tokens) -> Result<()> {
    for service in [
        "kms://https@kms3.hadoop.test;kms4.hadoop.test:9600/kms",
        "kms://https@kms3.hadoop.test:9600/kms",
        "kms://https@kms4.hadoop.test:9600/kms",
    ] {
        says(&tokens.said, &[&format!("kms-dt {service}")])?;
    }
    annex.start(Server::Kms4)?;
    annex.stop(Server::Kms3)?;
    tokens.hdfs(&["-cat", ENCRYPTED])?;
    let renewed = ["ns1: renewed until 1", "ns-fed: renewed", "kms: renewed"];
    says(&tokens.renew()?, &renewed)?;
    annex.start(Server::Kms3)?;
    let renewed = tokens.renew()?;
    ensure!(!renewed.contains("unknown to"), "{renewed}");
    annex.stop(Server::Kms4)?;
    says(&tokens.cancel()?, &["ns3: cancelled 1", "kms: cancelled 2"])
}

/// A token is the second's, and the first knows nothing of it; another is the first's, and not lost while that is away.
fn kms_that_do_not(annex: &Annex) -> Result<()> {
    annex.part_the_kms()?;
    annex.stop(Server::Kms3)?;
    annex.start(Server::Kms4)?;
    let tokens = annex.issue("kms")?;
    annex.start(Server::Kms3)?;
    let renewed = "kms: renewed until 1";
    says(&tokens.renew()?, &[renewed, "unknown to https://kms3"])?;
    says(&tokens.cancel()?, &["kms: cancelled 2"])?;
    let tokens = annex.issue("kms")?;
    annex.stop(Server::Kms3)?;
    for asked in [tokens.check(), tokens.renew()] {
        let Err(away) = asked else {
            bail!("a KMS that does not run has answered: {asked:?}");
        };
        let away = format!("{away:#}");
        says(
            &away,
            &["no host of kms answered", "https://kms3.hadoop.test"],
        )?;
    }
    Ok(())
}

/// Two of them, of which the second leads.
pub(super) fn resource_managers(scene: &Scene<'_>) -> Result<()> {
    let annex = scene.stage.hadoop.annex(&[Server::Rm1, Server::Rm2])?;
    annex.lead(Server::Rm2)?;
    let tokens = annex.issue("yarn")?;
    says(&tokens.applications()?, &["Total number of applications"])?;
    says(&tokens.renew()?, &["yarn: renewed until 1"])?;
    says(&tokens.cancel()?, &["yarn: cancelled 1"])?;
    let refused = tokens.applications();
    ensure!(refused.is_err(), "a cancelled token lists applications");
    Ok(())
}
