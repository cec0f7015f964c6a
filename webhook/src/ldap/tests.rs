//! How servers are asked, and what comes of servers that answer otherwise than they should.

use prometheus_client::registry::Registry;
use tempfile::TempDir;

use super::*;
use crate::identity::{Bind, Server};

mod fake;

use fake::{Fake, Script};

const PASSWORD: &str = "hunter2";
const FILTER: &str = "(&(cn=etl)(memberUid=alice))";
/// Nothing listens there.
const DEAD: u16 = 1;

fn script() -> Script {
    Script {
        password: PASSWORD,
        entries: 1,
        ..Script::default()
    }
}

/// Servers, and the files that an administrator mounts.
struct Place {
    files: TempDir,
    directory: Arc<Directory>,
    servers: LdapServers,
    registry: Registry,
}

impl Place {
    fn new(fake: &Fake, ports: &[u16]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let (ca_file, password_file) = (files.path().join("ca.crt"), files.path().join("password"));
        std::fs::write(&ca_file, &fake.ca).unwrap();
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let start_tls = fake.script.lock().unwrap().start_tls;
        let server = |port: &u16| Server {
            host: "localhost".into(),
            port: *port,
            start_tls,
        };
        let directory = Directory {
            servers: ports.iter().map(server).collect(),
            ca_file,
            bind: Some(Bind {
                dn: "cn=reader".into(),
                password_file,
            }),
            base: "dc=x".into(),
        };
        let mut registry = Registry::default();
        Self {
            files,
            directory: Arc::new(directory),
            servers: LdapServers::new(Metrics::new(&mut registry)),
            registry,
        }
    }

    async fn ask(&self) -> Option<bool> {
        self.servers
            .has(Arc::clone(&self.directory), FILTER.to_owned())
            .await
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.files.path().join(file), text).unwrap();
    }

    /// Why a new connection to the first server gives no answer.
    async fn problem(&self) -> String {
        let asked = self.servers.0.ask_anew(&self.directory, 0, FILTER).await;
        let problem = asked.unwrap_err();
        let said = format!("{problem} {problem:?}");
        assert!(
            !said.contains(PASSWORD) && !said.contains("alice"),
            "{said}"
        );
        problem.to_string()
    }

    fn counted(&self, line: &str) -> bool {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text.lines().any(|counted| counted == line)
    }
}

#[tokio::test]
async fn an_entry_is_a_yes_and_none_is_a_no() {
    for start_tls in [false, true] {
        let fake = Fake::start(Script {
            start_tls,
            ..script()
        })
        .await;
        let place = Place::new(&fake, &[fake.port]);
        for (entries, references, search, answer) in [
            (1, 0, 0, Some(true)),
            (0, 0, 0, Some(false)),
            // There are more than the one that was asked for.
            (1, 0, 4, Some(true)),
            (0, 3, 0, Some(false)),
            (1, 3, 0, Some(true)),
        ] {
            *fake.script.lock().unwrap() = Script {
                start_tls,
                entries,
                references,
                search,
                ..script()
            };
            assert_eq!(place.ask().await, answer, "{entries} {references} {search}");
        }
        assert_eq!(fake.connections(), 1, "one connection does");
        assert!(place.counted("ldap_questions_total{outcome=\"granted\"} 3"));
        assert!(place.counted("ldap_questions_total{outcome=\"refused\"} 2"));
    }
}

#[tokio::test]
async fn a_connection_that_ended_is_made_anew_with_the_password_as_it_is_now() {
    let fake = Fake::start(Script {
        closes_after_a_search: true,
        ..script()
    })
    .await;
    let place = Place::new(&fake, &[fake.port]);
    assert_eq!(place.ask().await, Some(true));
    assert_eq!(place.ask().await, Some(true));
    assert_eq!(fake.connections(), 2);
    fake.script.lock().unwrap().password = "changed";
    assert_eq!(place.ask().await, None);
    place.write("password", "changed");
    assert_eq!(place.ask().await, Some(true));
}

#[tokio::test]
async fn the_server_that_answers_is_asked_first_from_then_on() {
    let fake = Fake::start(Script {
        closes_after_a_search: true,
        ..script()
    })
    .await;
    let place = Place::new(&fake, &[DEAD, fake.port]);
    for _ in 0..3 {
        assert_eq!(place.ask().await, Some(true));
    }
    assert!(place.counted("ldap_server_failures_total{server=\"localhost:1\"} 1"));
    // Where all fail, each was tried.
    fake.script.lock().unwrap().search = 51;
    assert_eq!(place.ask().await, None);
    assert!(place.counted("ldap_server_failures_total{server=\"localhost:1\"} 2"));
    assert!(place.counted("ldap_questions_total{outcome=\"failed\"} 1"));
}

#[tokio::test]
async fn what_is_no_answer_is_no_grant_and_has_a_reason() {
    let fake = Fake::start(script()).await;
    let place = Place::new(&fake, &[fake.port]);
    for (search, references, reason) in [
        (32, 0, "32 there is no entry of the name in runAs.ldap.base"),
        (50, 0, "50 the rights do not suffice"),
        (51, 0, "the search was refused: 51 as told"),
        (10, 0, "refers to others"),
        (0, 65, "refers to others"),
    ] {
        *fake.script.lock().unwrap() = Script {
            search,
            references,
            ..script()
        };
        assert!(
            place.problem().await.contains(reason),
            "{search} {references}"
        );
    }
    *fake.script.lock().unwrap() = script();
    for (file, text, reason) in [
        ("password", "wrong", "49 bind DN or password is wrong"),
        ("password", "\n", "is empty, and a bind without password"),
        ("ca.crt", "no PEM", "holds no certificate"),
    ] {
        place.write(file, text);
        assert!(place.problem().await.contains(reason), "{file} {text}");
    }
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    place.write("ca.crt", &other.cert.pem());
    let problem = place.problem().await;
    assert!(
        problem.starts_with("no TLS with this server: invalid peer certificate"),
        "{problem}"
    );
    std::fs::remove_file(place.files.path().join("ca.crt")).unwrap();
    assert!(
        place
            .problem()
            .await
            .contains("failed to read the CA certificates")
    );
}

/// The name in the URL must be in the certificate, whoever's it is.
#[tokio::test]
async fn a_server_of_another_name_is_not_asked() {
    let fake = Fake::start(script()).await;
    let mut place = Place::new(&fake, &[fake.port]);
    Arc::get_mut(&mut place.directory).unwrap().servers[0].host = "127.0.0.1".into();
    let problem = place.problem().await;
    assert!(problem.contains("not valid for name"), "{problem}");
    assert_eq!(place.ask().await, None);
}

#[tokio::test(start_paused = true)]
async fn servers_that_never_answer_are_given_up_in_time() {
    let fake = Fake::start(Script {
        never_answers: true,
        ..script()
    })
    .await;
    let place = Place::new(&fake, &[fake.port; 3]);
    let started = Instant::now();
    let asked = (0..20).map(|_| place.ask());
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Option::is_none));
    assert!(started.elapsed() <= PATIENCE + Duration::from_millis(100));
    assert!(fake.connections() <= 3 * AT_ONCE, "{}", fake.connections());
}
