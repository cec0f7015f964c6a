//! Who may do what in a scene, and credentials that are nobody's certificate.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::scene::Scene;
use crate::kubectl::Kubectl;
use crate::provider::users;
use crate::workload;

const RBAC: &str = "rbac.authorization.k8s.io";

impl Scene<'_> {
    /// Gives alice and bob, or only alice where it is about one name, the verb on `plural.group[/name]`.
    pub(crate) fn grant(&self, verb: &str, resource: &str) -> Result<()> {
        let (plural, name) = resource.split_once('/').unwrap_or((resource, ""));
        let (plural, group) = plural.split_once('.').unwrap_or((plural, ""));
        let mut rule = json!({"apiGroups": [group], "resources": [plural], "verbs": [verb]});
        let mut people = vec!["alice@example.com"];
        if name.is_empty() {
            people.push("bob@example.com");
        } else {
            rule["resourceNames"] = json!([name]);
        }
        self.rule(&rule, &people)
    }

    /// Gives these people the rule of a Role.
    pub(super) fn rule(&self, rule: &Value, people: &[&str]) -> Result<()> {
        let (api, metadata) = (
            format!("{RBAC}/v1"),
            json!({"name": "granted", "namespace": self.namespace}),
        );
        let subjects: Vec<Value> = people
            .iter()
            .map(|who| json!({"apiGroup": RBAC, "kind": "User", "name": who}))
            .collect();
        let role =
            json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": [rule]});
        self.admin().apply(&role.to_string())?;
        let named = json!({"apiGroup": RBAC, "kind": "Role", "name": "granted"});
        let binding = json!({
            "apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "roleRef": named, "subjects": subjects,
        });
        self.admin().apply(&binding.to_string())
    }

    /// Makes a service account that holds these ClusterRoles in the scene's namespace.
    pub(super) fn service_account(&self, name: &str, roles: &[&str]) -> Result<()> {
        self.service_account_of(&self.namespace, name, roles)
    }

    /// The same for a service account of another namespace.
    pub(super) fn service_account_of(&self, home: &str, name: &str, roles: &[&str]) -> Result<()> {
        self.admin()
            .run(&["create", "serviceaccount", name, "-n", home])?;
        for role in roles {
            self.admin().run(&[
                "create",
                "rolebinding",
                &format!("{home}-{name}-{role}"),
                &format!("--clusterrole={role}"),
                &format!("--serviceaccount={home}:{name}"),
                "-n",
                &self.namespace,
            ])?;
        }
        Ok(())
    }

    /// kubectl with a token of the service account that is bound to nothing, as `edit` may mint it.
    pub(super) fn minted(&self, home: &str, account: &str) -> Result<Kubectl> {
        let token = self
            .stage
            .alice
            .run(&["create", "token", account, "-n", home]);
        let token = match token {
            Ok(token) => token,
            Err(_) => self
                .admin()
                .run(&["create", "token", account, "-n", home])?,
        };
        self.bearer(token.trim())
    }

    /// kubectl that shows this token and nothing else.
    pub(super) fn bearer(&self, token: &str) -> Result<Kubectl> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bearer-{}-{number}", self.namespace);
        let kubeconfig = users::bearer_kubeconfig(self.admin(), &name, token)?;
        Ok(Kubectl::new(kubeconfig))
    }

    /// Makes a kind of custom resource known to the API server.
    pub(super) fn define(&self, group: &str, kind: &str, plural: &str) -> Result<()> {
        let definition = workload::definition(group, kind, plural);
        self.admin().apply(&definition.to_string())?;
        let name = format!("crd/{plural}.{group}");
        let wait = [
            "wait",
            "--for=condition=Established",
            &name,
            "--timeout=30s",
        ];
        self.admin()
            .run(&wait)
            .with_context(|| format!("{kind} is not served"))?;
        Ok(())
    }
}
