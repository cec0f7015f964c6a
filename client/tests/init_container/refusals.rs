//! What cannot succeed: the exit code, what the pod's owner is told, and that nothing is left behind.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use kube2hadoop_client::contract::{Problem, ProblemType, TokenResponse};

use crate::fetcher::{Fetcher, http};
use crate::pod::{End, Pod, TOKEN};
use crate::{credentials, ok, response};

/// The message must hold all of `parts`; the log holds it too, and the volume holds no file.
fn assert_failed(pod: &Pod, code: i32, parts: &[&str]) -> End {
    let end = pod.run();
    assert_eq!(end.code, code, "{}", end.log);
    for part in parts {
        assert!(
            end.message.contains(part),
            "{part:?} not in {:?}",
            end.message
        );
    }
    assert!(end.log.contains(&end.message), "{}", end.log);
    assert_eq!(end.message.lines().count(), 1, "{:?}", end.message);
    let dirs_only = |(_, _, content): &(String, u32, Vec<u8>)| content.is_empty();
    assert!(pod.files().iter().all(dirs_only), "{:?}", pod.files());
    end
}

fn problem(problem: &Problem) -> Vec<u8> {
    let headers = "content-type: application/problem+json\r\n";
    let body = serde_json::to_string(problem).unwrap();
    http(&format!("{} Problem", problem.status), headers, &body)
}

#[test]
fn a_refusal_is_final_and_explained() {
    let refusal =
        Problem::new(ProblemType::NotStamped, "create the pod anew").with_request_id("r-17");
    let fetcher = Fetcher::serve(move |_| problem(&refusal));
    let parts = [
        &fetcher.url,
        "(not-stamped): create the pod anew",
        "[request r-17]",
    ];
    assert_failed(&Pod::of(&fetcher), 77, &parts);
    assert_eq!(fetcher.requests().len(), 1);
}

#[test]
fn a_text_that_quotes_the_token_is_not_passed_on() {
    let refusal = Problem::new(ProblemType::Unauthenticated, format!("bad\n{TOKEN}"));
    let fetcher = Fetcher::serve(move |_| problem(&refusal));
    assert_failed(&Pod::of(&fetcher), 77, &["bad [redacted]"]);
}

#[test]
fn a_refusal_without_a_problem_is_final_too() {
    let fetcher = Fetcher::serve(|_| http("403 Forbidden", "x-request-id: r9\r\n", "<html>"));
    assert_failed(&Pod::of(&fetcher), 77, &["HTTP status 403", "[request r9]"]);
}

#[test]
fn the_token_does_not_follow_a_redirect() {
    let other = Fetcher::serve(|_| ok());
    let location = format!("location: {}/v1/tokens\r\n", other.url);
    let fetcher = Fetcher::serve(move |_| http("307 Temporary Redirect", &location, ""));
    assert_failed(&Pod::of(&fetcher), 77, &["HTTP status 307"]);
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn at_the_deadline_the_last_reason_is_told() {
    let busy = Problem::new(ProblemType::HadoopUnavailable, "nn1 is in safe mode");
    let fetcher = Fetcher::serve(move |_| problem(&busy));
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_DEADLINE_SECONDS", "2");
    assert_failed(&pod, 75, &["nn1 is in safe mode", "s after the first)"]);
    assert!(fetcher.requests().len() > 1);
}

#[test]
fn a_retry_after_beyond_the_deadline_ends_at_once() {
    let fetcher = Fetcher::serve(|_| http("503 Busy", "retry-after: 86400\r\n", ""));
    assert_failed(&Pod::of(&fetcher), 75, &["HTTP status 503", "attempt 1,"]);
}

#[test]
fn a_retry_after_beyond_all_time_ends_at_once_too() {
    let slow = Duration::from_secs(1);
    let fetcher = Fetcher::serve(move |_| {
        thread::sleep(slow);
        let header = format!("retry-after: {}\r\n", u64::MAX);
        http("503 Busy", &header, "")
    });
    assert_failed(&Pod::of(&fetcher), 75, &["HTTP status 503", "attempt 1,"]);
}

#[test]
fn a_fetcher_that_is_not_there_is_told_apart() {
    let ca = Fetcher::serve(|_| ok()).ca;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let pod = Pod::new(&url, &ca).with("KUBE2HADOOP_DEADLINE_SECONDS", "2");
    assert_failed(&pod, 75, &[&url, "refused", "network policies"]);
}

#[test]
fn a_certificate_of_another_ca_is_told_apart() {
    let other = Fetcher::serve(|_| ok());
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::new(&fetcher.url, &other.ca).with("KUBE2HADOOP_DEADLINE_SECONDS", "2");
    assert_failed(
        &pod,
        75,
        &["certificate is not trusted", "invalid peer certificate"],
    );
    assert_eq!(fetcher.requests().len(), 0);
}

#[test]
fn what_is_no_answer_of_a_fetcher_is_refused() {
    let mut damaged = response();
    damaged.credentials = credentials().to_bytes().expose()[..9].into();
    let damaged = serde_json::to_string(&damaged).unwrap();
    let nobody = TokenResponse {
        ca: Some("no PEM".to_owned()),
        ..response()
    };
    let nobody = serde_json::to_string(&nobody).unwrap();
    let bodies = ["hello", "{}", &damaged, &nobody, "\u{0}"];
    for body in bodies.map(ToOwned::to_owned) {
        let fetcher = Fetcher::serve(move |_| http("200 OK", "x-request-id: r1\r\n", &body));
        assert_failed(&Pod::of(&fetcher), 76, &["cannot be used", "[request r1]"]);
    }
    let fetcher = Fetcher::serve(|_| b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec());
    assert_failed(&Pod::of(&fetcher), 76, &["cannot be used"]);
}

#[test]
fn a_gigantic_answer_is_not_read_to_its_end() {
    let body = " ".repeat(3 * 1024 * 1024);
    let fetcher = Fetcher::serve(move |_| http("200 OK", "", &body));
    assert_failed(&Pod::of(&fetcher), 76, &["longer than"]);
}

#[test]
fn files_outside_the_directory_are_never_written() {
    for name in ["../evil", "/tmp/evil", ".hidden", ""] {
        let mut answer = serde_json::to_value(response()).unwrap();
        answer["conf"] = serde_json::json!({ name: "ZXZpbA==" });
        let fetcher = Fetcher::serve(move |_| http("200 OK", "", &answer.to_string()));
        assert_failed(&Pod::of(&fetcher), 76, &["is not allowed"]);
    }
}

#[test]
fn too_many_files_are_refused() {
    let mut answer = serde_json::to_value(response()).unwrap();
    let names = (0..33).map(|n| (format!("f{n}"), "".into()));
    answer["conf"] = serde_json::Value::Object(names.collect());
    let fetcher = Fetcher::serve(move |_| http("200 OK", "", &answer.to_string()));
    assert_failed(&Pod::of(&fetcher), 76, &["more than 32"]);
}

#[test]
fn a_volume_that_cannot_be_written_is_named() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_DIR", "/dev/null");
    assert_failed(&pod, 74, &["/dev/null/conf cannot be written", "mounted"]);

    // The configuration can be written here, the credentials cannot.
    let pod = Pod::of(&fetcher);
    fs::create_dir(pod.path("volume/hdfs-delegation-token")).unwrap();
    let end = pod.run();
    assert_eq!(end.code, 74);
    assert!(
        end.message
            .contains("hdfs-delegation-token cannot be written")
    );
    assert!(!pod.files().iter().any(|(name, ..)| name.starts_with('.')));
}

#[test]
fn a_missing_or_wrong_service_account_token_is_named() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher);
    fs::remove_file(pod.path("token")).unwrap();
    assert_failed(&pod, 64, &["service account token", "No such file"]);
    fs::write(pod.path("token"), "").unwrap();
    assert_failed(&pod, 64, &["empty"]);
    fs::write(pod.path("token"), "two words").unwrap();
    assert_failed(&pod, 64, &["other text than a token"]);
    assert_eq!(fetcher.requests().len(), 0);
}

#[test]
fn a_wrong_environment_is_named() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_URL", "http://fetcher");
    assert_failed(&pod, 64, &["KUBE2HADOOP_URL must be https://host:port"]);
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_FILE_MODE", "0777");
    assert_failed(&pod, 64, &["KUBE2HADOOP_FILE_MODE must be"]);
}
