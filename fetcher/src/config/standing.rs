//! What of the configuration changes while the service runs.

use kube2hadoop_runtime::config::File;
use kube2hadoop_stamp::DenyList;
use tokio::sync::watch;

use super::Config;
use crate::attest::Terms;

/// What holds at this moment; clones follow every change.
#[derive(Debug, Clone)]
pub struct Standing {
    pub terms: watch::Receiver<Terms>,
    pub deny: watch::Receiver<DenyList>,
}

/// Puts a changed configuration in force.
#[derive(Debug)]
pub struct Changes {
    /// The short name of the principal as whom we act until the next start, whatever the file says since.
    own: String,
    terms: watch::Sender<Terms>,
    deny: watch::Sender<DenyList>,
}

impl Standing {
    /// What is in force at the start, and how to change it.
    #[must_use]
    pub fn new(config: &Config) -> (Changes, Self) {
        let (change_terms, terms) = watch::channel(terms(config, config.deny_list()));
        let (change_deny, deny) = watch::channel(config.deny_list());
        let changes = Changes {
            own: config.hadoop.short_name().unwrap_or_default().to_owned(),
            terms: change_terms,
            deny: change_deny,
        };
        (changes, Self { terms, deny })
    }
}

impl Changes {
    /// The keys that take effect at once.
    pub const LIVE: &[&str] = &[
        "attestation",
        "deny",
        "excludedNamespaces",
        "issuer",
        "stampWindowSeconds",
    ];

    /// Takes over a whole good file, or nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn put_in_force(&self, file: &File) -> Result<(), String> {
        let config = Config::parse(file).map_err(|error| crate::chain::text(&error))?;
        let denied = config.deny_list().and(&self.own);
        self.terms.send_replace(terms(&config, denied.clone()));
        // Whoever leads goes over all records at a change.
        self.deny.send_if_modified(|before| {
            let differs = *before != denied;
            *before = denied;
            differs
        });
        Ok(())
    }
}

fn terms(config: &Config, deny: DenyList) -> Terms {
    Terms {
        issuer: config.issuer.clone(),
        window_seconds: config.stamp_window_seconds,
        excluded_namespaces: config.all_excluded_namespaces(),
        deny,
        pod_ip: config.attestation.pod_ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "hadoop: {principal: kube2hadoop@EXAMPLE.COM}\n";

    fn file(more: &str) -> File {
        read(&format!("{LEAST}{more}"))
    }

    fn read(text: &str) -> File {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fetcher.yaml");
        std::fs::write(&path, text).unwrap();
        File::read(&path).unwrap()
    }

    #[test]
    fn a_good_file_changes_all_that_is_live_and_a_bad_one_nothing() {
        let alice = "alice".parse().unwrap();
        let (changes, standing) = Standing::new(&Config::parse(&file("")).unwrap());
        changes
            .put_in_force(&file("deny: [alice]\nexcludedNamespaces: [quiet]"))
            .unwrap();
        let denied = || {
            let terms = standing.terms.borrow();
            (
                standing.deny.borrow().contains(&alice),
                terms.deny.contains(&alice),
            )
        };
        assert_eq!(denied(), (true, true));
        let excluded = standing.terms.borrow().excluded_namespaces.clone();
        for namespace in ["quiet", "kube2hadoop", "kube-system"] {
            assert!(excluded.contains(namespace), "{namespace}");
        }
        // The list is good, and the rest of the file is not.
        let error = changes
            .put_in_force(&file("deny: [bob]\nstampWindowSeconds: 0"))
            .unwrap_err();
        assert!(
            error.contains("fetcher.yaml: stampWindowSeconds is 0"),
            "{error}"
        );
        assert_eq!(denied(), (true, true));
    }

    #[test]
    fn the_principal_of_the_start_stays_denied_beside_the_one_to_come() {
        let (changes, standing) = Standing::new(&Config::parse(&file("")).unwrap());
        changes
            .put_in_force(&read("hadoop: {principal: new@EXAMPLE.COM}"))
            .unwrap();
        for name in ["kube2hadoop", "new"] {
            let user = name.parse().unwrap();
            assert!(standing.deny.borrow().contains(&user), "{name}");
            assert!(standing.terms.borrow().deny.contains(&user), "{name}");
        }
    }

    #[test]
    fn the_leader_is_woken_by_another_list_only() {
        let (changes, mut standing) = Standing::new(&Config::parse(&file("")).unwrap());
        changes
            .put_in_force(&file("stampWindowSeconds: 20"))
            .unwrap();
        assert!(!standing.deny.has_changed().unwrap());
        assert_eq!(standing.terms.borrow_and_update().window_seconds, 20);
        changes.put_in_force(&file("deny: [alice]")).unwrap();
        assert!(standing.deny.has_changed().unwrap());
    }
}
