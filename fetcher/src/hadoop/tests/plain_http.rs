//! Where only https is wanted, nothing of ours goes over a wire that others see.

use kube2hadoop_client::credentials::Token;

use super::*;
use crate::hadoop::SetupError;

fn over_https(text: &str) -> Result<HadoopServices, SetupError> {
    let dir = written(&[("core-site.xml", text)]);
    let settings = Settings {
        require_https: true,
        ..settings(&dir)
    };
    HadoopServices::with_negotiate(&settings, Arc::new(FakeKerberos::default()))
}

#[test]
fn a_server_that_is_reached_by_http_is_refused_with_what_names_it() {
    let text = property("fs.defaultFS", "hdfs://nn.test:8020");
    let error = over_https(&text).err().unwrap().to_string();
    assert!(
        error.contains("http://nn.test:9870") && error.contains("dfs.namenode.http-address"),
        "{error}"
    );
    let services = over_https(&(text + &property("dfs.http.policy", "HTTPS_ONLY"))).unwrap();
    assert!(services.servers().all(|server| !server.is_plain()));
}

/// Its address comes from a NameNode, or with a token.
#[tokio::test]
async fn a_kms_that_is_reached_by_http_hears_nothing() {
    let (kms, address) = Fake::default().start().await;
    let text = property("fs.defaultFS", "hdfs://nn.test:8020")
        + &property("dfs.http.policy", "HTTPS_ONLY");
    let services = over_https(&text).unwrap();
    let member = format!("kms://http@{address}/kms");
    let token = Token::new(vec![1].into(), vec![2].into(), "kms-dt", &member).unwrap();
    let renewed = services.get("kms").unwrap().renew(&token).await;
    let error = renewed.unwrap_err().to_string();
    assert!(error.contains("hadoop.requireHttps is true"), "{error}");
    assert_eq!((kms.asked(""), *kms.logins.lock().unwrap()), (0, 0));
}
