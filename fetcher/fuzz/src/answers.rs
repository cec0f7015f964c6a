//! Whatever answers where a NameNode, KMS or ResourceManager should: a token is of whom it was asked for and ends, and
//! an error is one short line.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kube2hadoop_client::credentials::Token;
use kube2hadoop_fetcher::chain;
use kube2hadoop_fetcher::hadoop::{HadoopError, HadoopServices, Settings, TokenService};
use kube2hadoop_stamp::{DenyList, HadoopUser};
use tokio::runtime::{Builder, Runtime};

use crate::stranger::{Stranger, Trusting, Words, message};

const SERVICES: [&str; 3] = ["ns1", "kms", "yarn"];
const STATUSES: [u16; 10] = [200, 201, 307, 400, 401, 403, 404, 500, 502, 503];
/// As long as messages of ours become.
const MAX_TEXT: usize = 1000;

static WORLD: LazyLock<World> = LazyLock::new(World::new);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Issue,
    Renew,
    Cancel,
    IsKnown,
    /// Asks the NameNode where the KMS is.
    FindKms,
}

const DEEDS: [Deed; 5] = [
    Deed::Issue,
    Deed::Renew,
    Deed::Cancel,
    Deed::IsKnown,
    Deed::FindKms,
];

/// One service, one operation, and what is answered.
struct Case {
    service: &'static str,
    deed: Deed,
    words: Words,
}

/// The input is three digits for service, operation and status, then a line for the reason phrase, then the body.
pub fn holds(data: &[u8]) {
    if let Some(case) = read(data) {
        let _ = WORLD.runtime.block_on(WORLD.act(case));
    }
}

fn read(data: &[u8]) -> Option<Case> {
    let ([service, deed, status], rest) = data.split_first_chunk()?;
    let service = SERVICES.get(digit(*service)?)?;
    let deed = *DEEDS.get(digit(*deed)?)?;
    let status = STATUSES.get(digit(*status)?)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (reason, body) = rest.split_at(end);
    let body = body.get(1..)?;
    let of_its_kms = deed == Deed::FindKms;
    if of_its_kms && names_a_kms(body) {
        return None;
    }
    let reason = String::from_utf8_lossy(reason).replace(|c: char| c.is_ascii_control(), " ");
    let message = message(&format!("{status} {reason}"), "", body);
    let words = Words {
        message,
        of_its_kms,
    };
    Some(Case {
        service,
        deed,
        words,
    })
}

/// It would be believed, and asked, wherever it is; JSON can write the letters otherwise.
fn names_a_kms(body: &[u8]) -> bool {
    let kms = |it: &[u8]| it.eq_ignore_ascii_case(b"kms");
    body.contains(&b'\\') || body.windows(3).any(kms)
}

fn digit(byte: u8) -> Option<usize> {
    char::from(byte).to_digit(10)?.try_into().ok()
}

struct World {
    runtime: Runtime,
    stranger: Stranger,
    services: HadoopServices,
    alice: HadoopUser,
    /// A token of the KMS, which is found by its service text.
    held: Token,
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let stranger = runtime.block_on(Stranger::start());
        let directory = tempfile::tempdir().unwrap();
        write_conf(directory.path(), &stranger.address.to_string());
        let settings = Settings {
            conf_dir: directory.path().into(),
            principal: "k2h@EXAMPLE.COM".into(),
            renewer: "k2h".into(),
            ca_file: None,
            require_https: false,
            krb5_conf: String::new(),
            kms: true,
            timeout: Duration::from_secs(3),
            deny: tokio::sync::watch::channel(DenyList::default()).1,
        };
        let services = HadoopServices::with_negotiate(&settings, Arc::new(Trusting)).unwrap();
        let kms = stranger.kms();
        Self {
            runtime,
            stranger,
            services,
            alice: "alice".parse().unwrap(),
            held: Token::new(vec![1].into(), vec![2].into(), "kms-dt", kms).unwrap(),
        }
    }

    async fn act(&self, case: Case) -> Result<(), HadoopError> {
        self.stranger.says(case.words);
        let service = self.services.get(case.service).unwrap();
        let done = match case.deed {
            Deed::Issue => self.issue(&**service).await,
            Deed::FindKms => self.issue(&**self.services.get("kms").unwrap()).await,
            Deed::Renew => service.renew(&self.held).await.map(drop),
            Deed::Cancel => service.cancel(&self.held).await,
            Deed::IsKnown => service.is_known(&self.held).await.map(drop),
        };
        if let Err(error) = &done {
            let text = chain::text(error);
            assert!(text.chars().count() < MAX_TEXT, "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        done
    }

    async fn issue(&self, service: &dyn TokenService) -> Result<(), HadoopError> {
        let issued = service.issue(&self.alice).await?;
        assert!(issued.expires_at <= issued.max_date, "{issued:?}");
        for (alias, token) in &issued.tokens {
            assert_eq!(alias, token.service());
            // A ResourceManager's are of another form.
            let owner = token.parse_identifier().map(|it| it.owner);
            assert!(service.name() == "yarn" || owner.as_deref() == Ok("alice"));
        }
        Ok(())
    }
}

fn write_conf(directory: &Path, address: &str) {
    let core = [
        ("hadoop.security.authentication", "kerberos"),
        ("dfs.nameservices", "ns1"),
        ("dfs.namenode.rpc-address.ns1", "127.0.0.1:8020"),
        ("dfs.namenode.http-address.ns1", address),
    ];
    let yarn = [
        ("yarn.resourcemanager.address", "127.0.0.1:8032"),
        ("yarn.resourcemanager.webapp.address", address),
    ];
    for (file, properties) in [("core-site.xml", &core[..]), ("yarn-site.xml", &yarn)] {
        let property = |(name, value): &(&str, &str)| {
            format!("<property><name>{name}</name><value>{value}</value></property>")
        };
        let properties: String = properties.iter().map(property).collect();
        let text = format!("<configuration>{properties}</configuration>");
        fs::write(directory.join(file), text).unwrap();
    }
}

/// What comes of it, by the name that errors have on the wire.
#[cfg(test)]
pub(crate) fn comes_to(data: &[u8]) -> Option<&'static str> {
    let done = WORLD.runtime.block_on(WORLD.act(read(data)?));
    Some(done.map_or_else(|error| error.reason(), |()| "done"))
}
