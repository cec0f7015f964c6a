//! Where the kinds keep their pod templates: data, so that a kind is a line.

/// JSON pointers to the pod templates of a kind; none for kinds that are not known.
pub fn templates(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    let known = KINDS
        .iter()
        .find(|known| known.0 == group && known.1 == kind);
    known.map(|known| known.2)
}

const TEMPLATE: &[&str] = &["/spec/template"];

/// Group, kind, pointers.
const KINDS: [(&str, &str, &[&str]); 7] = [
    ("", "ReplicationController", TEMPLATE),
    ("apps", "Deployment", TEMPLATE),
    ("apps", "ReplicaSet", TEMPLATE),
    ("apps", "StatefulSet", TEMPLATE),
    ("apps", "DaemonSet", TEMPLATE),
    ("batch", "Job", TEMPLATE),
    ("batch", "CronJob", &["/spec/jobTemplate/spec/template"]),
];
