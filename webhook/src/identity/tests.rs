//! One line per case: who asks, for what, and what comes of it.

use kube2hadoop_stamp::{JobId, ObjectName, Origin, PodClaims, TemplateClaims};

use super::*;

fn policy(editors: bool) -> IdentityPolicy {
    serde_json::from_value(serde_json::json!({"mappings": [
        {"match": r"^(?<name>[a-z]+)@example\.com$", "user": "${name}"},
        {"match": "^system:serviceaccount:(?<ns>[a-z]+):etl$", "user": "svc-${ns}"},
        {"match": "^odd (?<rest>.*)$", "user": "${rest}"},
    ], "allowNamespaceEditors": editors, "runAs": {"grantable": ["^etl-[a-z]+$"], "ldap": {
        "urls": ["ldaps://ldap"], "caFile": "ca.crt", "base": "dc=x", "filter": "(&(cn={account})(memberUid={user}))",
        "grantable": ["^(etl|ops)-hr$"]}}}))
    .unwrap()
}

fn template(sa: &str) -> TemplateClaims {
    TemplateClaims {
        iss: "k".into(),
        ns: "team".into(),
        sa: sa.into(),
        sub: "bob".parse().unwrap(),
        submitter: "bob@example.com".into(),
        origin: Origin {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            name: ObjectName::Name("etl".into()),
        },
        job: None,
    }
}

fn caller() -> PodClaims {
    PodClaims {
        iss: "k".into(),
        ns: "team".into(),
        sa: "default".into(),
        sub: "carol".parse().unwrap(),
        submitter: "carol@example.com".into(),
        pod: ObjectName::Name("driver".into()),
        origin: None,
        job: Some(JobId::of_pod("team", "uid")),
        iat: 1,
    }
}

const POD: Subject<'static> = Subject {
    namespace: "team",
    service_account: "default",
    group: "",
    kind: "Pod",
    run_as: None,
};
const OF_ETL: Owned<'static> = Owned {
    api_version: "batch/v1",
    kind: "Job",
    name: Called::Name("etl"),
    labels: None,
};
const JOBS: &str = "system:serviceaccount:kube-system:job-controller";

fn ask(editors: bool, subject: Subject<'_>, facts: Facts<'_>) -> String {
    match decide(&policy(editors), &subject, &facts) {
        Ok(identity) => format!("{} by {}", identity.user, identity.why()),
        Err(nobody) => format!("{nobody:?}"),
    }
}

#[test]
fn every_way_to_be_somebody_or_nobody() {
    let (good, other_sa, caller) = (template("default"), template("builder"), caller());
    let user = |username| Facts {
        username,
        ..Facts::default()
    };
    let job = Facts {
        username: JOBS,
        template: Some(&good),
        owned: Some(OF_ETL),
        ..Facts::default()
    };
    let pod = Facts {
        username: "system:serviceaccount:team:etl",
        from_pod: true,
        ..Facts::default()
    };
    let as_user = |run_as| Subject {
        run_as: Some(run_as),
        ..POD
    };
    let about = |user: &str, verdict| Authority {
        user: user.parse().unwrap(),
        rbac: Some(verdict),
        ldap: None,
    };
    let (granted, refused) = (
        about("etl-hr", Verdict::Granted),
        about("etl-hr", Verdict::Refused),
    );
    let (unknown, wild) = (
        about("etl-hr", Verdict::Unknown),
        about("bob", Verdict::Granted),
    );
    let elsewhere = Owned {
        name: Called::Name("etl-two"),
        ..OF_ETL
    };
    #[rustfmt::skip]
    let cases = [
        (POD, user("alice@example.com"), "alice by mapping[0]"),
        (POD, user("alice@evil.org"), "Unmapped"),
        (POD, user(""), "Unmapped"),
        (POD, user("odd ../x"), "BadName"),
        (POD, user("hdfs@example.com"), "Denied"),
        (POD, user("system:serviceaccount:ci:etl"), "svc-ci by mapping[1]"),
        (POD, Facts { service_account_in_scope: true, ..user("system:serviceaccount:ci:etl") }, "ServiceAccountInScope"),
        // A pod's own credential never falls through to its service account's mapping.
        (POD, pod, "UnstampedPod"),
        (POD, Facts { caller_pod: Some(&caller), ..pod }, "carol by inherit"),
        (as_user("root"), Facts { caller_pod: Some(&caller), ..pod }, "Denied"),
        (POD, job, "bob by template"),
        (POD, Facts { template: None, ..job }, "UnstampedTemplate"),
        (POD, Facts { template: Some(&other_sa), ..job }, "UnstampedTemplate"),
        (Subject { namespace: "other", ..POD }, job, "UnstampedTemplate"),
        (POD, Facts { owned: None, ..job }, "OtherOrigin"),
        (POD, Facts { owned: Some(elsewhere), ..job }, "OtherOrigin"),
        // A kind that the controller does not serve: its template stamp counts for nothing.
        (Subject { group: "apps", kind: "ReplicaSet", ..POD }, job, "Unmapped"),
        // A person who brings a template stamp is who they are.
        (POD, Facts { template: Some(&good), owned: Some(OF_ETL), ..user("alice@example.com") }, "alice by mapping[0]"),
        (as_user("alice"), user("alice@example.com"), "alice by mapping[0]"),
        (as_user("bob"), user("alice@example.com"), "NotGrantable"),
        (as_user("etl-hr"), user("alice@example.com"), "RunAs {"),
        (as_user("etl-hr"), Facts { authority: Some(&granted), ..user("alice@example.com") }, "etl-hr by mapping[0], run-as by rbac"),
        (as_user("etl-hr"), Facts { authority: Some(&refused), ..user("alice@example.com") }, "RunAs {"),
        (as_user("etl-hr"), Facts { authority: Some(&unknown), ..user("alice@example.com") }, "RunAsUnknown"),
        // What is granted for one user says nothing of another, and nothing makes somebody of nobody.
        (as_user("etl-fin"), Facts { authority: Some(&granted), ..user("alice@example.com") }, "RunAs {"),
        (as_user("etl-hr"), Facts { authority: Some(&granted), ..user("alice@evil.org") }, "Unmapped"),
        (as_user("bob"), Facts { authority: Some(&wild), ..user("alice@example.com") }, "NotGrantable"),
        (as_user("root"), Facts { authority: Some(&wild), ..user("alice@example.com") }, "Denied"),
        // Every editor of the namespace can act as the service account of a pod in it.
        (as_user("etl-hr"), Facts { caller_pod: Some(&caller), authority: Some(&granted), ..pod }, "RunAs {"),
        (as_user("etl-hr"), Facts { service_account_in_scope: true, authority: Some(&granted), ..user("system:serviceaccount:ci:etl") },
            "ServiceAccountInScope"),
        // By default of the namespace: for people, not for what has its identity already.
        (POD, Facts { namespace_run_as: Some("etl-hr"), authority: Some(&granted), ..user("alice@example.com") }, "etl-hr by mapping[0]"),
        (POD, Facts { namespace_run_as: Some("etl-hr"), ..user("alice@example.com") }, "RunAs {"),
        (as_user("alice"), Facts { namespace_run_as: Some("etl-hr"), ..user("alice@example.com") }, "alice by mapping[0]"),
        (POD, Facts { namespace_run_as: Some("etl-hr"), caller_pod: Some(&caller), ..pod }, "carol by inherit"),
        (POD, Facts { namespace_run_as: Some("etl-hr"), ..job }, "bob by template"),
        (POD, Facts { namespace_run_as: Some("root"), ..user("alice@example.com") }, "Denied"),
        (POD, Facts { namespace_unread: true, ..user("alice@example.com") }, "NamespaceUnread"),
        (as_user("alice"), Facts { namespace_unread: true, ..user("alice@example.com") }, "alice by mapping[0]"),
        (POD, Facts { namespace_unread: true, ..job }, "bob by template"),
        (as_user("hdfs"), user("alice@example.com"), "Denied"),
        (as_user("../x"), user("alice@example.com"), "BadRunAs"),
        (as_user("a*)(uid=*"), user("alice@example.com"), "BadRunAs"),
        (as_user(""), user("alice@example.com"), "BadRunAs"),
    ];
    for (place, (subject, facts, wanted)) in cases.into_iter().enumerate() {
        let got = ask(false, subject, facts);
        assert!(
            got.starts_with(wanted),
            "case {place}: wanted {wanted}, got {got}"
        );
    }
}

#[test]
fn a_long_name_is_not_repeated_whole() {
    let long = "x".repeat(10_000);
    let subject = Subject {
        run_as: Some(&long),
        ..POD
    };
    let refused = decide(
        &policy(false),
        &subject,
        &Facts {
            username: "alice@example.com",
            ..Facts::default()
        },
    );
    assert!(refused.unwrap_err().to_string().len() < 200);
}

/// RBAC's answer, LDAP's, and what comes of them.
#[test]
fn every_way_to_be_granted_somebody_else() {
    use Verdict::{Granted, Refused, Unknown};
    let caller = caller();
    let alice = Facts {
        username: "alice@example.com",
        ..Facts::default()
    };
    let robot = Facts {
        username: "system:serviceaccount:ci:etl",
        ..Facts::default()
    };
    let in_scope = Facts {
        service_account_in_scope: true,
        ..robot
    };
    let pod = Facts {
        from_pod: true,
        caller_pod: Some(&caller),
        ..robot
    };
    #[rustfmt::skip]
    let cases = [
        (alice, "etl-hr", Some(Granted), None, "etl-hr by mapping[0], run-as by rbac"),
        (alice, "etl-hr", Some(Refused), Some(Granted), "etl-hr by mapping[0], run-as by ldap"),
        (alice, "etl-hr", Some(Unknown), Some(Granted), "etl-hr by mapping[0], run-as by ldap"),
        (alice, "etl-hr", Some(Granted), Some(Unknown), "etl-hr by mapping[0], run-as by rbac"),
        (alice, "etl-hr", Some(Refused), Some(Refused), "RunAs {"),
        (alice, "etl-hr", Some(Refused), Some(Unknown), "RunAsUnknown { wanted: HadoopUser(\"etl-hr\"), silent: Ldap }"),
        (alice, "etl-hr", Some(Unknown), Some(Refused), "RunAsUnknown { wanted: HadoopUser(\"etl-hr\"), silent: Rbac }"),
        (alice, "etl-hr", None, None, "RunAs {"),
        // Each grants the users of its own list only.
        (alice, "ops-hr", None, Some(Granted), "ops-hr by mapping[0], run-as by ldap"),
        (alice, "ops-hr", Some(Granted), None, "RunAs {"),
        (alice, "ops-hr", Some(Unknown), Some(Refused), "RunAs {"),
        (alice, "etl-fin", Some(Refused), Some(Granted), "RunAs {"),
        (alice, "bob", Some(Granted), Some(Granted), "NotGrantable"),
        (alice, "root", Some(Granted), Some(Granted), "Denied"),
        (Facts { username: "mallory", ..alice }, "etl-hr", Some(Granted), Some(Granted), "Unmapped"),
        // What a pod asks for, and what the editors of a namespace can ask for, no group grants.
        (pod, "ops-hr", None, Some(Granted), "RunAs {"),
        (robot, "ops-hr", None, Some(Granted), "ops-hr by mapping[1], run-as by ldap"),
        (in_scope, "ops-hr", None, Some(Granted), "RunAs {"),
        (in_scope, "ops-hr", None, Some(Unknown), "RunAs {"),
        (in_scope, "etl-hr", Some(Granted), None, "etl-hr by mapping[1], run-as by rbac"),
    ];
    for (place, (facts, wanted, rbac, ldap, outcome)) in cases.into_iter().enumerate() {
        let user = wanted.parse().unwrap();
        let authority = Authority { user, rbac, ldap };
        let subject = Subject {
            run_as: Some(wanted),
            ..POD
        };
        let facts = Facts {
            authority: Some(&authority),
            ..facts
        };
        let got = ask(true, subject, facts);
        assert!(
            got.starts_with(outcome),
            "case {place}: wanted {outcome}, got {got}"
        );
    }
}

#[test]
fn a_refusal_names_every_way_out() {
    let refusal = |wanted| {
        let subject = Subject {
            run_as: Some(wanted),
            ..POD
        };
        let facts = Facts {
            username: "alice@example.com",
            ..Facts::default()
        };
        decide(&policy(false), &subject, &facts)
            .unwrap_err()
            .to_string()
    };
    let role = "the verb use on hadoopusers.kube2hadoop.io/etl-fin in this namespace";
    assert!(refusal("etl-fin").ends_with(role), "{}", refusal("etl-fin"));
    let group = "membership in the LDAP group of ops-hr";
    assert!(
        refusal("ops-hr").ends_with(&format!("or ask for {group}")),
        "{}",
        refusal("ops-hr")
    );
    let both = refusal("etl-hr");
    assert!(
        both.contains("the verb use on")
            && both.ends_with(", or for membership in the LDAP group of etl-hr")
    );
}

#[test]
fn others_are_asked_only_where_their_answer_matters() {
    let policy = policy(false);
    let asks = |username, asked| policy.wish(username, asked).map(|wish| wish.by);
    let rbac = vec![Grant::Rbac];
    assert_eq!(asks("alice@example.com", "etl-fin"), Some(rbac));
    assert_eq!(asks("alice@example.com", "ops-hr"), Some(vec![Grant::Ldap]));
    assert_eq!(
        asks("alice@example.com", "etl-hr"),
        Some(Grant::ALL.to_vec())
    );
    for (username, asked) in [
        ("alice@example.com", "alice"),
        ("alice@example.com", "bob"),
        ("alice@example.com", "hdfs"),
        ("alice@example.com", "etl-hr/../x"),
        ("alice@example.com", "x-etl-hr"),
        ("nobody", "etl-hr"),
        ("odd ../x", "etl-hr"),
    ] {
        assert_eq!(asks(username, asked), None, "{username} {asked}");
    }
}

#[test]
fn what_may_be_granted_is_anchored() {
    for pattern in ["etl", "^etl", "etl$", ".*"] {
        let policy = serde_json::json!({"grantable": [pattern]});
        assert!(
            serde_json::from_value::<RunAsPolicy>(policy).is_err(),
            "{pattern}"
        );
    }
}

/// Neither a person, nor a stamped pod, nor a stamped template is anybody there.
#[test]
fn in_a_namespace_that_is_left_out_everybody_is_nobody() {
    let policy = IdentityPolicy {
        excluded_namespaces: ["team".to_owned()].into(),
        ..policy(true)
    };
    let (caller, template) = (caller(), template("default"));
    let person = Facts {
        username: "alice@example.com",
        ..Facts::default()
    };
    let pod = Facts {
        username: "system:serviceaccount:team:default",
        from_pod: true,
        caller_pod: Some(&caller),
        ..Facts::default()
    };
    let controller = Facts {
        username: JOBS,
        template: Some(&template),
        owned: Some(OF_ETL),
        ..Facts::default()
    };
    let elsewhere = Subject {
        namespace: "other",
        ..POD
    };
    for facts in [person, pod, controller] {
        let nobody = decide(&policy, &POD, &facts).unwrap_err();
        assert_eq!(nobody, Nobody::NamespaceExcluded("team".into()));
    }
    assert!(decide(&policy, &elsewhere, &person).is_ok());
}
