//! The same token file in the hands of another client than Hadoop's own.

use anyhow::{Result, ensure};
use serde_json::json;

use super::scene::{Scene, says};
use crate::{native, workload};

/// Two NameNodes, a secured DataNode, tokens and all, without a Java.
pub(super) fn hdfs_native_reads_and_writes(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    stage
        .provider
        .load_image(&native::image(stage.no_install)?)?;
    let file = format!("/user/alice/{}", scene.namespace);
    let program = format!(
        r#"
from hdfs_native import Client
client = Client("hdfs://ns1")
print(client.read("/data/public/greeting").read().decode())
with client.create("{file}") as file:
    file.write(b"written by hdfs-native")
print(client.read("{file}").read().decode())
try:
    list(client.list_status("/user/bob"))
except Exception as refusal:
    print(refusal)
"#
    );
    let mut pod = workload::pod("native", "");
    pod["spec"]["containers"][0]["image"] = json!(native::IMAGE);
    pod["spec"]["containers"][0]["command"] = json!(["/usr/bin/python3", "-c", program]);
    scene.create(&stage.alice, &pod)?;
    let said = scene.succeeded("native")?;
    says(
        &said,
        &[
            "hello from HDFS",
            "written by hdfs-native",
            "Permission denied: user=alice",
        ],
    )?;
    let owner = stage.hadoop.hdfs("hdfs", &["-stat", "%u", &file])?;
    ensure!(owner.trim() == "alice", "the file belongs to {owner}");
    Ok(())
}
