//! The krb5.conf that pods get: without a default realm Hadoop's Java client does not even start, token or not
//! (`HadoopKerberosName.setConfiguration`: «Can't get Kerberos realm»).
//!
//! A list of what may pass, as for Hadoop's own files; the format is that of krb5.conf(5).

use std::fmt::Write;

/// Name of the file among the pods' configuration.
pub(super) const FILE: &str = "krb5.conf";

/// Relations of `[libdefaults]` that speak of the site and not of one machine's files.
const DEFAULTS: [&str; 15] = [
    "allow_weak_crypto",
    "clockskew",
    "default_realm",
    "default_tgs_enctypes",
    "default_tkt_enctypes",
    "dns_canonicalize_hostname",
    "dns_lookup_kdc",
    "dns_lookup_realm",
    "forwardable",
    "permitted_enctypes",
    "rdns",
    "renew_lifetime",
    "ticket_lifetime",
    "udp_preference_limit",
    "noaddresses",
];

/// Relations of a realm.
const REALM: [&str; 6] = [
    "admin_server",
    "default_domain",
    "kdc",
    "kpasswd_server",
    "master_kdc",
    "primary_kdc",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Defaults,
    Realms,
    DomainRealm,
    Capaths,
    Other,
}

impl Section {
    fn of(header: &str) -> Self {
        match header {
            "libdefaults" => Self::Defaults,
            "realms" => Self::Realms,
            "domain_realm" => Self::DomainRealm,
            "capaths" => Self::Capaths,
            _ => Self::Other,
        }
    }

    fn passes(self, key: &str) -> bool {
        match self {
            Self::Defaults => DEFAULTS.contains(&key),
            Self::Realms => REALM.contains(&key),
            Self::DomainRealm | Self::Capaths => true,
            Self::Other => false,
        }
    }
}

/// What of the site's krb5.conf concerns clients, with `realm` as the default realm where the site names none.
#[must_use]
pub(super) fn for_pods(site: &str, realm: &str) -> Vec<u8> {
    let (mut defaults, mut rest) = (String::new(), String::new());
    let mut section = Section::Other;
    for line in site.lines().map(str::trim) {
        if let Some(header) = section_of(line) {
            section = Section::of(header);
            if !matches!(section, Section::Other | Section::Defaults) {
                let _ = writeln!(rest, "[{header}]");
            }
        } else if section == Section::Defaults && line.ends_with('{') {
            // Defaults of one realm: until its end they are no site's.
            section = Section::Other;
        } else if let Some(kept) = kept(section, line) {
            let text = if section == Section::Defaults {
                &mut defaults
            } else {
                &mut rest
            };
            let _ = writeln!(text, "  {kept}");
        }
    }
    if !defaults
        .lines()
        .any(|line| key_of(line.trim_start()) == "default_realm")
    {
        let _ = writeln!(defaults, "  default_realm = {realm}");
    }
    format!("[libdefaults]\n{defaults}{rest}").into_bytes()
}

/// The line, if it may pass: a relation of the list, or the begin or end of a realm's block.
fn kept(section: Section, line: &str) -> Option<&str> {
    let blocks = matches!(section, Section::Realms | Section::Capaths);
    if blocks && (line.starts_with('}') || line.ends_with('{')) {
        return Some(line);
    }
    let relation = line.contains('=') && !line.starts_with(['#', ';']) && !line.ends_with('{');
    (relation && section.passes(key_of(line))).then_some(line)
}

/// The section that begins with this line.
pub(super) fn section_of(line: &str) -> Option<&str> {
    let header = line.strip_prefix('[')?;
    header.split(']').next().map(str::trim)
}

/// A final `*` only says that later files do not add to it.
pub(super) fn key_of(line: &str) -> &str {
    let key = line.split('=').next().unwrap_or_default();
    key.trim_end().trim_end_matches('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(site: &str) -> String {
        String::from_utf8(for_pods(site, "EXAMPLE.COM")).unwrap()
    }

    #[test]
    fn a_realm_is_named_whatever_the_site_says() {
        assert_eq!(text(""), "[libdefaults]\n  default_realm = EXAMPLE.COM\n");
        assert!(!text("[libdefaults]\ndefault_realm = CORP.ORG\n").contains("EXAMPLE.COM"));
    }

    #[test]
    fn files_and_modules_of_the_fetchers_machine_stay_there() {
        let site = "include /etc/krb5.conf.d/x\nincludedir /etc/krb5.conf.d/\n\
                    [logging]\n default = FILE:/var/log/krb5.log\n\
                    [libdefaults]\n default_realm = CORP.ORG\n default_keytab_name = /etc/keytab/x\n # dns_lookup_kdc = true\n\
                    [plugins]\n clpreauth = {\n  module = x:/y.so\n }\n";
        assert_eq!(text(site), "[libdefaults]\n  default_realm = CORP.ORG\n");
    }

    #[test]
    fn realms_come_with_their_addresses_only() {
        let site = "[realms]\n CORP.ORG = {\n  kdc = kdc1:88\n  kdc = kdc2\n  pkinit_anchors = FILE:/x\n }\n[domain_realm]\n .corp.org = CORP.ORG\n";
        assert_eq!(
            text(site),
            "[libdefaults]\n  default_realm = EXAMPLE.COM\n\
             [realms]\n  CORP.ORG = {\n  kdc = kdc1:88\n  kdc = kdc2\n  }\n[domain_realm]\n  .corp.org = CORP.ORG\n"
        );
    }
}
