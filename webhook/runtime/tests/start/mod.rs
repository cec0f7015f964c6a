//! A service that is started while somebody else listens where it should. Both services' tests have it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Of an API server that nobody is asked for.
const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, current-context: c,
  clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}],
  contexts: [{name: c, context: {cluster: c, user: u}}]}";

/// What is left of a process: its exit code and its log.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

/// Starts the binary with the configuration that `write` makes in a directory of its own, for a port that is taken, and
/// gives the file name of.
pub(crate) fn with_its_port_taken(
    binary: &str,
    write: impl FnOnce(&TempDir, SocketAddr) -> &'static str,
) -> Ended {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let directory = TempDir::new().unwrap();
    let config = write(&directory, taken.local_addr().unwrap());
    let kubeconfig = directory.path().join("kubeconfig");
    fs::write(&kubeconfig, KUBECONFIG).unwrap();
    let Output { status, stderr, .. } = Command::new(binary)
        .arg("--config")
        .arg(directory.path().join(config))
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    Ended {
        code: status.code(),
        log: String::from_utf8(stderr).unwrap(),
    }
}

impl Ended {
    /// For its configuration, with all of `parts` in the log, and not for its port.
    pub(crate) fn refused(&self, parts: &[&str]) {
        let Self { code, log } = self;
        assert_eq!(*code, Some(64), "{log}");
        for part in parts {
            assert!(log.contains(part), "{part:?} not in {log}");
        }
        assert!(!log.contains("failed to listen"), "{log}");
    }

    /// For its port.
    pub(crate) fn failed_to_listen(&self) {
        let Self { code, log } = self;
        assert_eq!(*code, Some(1), "{log}");
        assert!(log.contains("failed to listen on 127.0.0.1:"), "{log}");
    }
}
