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

fn urls(cluster: &Cluster) -> Vec<&str> {
    cluster
        .services
        .iter()
        .flat_map(|it| &it.namenodes)
        .map(|it| it.url.as_str())
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
    assert_eq!(
        cluster(&ha_with(&[("dfs.http.policy", "YES")])),
        Err(ClusterError::Policy("YES".into()))
    );
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
        cluster(&[("fs.defaultFS", "viewfs://v/")]),
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
