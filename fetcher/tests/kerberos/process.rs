//! A process with an environment of its own: where libkrb5 finds its configuration, keytab and tickets.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Before each answer of the process, among what libtest prints.
const ANSWER: &str = "answer: ";

/// It authenticates with a keytab, as the fetcher does; and as a server by the same.
pub(crate) struct Process {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Runs the function of this name, which [`serve`]s.
    pub(crate) fn start(function: &str, krb5_conf: &Path, keytab: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([function, "--exact", "--ignored", "--nocapture"])
            .env("KRB5_CONFIG", krb5_conf)
            .env("KRB5_CLIENT_KTNAME", keytab)
            .env("KRB5_KTNAME", keytab)
            .env("KRB5CCNAME", "MEMORY:process")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ask = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            ask,
            answers,
        }
    }

    /// What it answers to one line.
    pub(crate) fn answer(&mut self, line: &str) -> String {
        writeln!(self.ask, "{line}").unwrap();
        let lines = (&mut self.answers).lines();
        lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix(ANSWER).map(str::to_owned))
            .expect("the process has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Within that process: answers each line.
pub(crate) fn serve(mut answer: impl FnMut(&str) -> String) {
    for line in std::io::stdin().lines() {
        println!("\n{ANSWER}{}", answer(&line.unwrap()));
    }
}
