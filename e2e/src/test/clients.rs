//! The same token file in the hands of another client than Hadoop's own.

use anyhow::{Result, ensure};
use serde_json::json;

use super::scene::{Scene, says};
use crate::{libhdfs, native, workload};

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

/// The C library that Python's and C++ programs use: with a token file only, through both NameNodes, and into an
/// encryption zone.
pub(super) fn libhdfs_reads_and_writes(scene: &Scene<'_>) -> Result<()> {
    let stage = scene.stage;
    // HDFS tells anybody what is not there; only what is there can be refused.
    stage.hadoop.hdfs("bob", &["-touchz", "/user/bob/diary"])?;
    scene.create(
        &stage.alice,
        &libhdfs::config_map("libhdfs", stage.no_install)?,
    )?;
    let script = r#"
export LD_LIBRARY_PATH=/opt/libhdfs:/usr/lib/jvm/java-17-openjdk-amd64/lib/server
export CLASSPATH=$HADOOP_CONF_DIR:/opt/hadoop/etc:$(echo /opt/hadoop/lib/*.jar | tr ' ' ':')
copy() { /opt/libhdfs/copy "$@" 2>&1; }
copy ns1 /data/public/greeting FILE
copy default FILE /secure-zoneFILE-1
copy ns1 /user/bob/diary FILE || echo "refused"
"#;
    let script = script.replace(
        "/secure-zoneFILE",
        &format!("/secure-zone/{}", scene.namespace),
    );
    let script = script.replace("FILE", &format!("/user/alice/{}", scene.namespace));
    let mut pod = workload::pod("native", &script);
    let volume = json!({"name": "libhdfs", "configMap": {"name": "libhdfs", "defaultMode": 0o555}});
    pod["spec"]["volumes"] = json!([volume]);
    pod["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "libhdfs", "mountPath": "/opt/libhdfs"}]);
    scene.create(&stage.alice, &pod)?;
    let said = scene.succeeded("native")?;
    let read = said.matches("hello from HDFS").count();
    ensure!(read == 2, "{read} of two copies were read back:\n{said}");
    says(&said, &["Permission denied: user=alice", "refused"])
}
