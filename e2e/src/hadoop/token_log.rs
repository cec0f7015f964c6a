//! What the NameNodes' logs tell of each token: when it was issued, whom to, and whether it was cancelled.

use std::collections::BTreeMap;

/// A token as its NameNode saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedToken {
    pub sequence_number: u32,
    /// In milliseconds since 1970.
    pub issued_at: u64,
    /// The address of who asked for it; empty where the NameNode died before it noted that.
    pub asked_from: String,
    pub cancelled: bool,
}

/// The tokens issued at that time or later, in the order of their numbers; `log` may be those of several NameNodes.
pub(super) fn read(log: &str, since: u64) -> Vec<LoggedToken> {
    let mut tokens = BTreeMap::new();
    let mut cancelled = Vec::new();
    for line in log.lines() {
        if line.contains("Creating password for identifier:") {
            let (number, at) = (after(line, "sequenceNumber="), after(line, "issueDate="));
            if let (Some(sequence_number), Some(issued_at)) = (number, at) {
                let token = LoggedToken {
                    sequence_number,
                    issued_at,
                    asked_from: String::new(),
                    cancelled: false,
                };
                tokens.insert(sequence_number, token);
            }
        } else if line.contains("allowed=true") && line.contains("cmd=getDelegationToken") {
            let token =
                after(line, "HDFS_DELEGATION_TOKEN token ").and_then(|it| tokens.get_mut(&it));
            if let (Some(token), Some(address)) = (token, word_after(line, "ip=/")) {
                token.asked_from = address.to_owned();
            }
        } else if line.contains("allowed=true") && line.contains("cmd=cancelDelegationToken") {
            cancelled.extend(after::<u32>(line, "HDFS_DELEGATION_TOKEN token "));
        }
    }
    for number in cancelled {
        if let Some(token) = tokens.get_mut(&number) {
            token.cancelled = true;
        }
    }
    tokens
        .into_values()
        .filter(|it| it.issued_at >= since)
        .collect()
}

fn word_after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(mark)?;
    rest.split([',', ')', ' ', '\t']).next()
}

fn after<T: std::str::FromStr>(line: &str, mark: &str) -> Option<T> {
    word_after(line, mark)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Hadoop 3.4.1.
    const LOG: &str = "\
2026-11-27 22:05:24,155 INFO delegation.AbstractDelegationTokenSecretManager: Creating password for identifier: (token for alice: HDFS_DELEGATION_TOKEN owner=alice, renewer=kube2hadoop, realUser=, issueDate=1795817124155, maxDate=1795817304155, sequenceNumber=181, masterKeyId=14), currentKey: 14
2026-11-27 22:05:24,157 INFO FSNamesystem.audit: allowed=true\tugi=alice (auth:KERBEROS)\tip=/10.210.0.165\tcmd=getDelegationToken\tsrc=HDFS_DELEGATION_TOKEN token 181 for alice with renewer kube2hadoop\tdst=null\tperm=null\tproto=webhdfs
2026-11-27 22:05:25,155 INFO delegation.AbstractDelegationTokenSecretManager: Creating password for identifier: (token for bob: HDFS_DELEGATION_TOKEN owner=bob, renewer=kube2hadoop, realUser=, issueDate=1795817125155, maxDate=1795817305155, sequenceNumber=182, masterKeyId=14), currentKey: 14
2026-11-27 22:05:25,202 INFO FSNamesystem.audit: allowed=true\tugi=kube2hadoop (auth:KERBEROS)\tip=/10.210.0.165\tcmd=cancelDelegationToken\tsrc=HDFS_DELEGATION_TOKEN token 182 for bob with renewer kube2hadoop\tdst=null\tperm=null\tproto=webhdfs
2026-11-27 22:05:26,202 INFO FSNamesystem.audit: allowed=false\tugi=kube2hadoop (auth:KERBEROS)\tip=/10.210.0.165\tcmd=cancelDelegationToken\tsrc=HDFS_DELEGATION_TOKEN token 181 for alice with renewer kube2hadoop\tdst=null\tperm=null\tproto=webhdfs
";

    #[test]
    fn each_token_is_told_with_its_end() {
        let token = |sequence_number, issued_at, asked_from: &str, cancelled| LoggedToken {
            sequence_number,
            issued_at,
            asked_from: asked_from.into(),
            cancelled,
        };
        let (first, second) = (
            token(181, 1_795_817_124_155, "10.210.0.165", false),
            token(182, 1_795_817_125_155, "", true),
        );
        assert_eq!(read(LOG, 0), [first, second.clone()]);
        assert_eq!(read(LOG, second.issued_at), [second]);
    }
}
