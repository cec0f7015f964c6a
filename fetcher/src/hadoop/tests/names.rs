//! A name server that fails: no token lacks an address for that, and none is issued in vain.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;

use futures::future::{BoxFuture, FutureExt};

use super::*;
use crate::hadoop::host::HostPort;
use crate::hadoop::resolver::Lookup;

const TRY_AGAIN: &str =
    "failed to lookup address information: Temporary failure in name resolution";
const NO_NAME: &str = "failed to lookup address information: Name or service not known";

/// Fails so first, then knows every name.
struct Failing(Mutex<VecDeque<&'static str>>);

impl Lookup for Failing {
    fn lookup(&self, address: HostPort) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let failure = self.0.lock().unwrap().pop_front();
        let found = SocketAddr::from(([10, 0, 0, 1], address.port));
        let answer = failure.map_or(Ok(vec![found]), |text| Err(io::Error::other(text)));
        std::future::ready(answer).boxed()
    }
}

/// One NameNode whose RPC address is `nn.test`.
fn failing(failures: &[&'static str], namenode: SocketAddr) -> HadoopServices {
    let text = property("fs.defaultFS", "hdfs://nn.test:8020")
        + &property("dfs.namenode.http-address", &namenode.to_string());
    let lookup = Failing(Mutex::new(failures.iter().copied().collect()));
    with_resolver(
        &[("core-site.xml", &*text)],
        Arc::new(FakeKerberos::default()),
        Duration::from_secs(5),
        Resolver::by(lookup),
    )
}

async fn hdfs_services(services: &HadoopServices) -> Result<Vec<String>, HadoopError> {
    let name = services.all()[0].name().to_owned();
    let issued = issue(services, &name).await?;
    let hdfs = issued
        .tokens
        .iter()
        .filter(|(_, token)| token.kind() == "HDFS_DELEGATION_TOKEN");
    Ok(hdfs.map(|(_, token)| token.service().to_owned()).collect())
}

#[tokio::test]
async fn who_asks_after_a_failed_lookup_gets_the_address_and_nothing_was_issued_before() {
    let (namenode, address) = Fake::default().start().await;
    let services = failing(&[TRY_AGAIN], address);
    let error = hdfs_services(&services).await.unwrap_err();
    assert!(
        error.retryable() && error.to_string().contains("nn.test"),
        "{error}"
    );
    assert_eq!(namenode.asked("GETDELEGATIONTOKEN"), 0);
    let both = ["10.0.0.1:8020", "nn.test:8020"].map(str::to_owned);
    assert_eq!(hdfs_services(&services).await.unwrap(), both);
    assert_eq!(namenode.asked("GETDELEGATIONTOKEN"), 1);
}

#[tokio::test]
async fn a_name_that_there_is_not_holds_nobody_up() {
    let (_namenode, address) = Fake::default().start().await;
    let services = failing(&[NO_NAME], address);
    assert_eq!(hdfs_services(&services).await.unwrap(), ["nn.test:8020"]);
}
