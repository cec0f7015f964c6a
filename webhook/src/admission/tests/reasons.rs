use kube2hadoop_stamp::DenyList;

use super::*;

const SKIPPED: &str = "kube2hadoop.io/skipped";

fn reason(pod: &Value) -> &str {
    pod["metadata"]["annotations"][SKIPPED]
        .as_str()
        .unwrap_or_default()
}

/// The first call takes the stamp off; when another webhook changes something, the second one sees a pod without.
#[test]
fn the_first_reason_outlives_the_stamp_that_it_is_about() {
    let mut world = World::new(Scope::Namespace);
    let job = world.create(ALICE, &workload("batch/v1", "Job", "etl"));
    let template = &job.object["spec"]["template"];
    let other = child(template, ("batch/v1", "Job", "other"), None);
    let own = child(template, ("batch/v1", "Job", "etl"), None);
    world.policy.identity.deny = DenyList::default().and("alice");
    for (pod, says) in [
        (other, "for another object"),
        (own, "alice is on the deny list"),
    ] {
        let once = world.create(JOBS, &pod);
        assert_eq!(once.decision.outcome, Outcome::Skipped);
        assert!(reason(&once.object).contains(says), "{}", once.object);
        let twice = world.create(JOBS, &once.object);
        assert!(twice.unpatched() && twice.warned(says), "{}", twice.object);
    }
}

#[test]
fn a_reason_that_the_person_wrote_is_not_repeated() {
    let world = World::new(Scope::Namespace);
    let mut pod = child(&pod("p"), ("batch/v1", "Job", "etl"), None);
    pod["metadata"]["annotations"] = json!({SKIPPED: "all is well"});
    let after = world.create(JOBS, &pod);
    assert!(
        reason(&after.object).contains("no valid stamp"),
        "{}",
        after.object
    );
}
