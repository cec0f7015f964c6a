use serde_json::{Value, json};

use super::*;
use crate::review::parse;

const FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/pod-create-review.json");

fn policy() -> InjectPolicy {
    serde_json::from_value(json!({"image": "client:1", "fetcherUrl": "https://fetcher:443"}))
        .unwrap()
}

fn fixture() -> Value {
    parse(FIXTURE).unwrap().whole_object().unwrap()
}

struct Outcome {
    pod: Value,
    ops: usize,
    warnings: Vec<String>,
}

fn inject(pod: &Value, reinvoked: bool, copied: bool) -> Result<Outcome, Conflict> {
    let object = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&object).unwrap();
    let notes = Notes {
        user: "alice",
        submitter: "alice@example.com",
        stamp: "a.b.c",
    };
    let policy = policy();
    let injection = Injection {
        pod: &view,
        policy: &policy,
        ca: &"PEM".to_owned().into(),
        notes,
        reinvoked: reinvoked.then_some(pod),
        copied,
    };
    let Injected { patch, warnings } = injection.patch()?;
    let mut pod = pod.clone();
    let patch = patch.patch();
    json_patch::patch(&mut pod, &patch).unwrap();
    Ok(Outcome {
        pod,
        ops: patch.0.len(),
        warnings,
    })
}

fn fresh(pod: &Value) -> Result<Outcome, Conflict> {
    inject(pod, false, false)
}

fn bare() -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main"}]}})
}

#[test]
fn a_bare_pod_gets_all_it_needs() {
    let pod = fresh(&bare()).unwrap().pod;
    let annotations = json!({
        "kube2hadoop.io/user": "alice", "kube2hadoop.io/submitter": "alice@example.com", "kube2hadoop.io/stamp": "a.b.c",
    });
    assert_eq!(pod["metadata"]["annotations"], annotations);
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"kube2hadoop.io/injected": "true"})
    );
    assert_eq!(
        pod["spec"]["volumes"],
        json!([
            {"name": "kube2hadoop", "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}},
            {"name": "kube2hadoop-identity", "projected": {"sources": [
                {"serviceAccountToken": {"audience": "kube2hadoop", "expirationSeconds": 600, "path": "token"}}]}},
        ])
    );
    let main = &pod["spec"]["containers"][0];
    assert_eq!(
        main["volumeMounts"],
        json!([
            {"name": "kube2hadoop", "mountPath": "/var/run/kube2hadoop", "readOnly": true},
            {"name": "kube2hadoop", "mountPath": "/etc/krb5.conf", "subPath": "conf/krb5.conf", "readOnly": true},
        ])
    );
    assert_eq!(
        main["env"],
        json!([
            {"name": "HADOOP_TOKEN_FILE_LOCATION", "value": "/var/run/kube2hadoop/hdfs-delegation-token"},
            {"name": "HADOOP_CONF_DIR", "value": "/var/run/kube2hadoop/conf"},
        ])
    );
}

#[test]
fn a_krb5_conf_of_the_pods_own_stays() {
    for path in ["/etc/krb5.conf", "/etc/"] {
        let mut pod = bare();
        let own = json!([{"name": "mine", "mountPath": path}]);
        pod["spec"]["containers"][0]["volumeMounts"] = own;
        let after = fresh(&pod).unwrap().pod;
        let mounts = &after["spec"]["containers"][0]["volumeMounts"];
        assert_eq!(mounts.as_array().unwrap().len(), 2, "{mounts}");
    }
}

#[test]
fn the_init_container_fits_restricted_pod_security() {
    let pod = fresh(&bare()).unwrap().pod;
    let init = &pod["spec"]["initContainers"][0];
    assert_eq!(init["name"], "kube2hadoop-fetch-token");
    let bounds = json!({
        "requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "16Mi"},
    });
    assert_eq!(init["resources"], bounds);
    assert_eq!(
        init["securityContext"],
        json!({
            "runAsUser": 65532, "runAsNonRoot": true, "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    let env = |name: &str| {
        let all = init["env"].as_array().unwrap();
        all.iter()
            .find(|env| env["name"] == name)
            .map(|env| env["value"].clone())
    };
    assert_eq!(env("KUBE2HADOOP_URL"), Some(json!("https://fetcher:443")));
    assert_eq!(env("KUBE2HADOOP_CA"), Some(json!("PEM")));
    assert_eq!(env("KUBE2HADOOP_FILE_MODE"), Some(json!("0444")));
    assert_eq!(env("KUBE2HADOOP_SERVICES"), None);
}

#[test]
fn what_was_there_stays_where_it_was() {
    let mut before = fixture();
    before["spec"]["initContainers"] = json!([{"name": "setup"}]);
    let Outcome {
        pod: mut after,
        warnings,
        ..
    } = fresh(&before).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("driver sets HADOOP_CONF_DIR"));
    assert_eq!(
        after["spec"]["initContainers"][1]["volumeMounts"][0]["name"],
        "kube2hadoop"
    );
    let spec = after["spec"].as_object_mut().unwrap();
    spec["initContainers"].as_array_mut().unwrap().remove(0);
    for container in ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().cloned().unwrap())
    {
        assert!(
            container["env"]
                .to_string()
                .contains("HADOOP_TOKEN_FILE_LOCATION"),
            "{container}"
        );
    }
    // Taking off what was added gives the pod back.
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().unwrap() {
            let kept = |key: &str, added: fn(&Value) -> bool, container: &mut Value| {
                let list = container[key].as_array_mut().unwrap();
                list.retain(|entry| !added(entry));
                if list.is_empty() {
                    container.as_object_mut().unwrap().remove(key);
                }
            };
            kept(
                "volumeMounts",
                |mount| mount["name"] == "kube2hadoop",
                container,
            );
            kept(
                "env",
                |env| {
                    env["value"]
                        .as_str()
                        .is_some_and(|v| v.starts_with("/var/run/kube2hadoop"))
                },
                container,
            );
        }
    }
    spec["volumes"]
        .as_array_mut()
        .unwrap()
        .retain(|volume| !volume["name"].as_str().unwrap().starts_with("kube2hadoop"));
    assert_eq!(after["spec"], before["spec"]);
}

#[test]
fn the_second_time_changes_nothing() {
    for pod in [bare(), fixture(), refreshed(bare()), refreshed(fixture())] {
        let once = fresh(&pod).unwrap().pod;
        let again = inject(&once, true, false).unwrap();
        assert_eq!((again.ops, &again.pod), (0, &once));
    }
}

#[test]
fn a_second_call_leaves_defaults_and_rights_what_others_changed() {
    let mut pod = fresh(&bare()).unwrap().pod;
    pod["spec"]["initContainers"][0]["terminationMessagePath"] = json!("/dev/termination-log");
    pod["spec"]["volumes"][1]["projected"]["defaultMode"] = json!(420);
    assert_eq!(inject(&pod, true, false).unwrap().ops, 0);
    pod["spec"]["initContainers"][0]["image"] = json!("evil");
    pod["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "sidecar"}));
    let after = inject(&pod, true, false).unwrap().pod;
    assert_eq!(after["spec"]["initContainers"][0]["image"], "client:1");
    assert_eq!(
        after["spec"]["containers"][1]["volumeMounts"][0]["readOnly"],
        true
    );
}

fn refreshed(mut pod: Value) -> Value {
    pod["metadata"]["annotations"]["kube2hadoop.io/refresh"] = json!("enabled");
    pod
}

fn init_names(pod: &Value) -> Vec<&str> {
    let all = pod["spec"]["initContainers"].as_array().unwrap();
    all.iter().map(|it| it["name"].as_str().unwrap()).collect()
}

#[test]
fn a_sidecar_stands_behind_the_init_container_where_the_pod_asks() {
    let mut before = refreshed(bare());
    before["spec"]["initContainers"] = json!([{"name": "setup"}]);
    let pod = fresh(&before).unwrap().pod;
    let names = [
        "kube2hadoop-fetch-token",
        "kube2hadoop-refresh-token",
        "setup",
    ];
    assert_eq!(init_names(&pod), names);
    let [init, sidecar] = [0, 1].map(|at| pod["spec"]["initContainers"][at].clone());
    assert_eq!(sidecar["restartPolicy"], "Always");
    assert_eq!(sidecar["args"], json!(["--refresh"]));
    let bounds = json!({
        "requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "16Mi"},
    });
    assert_eq!(sidecar["resources"], bounds);
    for same in ["image", "env", "securityContext", "volumeMounts"] {
        assert_eq!(sidecar[same], init[same], "{same}");
    }
    assert_eq!(init.get("restartPolicy"), None);
}

#[test]
fn a_guaranteed_pod_stays_so_with_both_of_our_containers() {
    let amounts = json!({"cpu": "500m", "memory": "1Gi"});
    let mut before = refreshed(bare());
    before["spec"]["containers"][0]["resources"] = json!({"requests": amounts, "limits": amounts});
    let once = fresh(&before).unwrap().pod;
    for (at, cpu) in [(0, "500m"), (1, "20m")] {
        let resources = &once["spec"]["initContainers"][at]["resources"];
        assert_eq!(resources["limits"], json!({"cpu": cpu, "memory": "16Mi"}));
        assert_eq!(resources["requests"], resources["limits"]);
    }
    assert_eq!(inject(&once, true, false).unwrap().pod, once);
}

#[test]
fn another_value_of_refresh_is_warned_of() {
    for (value, warnings) in [("enabled", 0), ("disabled", 0), ("true", 1)] {
        let mut pod = refreshed(bare());
        pod["metadata"]["annotations"]["kube2hadoop.io/refresh"] = json!(value);
        let after = fresh(&pod).unwrap();
        assert_eq!(after.warnings.len(), warnings, "{value}");
        let count = init_names(&after.pod).len();
        assert_eq!(count, if value == "enabled" { 2 } else { 1 }, "{value}");
    }
}

#[test]
fn the_sidecar_comes_and_goes_with_its_annotation_only() {
    let with = fresh(&refreshed(bare())).unwrap().pod;
    // A copy whose annotation was taken off, and one that got it later.
    let mut copy = with.clone();
    copy["metadata"]["annotations"] = json!({});
    let mut late = refreshed(inject(&copy, false, true).unwrap().pod);
    assert_eq!(init_names(&late), ["kube2hadoop-fetch-token"]);
    let first = json!({"name": "first-by-another-webhook"});
    late["spec"]["initContainers"]
        .as_array_mut()
        .unwrap()
        .insert(0, first.clone());
    let after = inject(&late, true, false).unwrap().pod;
    assert_eq!(
        init_names(&after),
        [
            "first-by-another-webhook",
            "kube2hadoop-fetch-token",
            "kube2hadoop-refresh-token"
        ]
    );
    // The kubelet would make a directory of a file that is not there yet.
    assert_eq!(after["spec"]["initContainers"][0], first);
    let mut evil = with.clone();
    evil["spec"]["initContainers"][1]["image"] = json!("evil");
    assert_eq!(inject(&evil, true, false).unwrap().pod, with);
}

#[test]
fn a_copy_of_an_injected_pod_is_injected_anew() {
    let once = fresh(&bare()).unwrap().pod;
    let mut copy = once.clone();
    copy["spec"]["initContainers"][0]["command"] = json!(["evil"]);
    assert_eq!(inject(&copy, false, true).unwrap().pod, once);
}

#[test]
fn the_user_of_the_containers_owns_the_file() {
    let with = |of_pod: Value, of_main: Value| {
        let mut pod = bare();
        pod["spec"]["securityContext"] = json!({"runAsUser": of_pod});
        pod["spec"]["containers"] =
            json!([{"name": "main", "securityContext": {"runAsUser": of_main}}, {"name": "two"}]);
        let after = fresh(&pod).unwrap();
        let init = &after.pod["spec"]["initContainers"][0];
        (
            init["securityContext"]["runAsUser"].clone(),
            init["env"][2]["value"].clone(),
            after.warnings.len(),
        )
    };
    assert_eq!(
        with(json!(1000), Value::Null),
        (json!(1000), json!("0400"), 1)
    );
    assert_eq!(
        with(json!(1000), json!(2000)),
        (json!(65532), json!("0444"), 1)
    );
    assert_eq!(
        with(json!(0), Value::Null),
        (json!(65532), json!("0444"), 0)
    );
    assert_eq!(
        with(Value::Null, Value::Null),
        (json!(65532), json!("0444"), 0)
    );
}

#[test]
fn what_an_application_will_trip_over_is_told_beforehand() {
    let mut pod = bare();
    pod["spec"]["shareProcessNamespace"] = json!(true);
    assert_eq!(fresh(&pod).unwrap().warnings, [""; 0]);
    pod["metadata"]["annotations"] = json!({"kube2hadoop.io/containers": "main"});
    pod["spec"]["securityContext"] = json!({"runAsUser": 1000});
    let warnings = fresh(&pod).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for word in [
        "with shareProcessNamespace every container can read",
        "/etc/passwd",
    ] {
        assert!(
            warnings.iter().any(|warning| warning.contains(word)),
            "{word}"
        );
    }
}

#[test]
fn only_the_named_containers_see_the_token() {
    let mut pod = bare();
    pod["metadata"]["annotations"] =
        json!({"kube2hadoop.io/containers": "two", "kube2hadoop.io/services": "hdfs"});
    pod["spec"]["containers"] = json!([{"name": "main"}, {"name": "two"}]);
    let after = fresh(&pod).unwrap().pod;
    assert_eq!(after["spec"]["containers"][0], json!({"name": "main"}));
    assert!(after["spec"]["containers"][1].get("env").is_some());
    assert!(
        after["spec"]["initContainers"][0]["env"]
            .to_string()
            .contains(r#"{"name":"KUBE2HADOOP_SERVICES","value":"hdfs"}"#)
    );
    pod["metadata"]["annotations"]["kube2hadoop.io/containers"] = json!("three");
    assert_eq!(
        fresh(&pod).err(),
        Some(Conflict::NoSuchContainer("three".into()))
    );
}

#[test]
fn what_stands_in_our_place_is_refused() {
    let mount = |name: &str, path: &str| json!([{"name": "main", "volumeMounts": [{"name": name, "mountPath": path}]}]);
    for (list, value) in [
        ("volumes", json!([{"name": "kube2hadoop", "emptyDir": {}}])),
        (
            "volumes",
            json!([{"name": "kube2hadoop-identity", "emptyDir": {}}]),
        ),
        ("containers", json!([{"name": "kube2hadoop-fetch-token"}])),
        // Whether it is asked for or not: otherwise it would pass for ours in a copy.
        ("containers", json!([{"name": "kube2hadoop-refresh-token"}])),
        (
            "initContainers",
            json!([{"name": "kube2hadoop-fetch-token"}]),
        ),
        ("containers", mount("own", "/var/run/kube2hadoop")),
        ("containers", mount("own", "/var/run/kube2hadoop/conf/")),
        // These volumes are not there yet: a mount that waits for them is as good as theirs.
        ("containers", mount("kube2hadoop", "/var/run/kube2hadoop")),
        ("containers", mount("kube2hadoop", "/else")),
        ("initContainers", mount("kube2hadoop-identity", "/else")),
    ] {
        let mut pod = bare();
        pod["spec"][list] = value.clone();
        assert!(fresh(&pod).is_err(), "{list} {value}");
    }
    let mut near = bare();
    near["spec"]["containers"] = mount("own", "/var/run/kube2hadoop-not");
    assert!(fresh(&near).is_ok());
}

#[test]
fn annotations_too_large_are_explained() {
    let mut pod = bare();
    pod["metadata"]["annotations"] = json!({"big": "x".repeat(256 * 1024 - 10)});
    assert!(matches!(fresh(&pod).err(), Some(Conflict::Annotations(_))));
}
