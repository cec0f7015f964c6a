//! The real binary against a real TLS server: what it sends, writes and says, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail this way"
)]

mod fetcher;
mod pod;
mod refusals;

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use fetcher::{Answer, Fetcher, http};
use kube2hadoop_client::contract::{FileContent, FileName, Timestamp, TokenResponse};
use kube2hadoop_client::credentials::{Credentials, Token};
use pod::{Pod, TOKEN};

/// The last words of a client that did its work: whose tokens, and until when.
const WRITTEN: &str = r#"wrote the tokens of "alice", good until 2033-05-18T03:33:20Z"#;

fn credentials() -> Credentials {
    let token = Token::new(
        vec![1].into(),
        vec![2].into(),
        "HDFS_DELEGATION_TOKEN",
        "ha-hdfs:ns1",
    );
    let mut credentials = Credentials::new();
    credentials.add("ha-hdfs:ns1", token.unwrap()).unwrap();
    credentials
}

fn response() -> TokenResponse {
    TokenResponse {
        credentials: credentials().to_bytes(),
        conf: [(
            FileName::try_from("core-site.xml").unwrap(),
            FileContent(b"<configuration/>".to_vec()),
        )]
        .into(),
        user: "alice".to_owned(),
        expires_at: Timestamp::from_unix_seconds(2_000_000_000),
        refresh_at: Timestamp::from_unix_seconds(1_900_000_000),
        ca: None,
    }
}

fn ok() -> Answer {
    http("200 OK", "", &serde_json::to_string(&response()).unwrap())
}

fn expected_files() -> Vec<(String, u32, Vec<u8>)> {
    let credentials = credentials().to_bytes().expose().to_vec();
    vec![
        ("conf".to_owned(), 0o755, Vec::new()),
        (
            "conf/core-site.xml".to_owned(),
            0o444,
            b"<configuration/>".to_vec(),
        ),
        ("hdfs-delegation-token".to_owned(), 0o400, credentials),
    ]
}

#[test]
fn success_leaves_the_files_and_says_whose_they_are() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_SERVICES", "hdfs,kms");
    let end = pod.run();
    assert_eq!(
        (end.code, end.message.as_str()),
        (0, WRITTEN),
        "{}",
        end.log
    );
    assert_eq!(pod.files(), expected_files());
    assert!(end.log.contains("\"alice\""), "{}", end.log);

    let request = fetcher.requests().pop().unwrap();
    assert!(
        request.head.starts_with("post /v1/tokens http/1.1\r\n"),
        "{}",
        request.head
    );
    assert!(
        request
            .head
            .contains(&format!("authorization: bearer {TOKEN}\r\n"))
    );
    assert_eq!(request.body, r#"{"services":["hdfs","kms"]}"#);
}

#[test]
fn a_second_run_replaces_the_files_and_clears_what_a_killed_one_left() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_FILE_MODE", "0444");
    fs::create_dir(pod.path("volume/conf")).unwrap();
    fs::write(pod.path("volume/conf/core-site.xml"), "old").unwrap();
    fs::write(pod.path("volume/.hdfs-delegation-token.new"), "part").unwrap();
    fs::write(pod.path("volume/hdfs-delegation-token"), "old").unwrap();
    assert_eq!(pod.run().code, 0);
    let mut expected = expected_files();
    expected[2].1 = 0o444;
    assert_eq!(pod.files(), expected);
}

#[test]
fn a_server_that_is_not_ready_is_asked_again() {
    let fetcher = Fetcher::serve(|n| match n {
        0 | 1 => http("503 Service Unavailable", "", "starting"),
        _ => ok(),
    });
    let pod = Pod::of(&fetcher);
    let end = pod.run();
    assert_eq!(
        (end.code, end.message.as_str()),
        (0, WRITTEN),
        "{}",
        end.log
    );
    assert_eq!(fetcher.requests().len(), 3);
    assert_eq!(pod.files(), expected_files());
}

#[test]
fn a_servers_retry_after_is_honoured() {
    let fetcher = Fetcher::serve(|n| match n {
        0 => http("429 Too Many Requests", "retry-after: 1\r\n", ""),
        _ => ok(),
    });
    assert_eq!(Pod::of(&fetcher).run().code, 0);
    let requests = fetcher.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));
}

#[test]
fn a_connection_that_breaks_within_the_answer_is_tried_again() {
    let fetcher = Fetcher::serve(|n| match n {
        0 => ok()[..200].to_vec(),
        _ => ok(),
    });
    let pod = Pod::of(&fetcher);
    assert_eq!(pod.run().code, 0);
    assert_eq!(fetcher.requests().len(), 2);
    assert_eq!(pod.files(), expected_files());
}

/// A pod with a sidecar may run on when the CA that it was made with signs no more.
#[test]
fn the_cas_that_an_answer_names_are_trusted_from_then_on() {
    let new = Fetcher::serve(|_| ok());
    let told = TokenResponse {
        ca: Some(new.ca.clone()),
        ..response()
    };
    let told = http("200 OK", "", &serde_json::to_string(&told).unwrap());
    let old = Fetcher::serve(move |_| told.clone());
    let pod = Pod::of(&old).with("KUBE2HADOOP_DEADLINE_SECONDS", "2");
    assert_eq!(pod.run().code, 0);
    let pod = pod.with("KUBE2HADOOP_URL", &new.url);
    assert_eq!(pod.run().code, 0);
    let pod = pod.with("KUBE2HADOOP_URL", &old.url);
    let end = pod.run();
    assert!(
        end.code != 0 && end.message.contains("not trusted"),
        "{}",
        end.message
    );
}

#[test]
fn both_cas_of_a_rotation_are_trusted() {
    let old = Fetcher::serve(|_| ok());
    let new = Fetcher::serve(|_| ok());
    let both = format!("{}{}", old.ca, new.ca);
    for fetcher in [&old, &new] {
        assert_eq!(Pod::new(&fetcher.url, &both).run().code, 0);
    }
}

#[test]
fn the_service_account_token_is_read_anew_for_every_try() {
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(&path, "first").unwrap();
    let rotated = path.path().to_owned();
    let fetcher = Fetcher::serve(move |n| match n {
        0 => {
            fs::write(&rotated, "second").unwrap();
            http("503 Service Unavailable", "", "")
        }
        _ => ok(),
    });
    let token_path = path.path().display().to_string();
    let pod = Pod::of(&fetcher).with("KUBE2HADOOP_TOKEN_PATH", &token_path);
    assert_eq!(pod.run().code, 0);
    let heads: Vec<_> = fetcher.requests().into_iter().map(|r| r.head).collect();
    assert!(heads[0].contains("authorization: bearer first\r\n"));
    assert!(heads[1].contains("authorization: bearer second\r\n"));
}

/// Runs the sidecar until it says so, tells it to end, and gives its exit code.
fn sidecar(pod: &Pod, until: &str) -> Option<i32> {
    let mut child = pod.command().arg("--refresh").spawn().unwrap();
    let log = std::io::BufReader::new(child.stderr.take().unwrap());
    let said = std::io::BufRead::lines(log)
        .map(Result::unwrap)
        .any(|line| line.contains(until));
    assert!(said, "it ended without «{until}»");
    let told = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(told.unwrap().success());
    child.wait().unwrap().code()
}

#[test]
fn the_sidecar_writes_the_files_stays_and_ends_when_told() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher);
    assert_eq!(sidecar(&pod, "wrote the tokens"), Some(0));
    assert_eq!(pod.files(), expected_files());
}

#[test]
fn the_sidecar_does_not_ask_for_what_the_init_container_just_wrote() {
    let fetcher = Fetcher::serve(|_| ok());
    let pod = Pod::of(&fetcher);
    assert_eq!(pod.run().code, 0);
    assert_eq!(sidecar(&pod, "found the tokens; next refresh in"), Some(0));
    assert_eq!(fetcher.requests().len(), 1);
}

/// A sidecar that restarts would make its pod unready.
#[test]
fn a_refused_sidecar_stays_and_says_why() {
    let fetcher = Fetcher::serve(|_| http("403 Forbidden", "", ""));
    let pod = Pod::of(&fetcher);
    assert_eq!(sidecar(&pod, "HTTP status 403"), Some(0));
}

#[test]
fn help_and_version_need_no_environment() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let pod = Pod::new(&format!("https://{}", unused.local_addr().unwrap()), "");
    for (argument, text) in [
        ("--help", "Exit codes:"),
        ("--version", "kube2hadoop-client 0."),
    ] {
        let mut command = pod.command();
        let output = command
            .env_clear()
            .arg(argument)
            .stdout(Stdio::piped())
            .output();
        let output = output.unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(text));
    }
}
