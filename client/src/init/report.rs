//! The log, and the last words that `kubectl describe` shows.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kube2hadoop_client::container::URL;
use kube2hadoop_client::contract::TokenResponse;

use super::failure::Failure;
use super::settings::TERMINATION_LOG;

/// The kubelet keeps 4096 bytes of a message, and fewer where many containers fail.
const MAX_MESSAGE: usize = 2000;

/// For `--help` and `--version`.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(74),
    }
}

/// One short line to standard error.
pub(super) fn log(line: &str) {
    // If standard error is closed there is nowhere left to say so.
    let _ = writeln!(io::stderr(), "kube2hadoop-client: {}", printable(line));
}

/// Says the failure, and gives its exit code.
pub(super) fn failed(failure: &Failure) -> ExitCode {
    last_words(&sentence(failure));
    ExitCode::from(failure.exit_code())
}

/// What went wrong, with whom, and what to do.
pub(super) fn sentence(failure: &Failure) -> String {
    let url = std::env::var(URL).unwrap_or_default();
    about(failure, &url)
}

/// What the files hold.
pub(super) fn written(answer: &TokenResponse) -> String {
    format!(
        "wrote the tokens of {:?}, good until {}",
        answer.user, answer.expires_at
    )
}

/// Says it where `kubectl logs` and where `kubectl describe pod` shows it.
pub(super) fn last_words(message: &str) {
    let message = printable(message);
    log(&message);
    let path = std::env::var_os(TERMINATION_LOG)
        .map_or_else(|| PathBuf::from("/dev/termination-log"), PathBuf::from);
    // The kubelet made the file; where it is missing (a shell, a test) none is needed.
    let file = OpenOptions::new().write(true).truncate(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(message.as_bytes()));
}

fn about(failure: &Failure, url: &str) -> String {
    let mut text = match failure.is_about_the_fetcher() {
        true => format!("no Hadoop token from {url}: {failure}"),
        false => format!("no Hadoop token: {failure}"),
    };
    if !failure.advice().is_empty() {
        text.push_str("; ");
        text.push_str(failure.advice());
    }
    if let Some(id) = failure.request_id() {
        text.push_str(&format!(" [request {id}]"));
    }
    text
}

/// One line of bounded length, whatever a server put into its texts.
fn printable(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= MAX_MESSAGE {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube2hadoop_client::contract::{Problem, ProblemType};

    #[test]
    fn a_refusal_says_who_why_and_which_request() {
        let problem = Problem::new(ProblemType::NotStamped, "create the pod anew");
        let failure = Failure::Problem {
            problem: Box::new(problem.with_request_id("r1")),
            retry_after: None,
        };
        assert_eq!(
            about(&failure, "https://f:443"),
            "no Hadoop token from https://f:443: The pod carries no stamp (not-stamped): \
             create the pod anew [request r1]"
        );
    }

    #[test]
    fn messages_are_one_bounded_line() {
        let line = printable(&"a\n\u{1b}".repeat(5000));
        assert!(line.starts_with("a  a  "));
        assert!(line.len() <= MAX_MESSAGE + '…'.len_utf8());
    }
}
