//! Whatever stands in core-site.xml and its likes: what pods are given of it is read again, and has nothing in it that
//! was not meant for them.

use std::fs;
use std::path::Path;

use kube2hadoop_fetcher::chain;
use kube2hadoop_fetcher::hadoop::KeyProvider;
use kube2hadoop_fetcher::hadoop::client_conf::ClientConf;
use kube2hadoop_fetcher::hadoop::conf::{Cluster, Conf};
use tempfile::tempdir;

const FILES: [&str; 3] = ["core-site.xml", "hdfs-site.xml", "yarn-site.xml"];
/// Between the files; XML cannot hold it.
const END: char = '\0';
/// A property of the first file, which must stay there whatever else is written.
const SECRET: &str = "s3cr3t-s3cr3t";

/// The input is the properties of up to three files, and taken as a KMS address, too.
pub fn holds(data: &[u8]) {
    let text = str::from_utf8(data).ok();
    let Some(text) = text.filter(|it| !it.contains(SECRET)) else {
        return;
    };
    if let Ok(provider) = text.parse::<KeyProvider>() {
        let spellings = provider.spellings();
        assert_eq!(spellings.first().map(String::as_str), Some(text));
        assert!(spellings.iter().all(|it| it.parse::<KeyProvider>().is_ok()));
    }
    let [given, written] = [tempdir().unwrap(), tempdir().unwrap()];
    write(given.path(), text);
    let conf = match Conf::read_dir(given.path()) {
        Ok(conf) => conf,
        Err(error) => return one_line(&chain::text(&error)),
    };
    if let Err(error) = Cluster::from_conf(&conf) {
        one_line(&chain::text(&error));
    }
    let files = ClientConf::new(&conf).files();
    for (name, content) in &files {
        let content = str::from_utf8(content).expect("what is written is text");
        assert!(!content.contains(SECRET), "{name}: {content}");
        fs::write(written.path().join(name), content).unwrap();
    }
    if files.contains_key("core-site.xml") {
        Conf::read_dir(written.path()).expect("what is written is read");
    }
}

fn write(directory: &Path, text: &str) {
    let secret =
        format!("<property><name>fs.s3a.secret.key</name><value>{SECRET}</value></property>");
    let mut parts = text.split(END);
    for (index, file) in FILES.into_iter().enumerate() {
        let secret = if index == 0 { &secret } else { "" };
        let properties = parts.next().unwrap_or_default();
        let text = format!("<configuration>{secret}{properties}</configuration>");
        fs::write(directory.join(file), text).unwrap();
    }
}

fn one_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// Whether a cluster is found in it.
#[cfg(test)]
pub(crate) fn is_understood(data: &[u8]) -> bool {
    let directory = tempdir().unwrap();
    write(directory.path(), str::from_utf8(data).unwrap());
    let conf = Conf::read_dir(directory.path());
    conf.is_ok_and(|conf| Cluster::from_conf(&conf).is_ok())
}
