//! The controllers whose template stamps are kept, and the kinds that each of them makes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::operators::KindName;

/// User name -> kinds it makes, as `Kind` or `Kind.group`. The default is what kube-controller-manager runs.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Controllers(BTreeMap<String, Vec<KindName>>);

/// Of kube-system, with --use-service-account-credentials, as kubeadm, kind and managed clusters set it.
const KUBE_SYSTEM: [(&str, (&str, &str)); 7] = [
    ("replication-controller", POD),
    ("replicaset-controller", POD),
    ("deployment-controller", REPLICA_SET),
    ("statefulset-controller", POD),
    ("daemon-set-controller", POD),
    ("job-controller", POD),
    ("cronjob-controller", JOB),
];
/// Kinds and their groups.
const POD: (&str, &str) = ("Pod", "");
const REPLICA_SET: (&str, &str) = ("ReplicaSet", "apps");
const JOB: (&str, &str) = ("Job", "batch");

impl Default for Controllers {
    fn default() -> Self {
        let named = |(kind, group)| KindName::new(kind, group);
        let entry = |(name, kind)| {
            let user = format!("system:serviceaccount:kube-system:{name}");
            (user, vec![named(kind)])
        };
        let mut controllers: BTreeMap<_, _> = KUBE_SYSTEM.into_iter().map(entry).collect();
        let all = [POD, REPLICA_SET, JOB].map(named).to_vec();
        controllers.insert("system:kube-controller-manager".to_owned(), all);
        Self(controllers)
    }
}

impl Controllers {
    /// Is this user trusted to make objects of this kind from stamped templates?
    pub fn serve(&self, username: &str, group: &str, kind: &str) -> bool {
        let kinds = self.0.get(username);
        kinds.is_some_and(|kinds| kinds.iter().any(|served| served.is(group, kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resources_name_is_no_kind() {
        let job = "{\"system:serviceaccount:kube-system:job-controller\": [\"pods\"]}";
        let refused = serde_json::from_str::<Controllers>(job).unwrap_err();
        assert!(refused.to_string().contains("«pods» is no kind"));
    }

    #[test]
    fn each_controller_serves_its_own_kinds_only() {
        let controllers = Controllers::default();
        let job = "system:serviceaccount:kube-system:job-controller";
        assert!(controllers.serve(job, "", "Pod"));
        assert!(!controllers.serve(job, "apps", "ReplicaSet"));
        assert!(!controllers.serve("system:serviceaccount:team-a:job-controller", "", "Pod"));
        assert!(controllers.serve(
            "system:serviceaccount:kube-system:cronjob-controller",
            "batch",
            "Job"
        ));
        assert!(!controllers.serve(
            "system:serviceaccount:kube-system:cronjob-controller",
            "evil.org",
            "Job"
        ));
    }
}
