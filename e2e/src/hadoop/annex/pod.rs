//! What a pod has under /var/run/kube2hadoop, got without a pod; and the stock client with nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Annex, FS_SHELL, as_fetcher, home};
use crate::hadoop::requirements::{ANNEX, CURRENT};
use crate::hadoop::{java, kerberos};
use crate::{dist, process};

const APPLICATION: &str = "org.apache.hadoop.yarn.client.cli.ApplicationCLI";
/// Where pods have their files.
const HERE: &str = "/var/run/kube2hadoop";
/// Gives the command a /run of its own, which /var/run is, with these files in it.
const APART: &str = r#"mount -t tmpfs tmpfs /run && mkdir /run/kube2hadoop && mount --bind "$0" /run/kube2hadoop && exec "$@""#;

/// Tokens and client configuration, by the code that the fetcher runs.
pub struct Tokens {
    program: PathBuf,
    conf: PathBuf,
    ca: PathBuf,
    directory: PathBuf,
    only: &'static str,
    /// Kind and service text of each, as the file has them.
    pub said: String,
}

impl Annex {
    /// Gets alice's tokens of these services, parted by commas.
    pub fn issue(&self, only: &'static str) -> Result<Tokens> {
        let mut tokens = Tokens {
            program: dist::debug_example("token_file")?,
            conf: self.conf_dir(),
            ca: self.ca(),
            directory: home().join("pod"),
            only,
            said: String::new(),
        };
        tokens.said = tokens.deed("issue")?;
        Ok(tokens)
    }
}

impl Tokens {
    /// Asks whether each is known; fails where nobody can tell.
    pub fn check(&self) -> Result<String> {
        self.deed("check")
    }

    /// Renews each; gives what the example says, which names the servers that know nothing of one.
    pub fn renew(&self) -> Result<String> {
        self.deed("renew")
    }

    /// Cancels each, twice, and makes sure that its servers know it before that, and not after.
    pub fn cancel(&self) -> Result<String> {
        self.deed("cancel")
    }

    /// `hdfs dfs` with these tokens and this configuration, and no ticket.
    pub fn hdfs(&self, args: &[&str]) -> Result<String> {
        self.client(FS_SHELL, args)
    }

    /// `yarn application -list` in the same way.
    pub fn applications(&self) -> Result<String> {
        self.client(APPLICATION, &["application", "-list"])
    }

    fn deed(&self, deed: &str) -> Result<String> {
        let mut program = as_fetcher(&self.program);
        program.args([deed, "alice", "--principal"]);
        program.arg(format!("kube2hadoop@{}", kerberos::REALM));
        for (option, path) in [
            ("--conf", &self.conf),
            ("--ca", &self.ca),
            ("--krb5", &crate::hadoop::files::krb5_conf()),
            ("--directory", &self.directory),
        ] {
            program.arg(option).arg(path);
        }
        program.args(["--only", self.only]);
        process::run(&mut program)
    }

    /// A Python program with these packages in the same way.
    pub fn python(&self, packages: &Path, program: &str) -> Result<String> {
        let mut python = Command::new("python3");
        let mut python = self.apart(python.args(["-c", program]));
        python.env("PYTHONPATH", packages);
        process::run(python.env("HADOOP_CONF_DIR", Path::new(HERE).join("conf")))
    }

    fn client(&self, class: &str, args: &[&str]) -> Result<String> {
        let conf = Path::new(HERE).join("conf");
        let mut java = java::java_of(&[CURRENT, ANNEX], &conf);
        // The later of two values holds.
        java.arg(format!(
            "-Djava.security.krb5.conf={}",
            conf.join("krb5.conf").display()
        ));
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", class])
            .args(args);
        process::run(&mut self.apart(&java))
    }

    /// The same program where a pod would find the files, with no ticket.
    fn apart(&self, program: &Command) -> Command {
        let tokens = Path::new(HERE).join("hdfs-delegation-token");
        let mut apart = Command::new("unshare");
        apart
            .args(["--mount", "--propagation", "private", "sh", "-c", APART])
            .arg(&self.directory)
            .arg(program.get_program())
            .args(program.get_args())
            .env("HADOOP_TOKEN_FILE_LOCATION", tokens)
            .env("KRB5CCNAME", "FILE:/nonexistent");
        apart
    }
}
