use kube2hadoop_stamp::{ObjectName, PodClaims, SigningKey};

use super::*;

mod reviewed;

const CREATED: u64 = 1_700_000_000;

pub(super) struct Scene {
    pub(super) bound: BoundPod,
    pub(super) pod: PodView,
    pub(super) claims: PodClaims,
    pub(super) terms: Terms,
    pub(super) key: SigningKey,
    pub(super) from: Option<IpAddr>,
}

pub(super) fn claims() -> PodClaims {
    PodClaims {
        iss: "kube2hadoop".into(),
        ns: "team".into(),
        sa: "default".into(),
        sub: "alice".parse().unwrap(),
        submitter: "alice@example.com".into(),
        pod: ObjectName::Name("web-0".into()),
        origin: None,
        job: None,
        iat: CREATED,
    }
}

pub(super) fn terms() -> Terms {
    Terms {
        issuer: "kube2hadoop".into(),
        window_seconds: 30,
        excluded_namespaces: ["kube-system".to_owned()].into(),
        deny: DenyList::default(),
        pod_ip: false,
    }
}

fn scene() -> Scene {
    let bound = BoundPod {
        namespace: "team".into(),
        service_account: "default".into(),
        name: "web-0".into(),
        uid: "u1".into(),
        node: "n1".into(),
    };
    let pod = PodView {
        namespace: "team".into(),
        name: "web-0".into(),
        uid: "u1".into(),
        node: Some("n1".into()),
        service_account: "default".into(),
        phase: "Pending".into(),
        created_at: CREATED,
        ..PodView::default()
    };
    Scene {
        bound,
        pod,
        claims: claims(),
        terms: terms(),
        key: SigningKey::generate().unwrap(),
        from: None,
    }
}

/// Signs the scene's claims, unless the case has put its own stamp there, and decides.
fn decide(mut scene: Scene) -> Result<Grant, Refusal> {
    if scene.pod.stamp.is_none() {
        scene.pod.stamp = Some(scene.key.sign_pod(&scene.claims).unwrap());
    } else if scene.pod.stamp.as_deref() == Some("") {
        scene.pod.stamp = None;
    }
    let keys = scene.key.public();
    grant(
        &scene.bound,
        Some(&scene.pod),
        scene.from,
        &keys,
        &scene.terms,
    )
}

#[test]
fn a_stamped_running_pod_is_granted_its_user() {
    for phase in ["Pending", "Running"] {
        let mut scene = scene();
        scene.pod.phase = phase.into();
        let granted = decide(scene).unwrap();
        assert_eq!(granted.user.as_str(), "alice");
        assert_eq!(granted.submitter, "alice@example.com");
        assert_eq!(granted.pod.uid, "u1");
        assert_eq!(granted.services, None);
    }
}

#[test]
fn each_condition_has_its_refusal() {
    type Change = fn(&mut Scene);
    let cases: &[(&str, bool, Change)] = &[
        ("namespace-excluded", false, |s| {
            s.bound.namespace = "kube-system".into();
        }),
        ("pod-replaced", false, |s| s.pod.uid = "u2".into()),
        ("pod-not-bound", true, |s| s.pod.node = None),
        ("node-mismatch", false, |s| s.pod.node = Some("n2".into())),
        ("service-account-mismatch", false, |s| {
            s.pod.service_account = "robot".into();
        }),
        ("mirror-pod", false, |s| s.pod.mirror = true),
        ("windows-pod", false, |s| s.pod.windows = true),
        ("pod-ended", false, |s| s.pod.phase = "Failed".into()),
        ("pod-ended", false, |s| s.pod.phase = "Succeeded".into()),
        ("pod-ended", false, |s| s.pod.phase = "Unknown".into()),
        ("pod-ended", false, |s| {
            (s.pod.deleting, s.pod.nothing_runs) = (true, true);
        }),
        ("no-stamp", false, |s| s.pod.stamp = Some(String::new())),
        ("stamp-invalid", false, |s| {
            s.pod.stamp = Some("a.b.c".into());
        }),
        ("stamp-key-unknown", true, |s| {
            let other = SigningKey::generate().unwrap();
            s.pod.stamp = Some(other.sign_pod(&s.claims).unwrap());
        }),
        ("stamp-invalid", false, |s| {
            s.claims.iss = "other-cluster".into();
        }),
        ("stamp-invalid", false, |s| s.claims.ns = "other".into()),
        ("stamp-invalid", false, |s| s.claims.sa = "robot".into()),
        ("stamp-invalid", false, |s| {
            s.claims.pod = ObjectName::Name("web-1".into());
        }),
        ("stamp-clock", false, |s| s.claims.iat = CREATED - 31),
        ("stamp-clock", false, |s| s.claims.iat = CREATED + 31),
        ("user-denied", false, |s| {
            s.claims.sub = "hdfs".parse().unwrap();
        }),
        ("services-annotation", false, |s| {
            s.pod.services = Some("ns1,a b".into());
        }),
    ];
    for (index, (slug, retryable, change)) in cases.iter().enumerate() {
        let mut scene = scene();
        change(&mut scene);
        let refusal = decide(scene).unwrap_err();
        assert_eq!(
            (refusal.reason(), refusal.problem_type().retryable()),
            (*slug, *retryable),
            "case {index}"
        );
    }
}

#[test]
fn a_pod_that_is_not_visible_yet_may_be_asked_for_again() {
    let scene = scene();
    let keys = scene.key.public();
    let refusal = grant(&scene.bound, None, None, &keys, &scene.terms).unwrap_err();
    assert_eq!(
        (refusal.reason(), refusal.problem_type().retryable()),
        ("pod-not-found", true)
    );
}

#[test]
fn a_pod_being_deleted_is_served_while_something_of_it_runs() {
    let mut scene = scene();
    scene.pod.deleting = true;
    assert!(decide(scene).is_ok());
}

#[test]
fn the_services_annotation_is_a_list() {
    let mut scene = scene();
    scene.pod.services = Some(" ns1, kms,".into());
    let services = decide(scene).unwrap().services.unwrap();
    assert_eq!(
        services.iter().map(ServiceName::as_str).collect::<Vec<_>>(),
        ["kms", "ns1"]
    );
}

#[test]
fn where_addresses_count_the_pods_own_must_be_the_askers() {
    let asked = |from: Option<&str>, of_pod: &[&str], counts| {
        let mut scene = scene();
        scene.from = from.map(|it| it.parse().unwrap());
        scene.pod.addresses = of_pod.iter().map(|it| it.parse().unwrap()).collect();
        scene.terms.pod_ip = counts;
        decide(scene).map(drop).map_err(|refusal| refusal.reason())
    };
    let both = ["10.0.0.7", "fd00::7"];
    assert_eq!(asked(Some("10.0.0.7"), &both, true), Ok(()));
    assert_eq!(asked(Some("fd00::7"), &both, true), Ok(()));
    assert_eq!(
        asked(Some("10.0.0.8"), &both, true),
        Err("address-mismatch")
    );
    assert_eq!(asked(None, &both, true), Err("address-mismatch"));
    assert_eq!(asked(Some("10.0.0.7"), &[], true), Err("address-unknown"));
    assert_eq!(asked(Some("10.0.0.8"), &both, false), Ok(()));
}

#[test]
fn an_address_alone_proves_a_pod_of_legacy_mode_if_it_is_the_pods_own() {
    type Change = fn(&mut Scene);
    let asked = |change: Change| {
        let mut scene = scene();
        scene.from = Some([10, 0, 0, 7].into());
        scene.pod.addresses = vec![[10, 0, 0, 7].into()];
        change(&mut scene);
        let stamp = scene.key.sign_pod(&scene.claims).unwrap();
        scene.pod.stamp = Some(stamp);
        let granted = grant_by_address(&scene.pod, scene.from, &scene.key.public(), &scene.terms);
        granted
            .map(|grant| grant.user.to_string())
            .map_err(|refusal| refusal.reason())
    };
    assert_eq!(asked(|_| {}), Ok("alice".into()));
    let cases: [(&str, Change); 8] = [
        ("address-mismatch", |s| s.from = Some([10, 0, 0, 8].into())),
        ("address-mismatch", |s| s.from = None),
        ("address-unknown", |s| s.pod.addresses.clear()),
        ("host-network", |s| s.pod.host_network = true),
        ("pod-ended", |s| s.pod.phase = "Succeeded".into()),
        ("namespace-excluded", |s| {
            s.pod.namespace = "kube-system".into();
        }),
        ("stamp-invalid", |s| {
            s.claims.pod = ObjectName::Name("web-1".into());
        }),
        ("user-denied", |s| s.claims.sub = "hdfs".parse().unwrap()),
    ];
    for (reason, change) in cases {
        assert_eq!(asked(change), Err(reason));
    }
}
