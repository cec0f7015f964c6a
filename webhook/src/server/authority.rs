//! Whether the caller may run as somebody else: RBAC is asked first, and LDAP where RBAC refuses or is not concerned.

use std::sync::Arc;
use std::time::Duration;

use super::cached::Cached;
use super::caller::BOUND;
use super::cluster::{Cluster, Question};
use super::patience::Until;
use crate::identity::{Authority, Grant, LdapPolicy, Names, RunAsPolicy, Verdict, Wish};
use crate::ldap::Directories;
use crate::review::Request;

/// How long RBAC's answer is believed: what is taken back is gone after that.
const BELIEVED: Duration = Duration::from_secs(10);

/// Asks, and remembers answers for a while.
pub(super) struct Authorities {
    cluster: Arc<dyn Cluster>,
    directories: Arc<dyn Directories>,
    by_rbac: Cached<Question, bool>,
    /// By base and filter: together they are the question.
    by_ldap: Cached<(String, String), bool>,
}

impl Authorities {
    pub(super) fn new(cluster: Arc<dyn Cluster>, directories: Arc<dyn Directories>) -> Self {
        Self {
            cluster,
            directories,
            by_rbac: Cached::new(BOUND),
            by_ldap: Cached::new(BOUND),
        }
    }

    /// What is said about this wish. `in_scope`: the caller is a service account of a namespace in scope.
    pub(super) async fn find(
        &self,
        request: &Request<'_>,
        namespace: &str,
        policy: &RunAsPolicy,
        wish: Wish,
        in_scope: bool,
        until: Until,
    ) -> Authority {
        let mut authority = Authority {
            rbac: None,
            ldap: None,
            user: wish.user.clone(),
        };
        if wish.by.contains(&Grant::Rbac) {
            authority.rbac = Some(self.rbac(request, namespace, &wish, until).await);
        }
        // No group grants anything to what all editors of a namespace can act as.
        let open = matches!(authority.rbac, None | Some(Verdict::Refused)) && !in_scope;
        if let Some(ldap) = &policy.ldap
            && open
            && wish.by.contains(&Grant::Ldap)
        {
            authority.ldap = Some(self.ldap(request, ldap, &wish, until).await);
        }
        authority
    }

    async fn rbac(
        &self,
        request: &Request<'_>,
        namespace: &str,
        wish: &Wish,
        until: Until,
    ) -> Verdict {
        let Some(question) = question(request, namespace, wish) else {
            return Verdict::Unknown;
        };
        if let Some(known) = self.by_rbac.get(&question) {
            return Some(known).into();
        }
        let asked = self.cluster.may_use(question.clone());
        let answer = until.answer(asked).await.flatten();
        if let Some(answer) = answer {
            self.by_rbac.put(question, answer, BELIEVED);
        }
        answer.into()
    }

    async fn ldap(
        &self,
        request: &Request<'_>,
        ldap: &LdapPolicy,
        wish: &Wish,
        until: Until,
    ) -> Verdict {
        let names = Names {
            user: &wish.own,
            submitter: &request.user_info.username,
            account: &wish.user,
        };
        let Some(filter) = ldap.filter(&names) else {
            return Verdict::Refused;
        };
        let question = (ldap.directory.base.clone(), filter);
        if let Some(known) = self.by_ldap.get(&question) {
            return Some(known).into();
        }
        let directory = Arc::clone(&ldap.directory);
        let asked = self.directories.has(directory, question.1.clone());
        let answer = until.answer(asked).await.flatten();
        if let Some(answer) = answer {
            self.by_ldap.put(question, answer, ldap.believed);
        }
        answer.into()
    }
}

/// None where the user info is not what the API server writes.
fn question(request: &Request<'_>, namespace: &str, wish: &Wish) -> Option<Question> {
    let who = &request.user_info;
    Some(Question {
        username: who.username.to_string(),
        uid: who.uid.as_deref().map(str::to_owned),
        groups: who.groups()?,
        extra: who.extras()?,
        namespace: namespace.to_owned(),
        user: wish.user.to_string(),
    })
}
