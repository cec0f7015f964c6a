//! As which Unix users a pod's containers run, and what that means for the token's file.

use crate::pod::{Container, Spec};

/// Nobody in particular, as in distroless images.
const NONROOT: i64 = 65532;

/// The user of the pod's containers with a file for that user alone; where there is none, or several, or root, a
/// user of ours with a file that all can read: the volume is the pod's own.
pub(super) fn user_and_mode(spec: &Spec<'_>) -> (i64, &'static str) {
    let mut users = spec
        .containers
        .iter()
        .map(|container| user(spec, container));
    match users.next().flatten() {
        Some(user) if user > 0 && users.all(|other| other == Some(user)) => (user, "0400"),
        _ => (NONROOT, "0444"),
    }
}

/// The user that the pod sets for a container; none where its image says.
fn user(spec: &Spec<'_>, container: &Container<'_>) -> Option<i64> {
    let set = [container.security_context, spec.security_context].into_iter();
    set.flatten().find_map(|context| context.run_as_user)
}

/// The warning about users that the pod sets, for an image may have no name for them; root has one everywhere.
pub(super) fn nameless(spec: &Spec<'_>, containers: &[&Container<'_>]) -> Option<String> {
    let mut users: Vec<(i64, Vec<&str>)> = Vec::new();
    for container in containers {
        let Some(user) = user(spec, container).filter(|user| *user > 0) else {
            continue;
        };
        match users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, names)) => names.push(&container.name),
            None => users.push((user, vec![&container.name])),
        }
    }
    let who = match &*users {
        [] => return None,
        [(user, _)] => format!("user {user} needs a line in the image's /etc/passwd"),
        several => {
            let named =
                |(user, names): &(i64, Vec<&str>)| format!("{user} of {}", names.join(", "));
            let several: Vec<_> = several.iter().map(named).collect();
            format!(
                "users {} need a line each in their image's /etc/passwd",
                several.join(" and ")
            )
        }
    };
    Some(format!(
        "kube2hadoop: {who}: without one Hadoop's Java client cannot log in"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(spec: &Value) -> Option<String> {
        let text = spec.to_string();
        let spec: Spec<'_> = serde_json::from_str(&text).unwrap();
        nameless(&spec, &spec.containers.iter().collect::<Vec<_>>())
    }

    /// One container for each of these users, in a pod of this user.
    fn pod(of_pod: Option<i64>, users: &[Option<i64>]) -> Value {
        let context = |user: Option<i64>| json!({"runAsUser": user});
        let containers: Vec<_> = (users.iter().enumerate())
            .map(|(at, user)| json!({"name": format!("c{at}"), "securityContext": context(*user)}))
            .collect();
        json!({"containers": containers, "securityContext": context(of_pod)})
    }

    #[test]
    fn users_that_an_image_may_not_know_are_named() {
        let one = |user| {
            Some(format!(
                "user {user} needs a line in the image's /etc/passwd"
            ))
        };
        let several = |users| {
            Some(format!(
                "users {users} need a line each in their image's /etc/passwd"
            ))
        };
        #[rustfmt::skip]
        let cases = [
            (None, &[None, None][..], None),
            (Some(0), &[None, Some(0)], None),
            (Some(1000), &[None, None], one(1000)),
            (None, &[Some(1000), None], one(1000)),
            (Some(1000), &[None, Some(0)], one(1000)),
            (Some(1000), &[None, Some(2000)], several("1000 of c0 and 2000 of c1")),
            (None, &[Some(7), Some(8), Some(7), Some(0)], several("7 of c0, c2 and 8 of c1")),
        ];
        for (of_pod, users, wanted) in cases {
            let said = said(&pod(of_pod, users));
            let wanted = wanted.map(|wanted| {
                format!("kube2hadoop: {wanted}: without one Hadoop's Java client cannot log in")
            });
            assert_eq!(said, wanted, "{of_pod:?} {users:?}");
        }
    }
}
