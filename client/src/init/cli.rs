//! The command line: there is little, as everything comes by the environment.

use std::ffi::OsString;

use thiserror::Error;

const HELP: &str = "\
Asks the kube2hadoop fetcher for this pod's Hadoop tokens and writes them to the pod's volume.

Usage: kube2hadoop-client [--refresh | --help | --version]

  --refresh  stay, and ask again whenever the fetcher says that it is time; where
             files are there already, first after half a minute

Environment, set by the webhook:
  KUBE2HADOOP_URL               https://host:port of the fetcher
  KUBE2HADOOP_CA                certificates to trust for it, PEM
  KUBE2HADOOP_SERVICES          Hadoop services to ask for, comma separated [all]
  KUBE2HADOOP_DEADLINE_SECONDS  when to give up, 1 to 3600 [120]
  KUBE2HADOOP_TOKEN_PATH        service account token [/var/run/secrets/kube2hadoop/token]
  KUBE2HADOOP_DIR               where to write hdfs-delegation-token and conf/ [/var/run/kube2hadoop]
  KUBE2HADOOP_FILE_MODE         mode of hdfs-delegation-token: 0400, 0440 or 0444 [0400]
  KUBE2HADOOP_TERMINATION_LOG   where the reason of a failure goes [/dev/termination-log]

Exit codes:
  0   the files are written; with --refresh: told to end
  64  the environment or the arguments are wrong
  74  a file cannot be written
  75  no success until the deadline; trying again may help
  76  what answers is no fetcher of a version that this client understands
  77  refused; trying again will not help
";

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Once,
    Refresh,
    Print(String),
}

#[derive(Debug, PartialEq, Eq, Error)]
#[error("argument {0:?} is not known; see --help")]
pub(crate) struct UsageError(OsString);

/// Four words do not need an argument parser, which would be a good part of the binary.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut command = Command::Once;
    for argument in arguments {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Print(HELP.to_owned())),
            Some("--version" | "-V") => return Ok(Command::Print(version())),
            Some("--refresh") => command = Command::Refresh,
            _ => return Err(UsageError(argument)),
        }
    }
    Ok(command)
}

fn version() -> String {
    concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, UsageError> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parsed(&[]), Ok(Command::Once));
        assert_eq!(parsed(&["--refresh"]), Ok(Command::Refresh));
        assert_eq!(parsed(&["--help"]), Ok(Command::Print(HELP.to_owned())));
        assert_eq!(parsed(&["-V"]), Ok(Command::Print(version())));
        assert_eq!(
            parsed(&["--refresh", "--now"]),
            Err(UsageError("--now".into()))
        );
    }
}
