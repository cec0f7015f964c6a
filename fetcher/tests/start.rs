//! The real binary before it serves: what it refuses to start with, and what it says.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "../../webhook/runtime/tests/start/mod.rs"]
mod start;

use std::fs;

use start::Ended;

const CORE_SITE: &str = "<configuration>
  <property><name>fs.defaultFS</name><value>hdfs://localhost:8020</value></property>
  <property><name>hadoop.security.authentication</name><value>kerberos</value></property>
</configuration>
";
const HDFS_SITE: &str = "<configuration>
  <property><name>dfs.namenode.http-address</name><value>localhost:9870</value></property>
</configuration>
";
/// With a line more in fetcher.yaml, and this core-site.xml.
fn started(line: &str, core_site: &str) -> Ended {
    let binary = env!("CARGO_BIN_EXE_kube2hadoop-fetcher");
    start::with_its_port_taken(binary, |directory, taken| {
        let config = format!(
            "listen: {taken}\nhadoop: {{confDir: {}, principal: kube2hadoop@EXAMPLE.COM}}\n{line}\n",
            directory.path().display()
        );
        let write = |name, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("fetcher.yaml", &config);
        write("core-site.xml", core_site);
        write("hdfs-site.xml", HDFS_SITE);
        "fetcher.yaml"
    })
}

#[test]
fn a_wrong_configuration_is_told_before_any_port_is_bound() {
    let told = started("events: perhaps", CORE_SITE);
    told.refused(&["fetcher.yaml: events", "line 3"]);
}

#[test]
fn a_broken_file_of_hadoop_is_told_before_any_port_is_bound() {
    let broken = CORE_SITE.replace("8020</value>", "8020");
    let told = started("", &broken);
    told.refused(&["core-site.xml, line 2: the XML is broken"]);
}

#[test]
fn a_taken_port_is_no_fault_of_the_configuration() {
    let told = started("", CORE_SITE);
    told.failed_to_listen();
    let log = told.log;
    assert!(log.contains("choose a free address in `listen`"), "{log}");
}
