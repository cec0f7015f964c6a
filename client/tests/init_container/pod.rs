//! What the init container finds in its pod: environment, volumes, and the kubelet reading its end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::fetcher::Fetcher;

pub(crate) const TOKEN: &str = "header.payload.signature";

pub(crate) struct Pod {
    root: TempDir,
    environment: Vec<(&'static str, String)>,
}

pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) log: String,
}

impl Pod {
    pub(crate) fn of(fetcher: &Fetcher) -> Self {
        Self::new(&fetcher.url, &fetcher.ca)
    }

    pub(crate) fn new(url: &str, ca: &str) -> Self {
        // As in a pod, where the volume is memory: what a disk takes is not ours.
        let root = TempDir::new_in("/dev/shm").unwrap();
        fs::create_dir(root.path().join("volume")).unwrap();
        fs::write(root.path().join("token"), format!("{TOKEN}\n")).unwrap();
        fs::write(root.path().join("termination-log"), "").unwrap();
        let path = |name| root.path().join(name).display().to_string();
        let environment = vec![
            ("KUBE2HADOOP_URL", url.to_owned()),
            ("KUBE2HADOOP_CA", ca.to_owned()),
            ("KUBE2HADOOP_DIR", path("volume")),
            ("KUBE2HADOOP_TOKEN_PATH", path("token")),
            ("KUBE2HADOOP_TERMINATION_LOG", path("termination-log")),
            ("KUBE2HADOOP_FILE_MODE", "0400".to_owned()),
            // Nothing listens there: a client that used it would fail.
            ("HTTPS_PROXY", "http://127.0.0.1:1".to_owned()),
        ];
        Self { root, environment }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kube2hadoop-client"));
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self) -> End {
        let Output { status, stderr, .. } = self.command().output().unwrap();
        let end = End {
            code: status.code().unwrap(),
            message: self.message(),
            log: String::from_utf8(stderr).unwrap(),
        };
        assert!(!end.log.contains(TOKEN), "{}", end.log);
        assert!(!end.message.contains(TOKEN), "{}", end.message);
        end
    }

    pub(crate) fn message(&self) -> String {
        fs::read_to_string(self.path("termination-log")).unwrap()
    }

    /// Path, mode and content of what is in the volume, hidden files included, in the order of paths.
    pub(crate) fn files(&self) -> Vec<(String, u32, Vec<u8>)> {
        let volume = self.path("volume");
        let mut files = Vec::new();
        let mut dirs = vec![volume.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                let name = path.strip_prefix(&volume).unwrap().display().to_string();
                match path.is_dir() {
                    true => {
                        files.push((name, mode, Vec::new()));
                        dirs.push(path);
                    }
                    false => files.push((name, mode, fs::read(path).unwrap())),
                }
            }
        }
        files.sort();
        files
    }
}
