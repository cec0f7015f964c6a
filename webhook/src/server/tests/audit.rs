//! The audit line: it names whom the API server took the request for, and the uid that the answer goes back under.

use std::io;
use std::sync::Mutex;

use super::*;

#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn read(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }
}

#[tokio::test]
async fn a_line_names_the_impersonated_user_and_the_uid_of_the_review() {
    let world = World::new(Scenario::NothingThere, true);
    let mut asked = review("alice@example.com", &Value::Null);
    // Who impersonates chooses this one.
    asked["request"]["userInfo"]["uid"] = json!("chosen");
    let answered = [asked, review("mallory", &Value::Null)];
    let uids = ["audit-1", "audit-2"];
    for (review, uid) in answered.iter().zip(uids) {
        let mut review = review.clone();
        review["request"]["uid"] = json!(uid);
        // That the answer has the review's own uid, it checks itself.
        world.review(&review).await;
    }
    let audit = world.audit.read();
    let told: Vec<_> = audit
        .iter()
        .map(|line| (&line["uid"], &line["submitter"], &line["user"]))
        .collect();
    let (alice, mallory) = (json!("alice@example.com"), json!("mallory"));
    let wanted = [
        (&json!("audit-1"), &alice, &json!("alice")),
        (&json!("audit-2"), &mallory, &Value::Null),
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn a_line_says_why_a_pod_starts_without_a_token() {
    let world = World::new(Scenario::NothingThere, true);
    let mut asked = review("mallory", &Value::Null);
    asked["request"]["object"]["metadata"]["labels"] = json!({});
    let response = world.review(&asked).await;
    let line = world.audit.read().remove(0);
    assert_eq!(line["outcome"], "skipped");
    let reason = line["skipped"].as_str().unwrap();
    assert!(reason.contains("no mapping rule knows the user «mallory»"));
    assert_eq!(response["auditAnnotations"]["skipped"], reason);
}
