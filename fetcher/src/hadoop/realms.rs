//! Which realm a host is of, as libkrb5 finds it without asking anybody: `[domain_realm]` of the site's krb5.conf, and
//! else the host's domain in capitals (krb5.conf(5), `hostrealm_profile.c` and `hostrealm_domain.c` of MIT krb5).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::client_krb5::{key_of, section_of};

/// The realms that a site names, and our own for hosts that tell nothing of theirs.
#[derive(Debug, Clone)]
pub struct Realms {
    /// Host (`nn.corp.org`) or domain (`.corp.org`) → realm.
    named: BTreeMap<String, String>,
    own: String,
}

impl Realms {
    /// Reads the text of a krb5.conf; an empty one names none.
    #[must_use]
    pub fn of_site(site: &str, own: &str) -> Self {
        let mut named = BTreeMap::new();
        let mut inside = false;
        for line in site.lines().map(str::trim) {
            if let Some(section) = section_of(line) {
                inside = section == "domain_realm";
            } else if inside && let Some((name, realm)) = relation(line) {
                // The first of several counts.
                named.entry(name).or_insert(realm);
            }
        }
        let own = own.to_owned();
        Self { named, own }
    }

    /// The realm of a host. A guess where the site names none: there the KDC itself has the last word.
    pub(super) fn of(&self, host: &str) -> String {
        let host = host.to_ascii_lowercase();
        let mut rest = host.as_str();
        loop {
            if let Some(realm) = self.named.get(rest) {
                return realm.clone();
            }
            // nn.corp.org, .corp.org, corp.org, .org, org.
            rest = match (rest.strip_prefix('.'), rest.find('.')) {
                (Some(domain), _) => domain,
                (None, Some(dot)) => &rest[dot..],
                (None, None) => break,
            };
        }
        match host.split_once('.') {
            Some((_, domain)) if host.parse::<IpAddr>().is_err() => domain.to_ascii_uppercase(),
            _ => self.own.clone(),
        }
    }
}

fn relation(line: &str) -> Option<(String, String)> {
    let (_, realm) = line
        .split_once('=')
        .filter(|_| !line.starts_with(['#', ';']))?;
    let realm = realm.trim().trim_matches('"').to_owned();
    Some((key_of(line).to_ascii_lowercase(), realm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearest_decides() {
        let site = "[realms]\n OTHER.ORG = {\n  kdc = kdc.other.org\n }\n[domain_realm]\n # x = NO\n\
                    nn1.corp.org = ONE.CORP.ORG\n .corp.org = CORP.ORG\n .corp.org = LATER.ORG\n\
                    bare.org = \"BARE.ORG\"\n[capaths]\n y.net = NO\n";
        let realms = Realms::of_site(site, "OUR.ORG");
        for (host, realm) in [
            ("nn1.corp.org", "ONE.CORP.ORG"),
            ("NN2.Corp.org", "CORP.ORG"),
            ("a.b.corp.org", "CORP.ORG"),
            ("kms.bare.org", "BARE.ORG"),
            ("corp.org", "ORG"),
            ("rm.y.net", "Y.NET"),
            ("localhost", "OUR.ORG"),
            ("10.0.0.1", "OUR.ORG"),
            ("::1", "OUR.ORG"),
            ("", "OUR.ORG"),
            ("..", "."),
        ] {
            assert_eq!(realms.of(host), realm, "{host:?}");
        }
    }
}
