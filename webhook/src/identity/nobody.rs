//! Nobody, or refused: every reason there is.

use kube2hadoop_stamp::{DenyList, HadoopUser};

use super::run_as::Grant;

/// Nobody, or refused. The texts tell the person what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nobody {
    #[error(
        "namespace {0} is left out of Kube2Hadoop, so nothing in it is stamped: use another one, or ask the \
         administrator to take it off webhook.excludedNamespaces"
    )]
    NamespaceExcluded(String),
    #[error(
        "the pod that asks has no valid stamp, so what it submits runs as nobody: label it for injection"
    )]
    UnstampedPod,
    #[error(
        "its template carries no valid stamp for this namespace and service account: update or recreate the workload"
    )]
    UnstampedTemplate,
    #[error(
        "its template's stamp is for another object: recreate the workload instead of copying its annotations"
    )]
    OtherOrigin,
    #[error(
        "no mapping rule knows the user «{0}»: ask the administrator to add one to identity.mappings"
    )]
    Unmapped(String),
    #[error(
        "mapping[{place}] makes no Hadoop user name of «{username}»: ask the administrator to correct it"
    )]
    BadName { place: usize, username: String },
    #[error(
        "«{0}» is a service account of a namespace in scope, and everybody who may edit there can act as it: \
         submit as yourself, or ask the administrator for identity.allowNamespaceEditors"
    )]
    ServiceAccountInScope(String),
    #[error(
        "its {0} refers to another object, and whoever may change that one would run code as its submitter: \
         write the code into this object"
    )]
    CodeElsewhere(String),
    #[error("run-as «{0}» is no Hadoop user name")]
    BadRunAs(String),
    #[error(
        "run-as {0} can be granted to nobody: the administrator names who can be in identity.runAs.grantable, \
         or in identity.runAs.ldap.grantable"
    )]
    NotGrantable(HadoopUser),
    #[error(
        "whether you may run as {wanted} could not be found out, since {}: try again, and if that does not help tell \
         the administrator: the webhook's log has the reason",
        silence(*.silent)
    )]
    RunAsUnknown { wanted: HadoopUser, silent: Grant },
    #[error(
        "the namespace may ask for another user by default, and could not be read, since the API server gave no answer: \
         try again, or say by the annotation kube2hadoop.io/run-as whom it runs as"
    )]
    NamespaceUnread,
    #[error(
        "run-as {wanted} is not granted to {username}, who is {own}: remove the annotation kube2hadoop.io/run-as, \
         or ask for {}", ways(.by, .wanted)
    )]
    RunAs {
        wanted: HadoopUser,
        username: String,
        own: HadoopUser,
        /// What could grant it.
        by: Vec<Grant>,
    },
    #[error("the Hadoop user {0} is on the deny list, and nobody runs as it{asked}", asked = if *.1 { " (run-as)" } else { "" })]
    Denied(HadoopUser, bool),
}

impl Nobody {
    /// What was said of a template's stamp, by these words; none where they are nothing that is said of one.
    pub fn of_a_stamp(said: &str, deny: &DenyList) -> Option<Self> {
        let users = said.split(' ').filter_map(|word| word.parse().ok());
        let denied = users
            .filter(|user| deny.contains(user))
            .map(|user| Self::Denied(user, false));
        let mut all = std::iter::once(Self::OtherOrigin).chain(denied);
        all.find(|nobody| nobody.to_string() == said)
    }
}

fn silence(silent: Grant) -> &'static str {
    match silent {
        Grant::Rbac => "the API server gave no answer",
        Grant::Ldap => "no LDAP server answered in time",
    }
}

fn ways(by: &[Grant], wanted: &HadoopUser) -> String {
    let way = |grant: &Grant| match grant {
        Grant::Rbac => {
            format!("the verb use on hadoopusers.kube2hadoop.io/{wanted} in this namespace")
        }
        Grant::Ldap => format!("membership in the LDAP group of {wanted}"),
    };
    by.iter().map(way).collect::<Vec<_>>().join(", or for ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_a_stamp_is_taken_for_it() {
        let deny = DenyList::default();
        let of = |nobody: &Nobody| Nobody::of_a_stamp(&nobody.to_string(), &deny);
        let hdfs = |asked| Nobody::Denied("hdfs".parse().unwrap(), asked);
        for said in [Nobody::OtherOrigin, hdfs(false)] {
            assert_eq!(of(&said), Some(said));
        }
        let alice = Nobody::Denied("alice".parse().unwrap(), false);
        for said in [alice, hdfs(true), Nobody::UnstampedTemplate] {
            assert_eq!(of(&said), None, "{said}");
        }
        assert_eq!(Nobody::of_a_stamp("hdfs", &deny), None);
    }
}
