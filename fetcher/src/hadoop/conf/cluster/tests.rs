use super::*;

const SECURE: (&str, &str) = ("hadoop.security.authentication", "kerberos");

fn cluster(pairs: &[(&str, &str)]) -> Result<Cluster, ClusterError> {
    let text: String = [SECURE]
        .iter()
        .chain(pairs)
        .map(|(name, value)| {
            format!("<property><name>{name}</name><value>{value}</value></property>")
        })
        .collect();
    Cluster::from_conf(&Conf::from_texts(&text, ""))
}

fn urls(cluster: &Cluster) -> Vec<String> {
    cluster
        .services
        .iter()
        .flat_map(|it| &it.namenodes)
        .map(|it| it.web.url())
        .collect()
}

const HA: [(&str, &str); 7] = [
    ("fs.defaultFS", "hdfs://ns1"),
    ("dfs.nameservices", "ns1"),
    ("dfs.ha.namenodes.ns1", "nn1, nn2"),
    ("dfs.namenode.rpc-address.ns1.nn1", "a.test:8020"),
    ("dfs.namenode.rpc-address.ns1.nn2", "b.test:8020"),
    ("dfs.namenode.http-address.ns1.nn1", "a.test:50070"),
    ("dfs.namenode.https-address.ns1.nn2", "0.0.0.0:50470"),
];

fn ha_with(more: &[(&str, &str)]) -> Vec<(&'static str, &'static str)> {
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    HA.into_iter()
        .chain(more.iter().map(|(name, value)| (leak(name), leak(value))))
        .collect()
}

#[test]
fn ha_gives_each_namenode_its_address() {
    let found = cluster(&HA).unwrap();
    assert_eq!(found.services.len(), 1);
    assert!(found.services[0].logical);
    assert_eq!(urls(&found), ["http://a.test:50070", "http://b.test:9870"]);
    assert_eq!(found.renew_interval, DAY);
}

#[test]
fn https_is_used_wherever_it_is_served() {
    for policy in ["HTTPS_ONLY", "HTTP_AND_HTTPS"] {
        let found = cluster(&ha_with(&[("dfs.http.policy", policy)])).unwrap();
        assert_eq!(
            urls(&found),
            ["https://a.test:9871", "https://b.test:50470"]
        );
    }
    let wrong = cluster(&ha_with(&[("dfs.http.policy", "YES")])).unwrap_err();
    assert!(wrong.to_string().starts_with("dfs.http.policy is \"YES\""));
    // One of several clusters serves nothing else, and no policy speaks for all.
    let mixed = cluster(&ha_with(&[
        ("dfs.nameservices", "ns1,ns3"),
        ("dfs.namenode.rpc-address.ns3", "c.test:8020"),
        ("dfs.namenode.https-address.ns3", "c.test:9871"),
    ]));
    assert_eq!(urls(&mixed.unwrap()).last().unwrap(), "https://c.test:9871");
}

#[test]
fn a_file_system_without_name_services_is_found() {
    let found = cluster(&[
        ("fs.defaultFS", "hdfs://nn.test:9000/"),
        ("dfs.namenode.http-address", "0.0.0.0:50070"),
    ]);
    let found = found.unwrap();
    assert_eq!(
        (found.services[0].id.as_str(), found.services[0].logical),
        ("nn.test", false)
    );
    assert_eq!(
        found.services[0].namenodes[0].rpc.to_string(),
        "nn.test:9000"
    );
    assert_eq!(urls(&found), ["http://nn.test:50070"]);
}

#[test]
fn federation_keeps_the_own_name_services() {
    let all = [
        ("fs.defaultFS", "hdfs://c.test:8020"),
        ("dfs.nameservices", "ns3,ns1,far"),
        ("dfs.internal.nameservices", "ns3,ns1"),
        ("dfs.namenode.rpc-address.ns3", "c.test:8020"),
    ];
    let found = cluster(&ha_with(&all)).unwrap();
    let ids: Vec<_> = found.services.iter().map(|it| it.id.as_str()).collect();
    // The default file system is ns3's NameNode by its address: no third one.
    assert_eq!(ids, ["ns3", "ns1"]);
    assert!(!found.services[0].logical);
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(cluster(&[]), Err(ClusterError::NoNameNode));
    assert_eq!(
        cluster(&[
            ("fs.defaultFS", "viewfs://v/"),
            ("fs.viewfs.mounttable.v.link./s3", "s3a://bucket/"),
        ]),
        Err(ClusterError::NoNameNode)
    );
    let missing = cluster(&[("dfs.nameservices", "ns1"), ("dfs.ha.namenodes.ns1", "nn1")]);
    assert_eq!(
        missing,
        Err(ClusterError::Missing {
            key: "dfs.namenode.rpc-address.ns1.nn1".into()
        })
    );
    let wrong = cluster(&ha_with(&[(
        "dfs.namenode.rpc-address.ns1.nn2",
        "b.test:port",
    )]));
    assert!(matches!(wrong, Err(ClusterError::Address { .. })));
    let simple = Cluster::from_conf(&Conf::from_texts("", ""));
    assert_eq!(simple, Err(ClusterError::NotSecure("simple".into())));
}

fn ids(cluster: &Cluster) -> Vec<&str> {
    let services = cluster.services.iter().map(|it| it.id.as_str());
    services
        .chain(cluster.gateways.iter().map(|it| it.id.as_str()))
        .collect()
}

#[test]
fn each_target_of_a_mount_table_is_one_service() {
    let found = cluster(&ha_with(&[
        ("fs.defaultFS", "viewfs://v/"),
        ("dfs.nameservices", "ns1,far"),
        ("dfs.internal.nameservices", "ns1"),
        ("dfs.namenode.rpc-address.far", "far.test:8020"),
        ("fs.viewfs.mounttable.v.link./a", "hdfs://ns1/a"),
        ("fs.viewfs.mounttable.v.link./b", "hdfs://ns1/b"),
        ("fs.viewfs.mounttable.v.link./far", "hdfs://far/"),
        ("fs.viewfs.mounttable.v.link./nn5", "hdfs://nn5.test/x"),
        (
            "fs.viewfs.mounttable.v.link./nn5too",
            "hdfs://nn5.test:9000/",
        ),
        ("fs.viewfs.mounttable.v.linkFallback", "hdfs://a.test:8020/"),
        (
            "fs.viewfs.mounttable.v.link./gate",
            "webhdfs://gate.test:14000/",
        ),
        ("fs.viewfs.mounttable.v.link./nn5web", "webhdfs://nn5.test/"),
    ]));
    let found = found.unwrap();
    assert_eq!(
        ids(&found),
        ["ns1", "far", "nn5.test", "nn5.test-9000", "gate.test"]
    );
    // The fallback is a member of ns1: a client that names it looks for its address.
    assert_eq!(found.services[0].by_address[0].to_string(), "a.test:8020");
    assert_eq!(found.gateways[0].web.url(), "http://gate.test:14000");
}

#[test]
fn an_assumed_address_says_which_keys_give_it() {
    let found = cluster(&ha_with(&[
        ("dfs.namenode.http-address", "b.test:1"),
        ("mapreduce.job.hdfs-servers", "hdfs://nn5.test:9000"),
    ]));
    let web = &found.unwrap().services[1].namenodes[0].web;
    assert_eq!(web.url(), "http://nn5.test:9870");
    for key in [
        "dfs.namenode.rpc-address.nn5.test=nn5.test:9000",
        "dfs.namenode.http-address.nn5.test",
    ] {
        assert!(web.setting.contains(key), "{}", web.setting);
    }
}

#[test]
fn a_web_address_is_a_file_system_of_its_own() {
    let found = cluster(&[("fs.defaultFS", "swebhdfs://gate.test:14000/")]).unwrap();
    assert_eq!(ids(&found), ["gate.test"]);
    assert_eq!(found.gateways[0].web.url(), "https://gate.test:14000");
    // Unless it is a NameNode's, whose token serves there as well.
    let known = cluster(&ha_with(&[("fs.defaultFS", "webhdfs://a.test:50070")])).unwrap();
    assert_eq!(ids(&known), ["ns1"]);
    assert_eq!(known.services[0].by_address[0].to_string(), "a.test:50070");
}
