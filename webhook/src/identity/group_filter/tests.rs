use ldap3::asn1::Tag;
use proptest::prelude::*;

use super::*;

const POSIX: &str = "(&(objectClass=posixGroup)(cn={account})(memberUid={user}))";
const OF_NAMES: &str = "(&(cn={account})(member=uid={submitter},ou=people,dc=example,dc=com))";
const NESTED: &str = "(&(sAMAccountName={user})(memberOf:1.2.840.113556.1.4.1941:=CN={account},OU=Groups,DC=example))";
const EITHER: &str = "(&(cn={account})(|(memberUid={user})(mail={submitter})))";

fn read(template: &str) -> Result<GroupFilter, FilterError> {
    template.to_owned().try_into()
}

fn about(template: &str, submitter: &str) -> Option<String> {
    let (user, account) = ("alice".parse().unwrap(), "etl-hr".parse().unwrap());
    let names = Names {
        user: &user,
        submitter,
        account: &account,
    };
    read(template).unwrap().about(&names)
}

#[test]
fn the_three_usual_forms_of_groups() {
    for (template, wanted) in [
        (
            POSIX,
            "(&(objectClass=posixGroup)(cn=etl-hr)(memberUid=alice))",
        ),
        (
            OF_NAMES,
            "(&(cn=etl-hr)(member=uid=alice@x,ou=people,dc=example,dc=com))",
        ),
        (
            NESTED,
            "(&(sAMAccountName=alice)(memberOf:1.2.840.113556.1.4.1941:=CN=etl-hr,OU=Groups,DC=example))",
        ),
        (EITHER, "(&(cn=etl-hr)(|(memberUid=alice)(mail=alice@x)))"),
    ] {
        assert_eq!(about(template, "alice@x").as_deref(), Some(wanted));
    }
}

#[test]
fn names_are_escaped_for_where_they_stand() {
    let bare = "(&(cn={account})(mail={submitter}))";
    for (template, submitter, wanted) in [
        (bare, "*", r"(mail=\2a))"),
        (bare, "x)(uid=*", r"(mail=x\29\28uid=\2a))"),
        (bare, r"a\b,c+d", r"(mail=a\5cb,c+d))"),
        (
            OF_NAMES,
            "x,ou=admins",
            r"uid=x\5c2cou\5c3dadmins,ou=people,dc=example,dc=com))",
        ),
        (
            OF_NAMES,
            "a+cn=b",
            r"uid=a\5c2bcn\5c3db,ou=people,dc=example,dc=com))",
        ),
        (
            OF_NAMES,
            "#0401",
            r"uid=\5c230401,ou=people,dc=example,dc=com))",
        ),
    ] {
        let filter = about(template, submitter).unwrap();
        assert!(filter.ends_with(wanted), "{filter}");
    }
}

/// To a directory the first is the same as «alice», and the second as «al ice».
#[test]
fn names_that_only_look_like_others_are_not_asked_about() {
    for submitter in [
        "\u{ff41}lice",
        "al  ice",
        " alice",
        "alice ",
        "alice\0",
        "alice\n",
        "",
        &"x".repeat(257),
    ] {
        assert_eq!(about(OF_NAMES, submitter), None, "{submitter}");
        assert!(about(POSIX, submitter).is_some(), "it is not compared");
    }
    assert!(about(OF_NAMES, "Alice Smith").is_some());
}

#[test]
fn a_filter_that_grants_too_much_is_refused() {
    let (name, syntax) = ("names something else", "is no LDAP filter");
    let inexact = "by other means than equality";
    let (any_user, any_account) = ("whatever {user} or {submitter} is", "whatever {account} is");
    for (template, words) in [
        ("(&(cn={acount})(memberUid={user}))", name),
        ("(&(cn={account)(memberUid={user}))", name),
        ("(&(cn=account})(memberUid={user}))", name),
        ("(&(cn={account})(memberUid={user})", syntax),
        ("(&(cn={account})({user}=x))", syntax),
        ("(&(cn={account})(a:{user}:=x))", syntax),
        ("", syntax),
        ("(&(cn={account}*)(memberUid={user}))", inexact),
        ("(&(cn={account})(memberUid=*{user}))", inexact),
        ("(&(cn={account})(memberUid>={user}))", inexact),
        ("(&(cn={account})(memberUid~={user}))", inexact),
        ("(cn={account})", any_user),
        ("(memberUid={user})", any_account),
        ("(|(cn={account})(memberUid={user}))", any_account),
        ("(&(cn={account})(!(memberUid={user})))", any_user),
        ("(&(!(cn={account}))(memberUid={user}))", any_account),
        (
            "(&(cn={account})(|(memberUid={user})(gidNumber=0)))",
            any_user,
        ),
    ] {
        let refusal = read(template).unwrap_err().to_string();
        assert!(refusal.contains(words), "{template}: {refusal}");
    }
    // A negation that only takes away, and a double one.
    for template in [
        "(&(cn={account})(memberUid={user})(!(description=closed)))",
        "(&(cn={account})(!(!(memberUid={user}))))",
    ] {
        assert!(read(template).is_ok(), "{template}");
    }
}

/// The values of all comparisons, with the structure around them.
fn shape(tree: &Tag, values: &mut Vec<Vec<u8>>) -> String {
    match tree {
        Tag::OctetString(text) => {
            values.push(text.inner.clone());
            "value".to_owned()
        }
        Tag::Sequence(list) => {
            let parts: Vec<_> = list.inner.iter().map(|part| shape(part, values)).collect();
            format!("{}[{}]", list.id, parts.join(" "))
        }
        Tag::ExplicitTag(not) => format!("not[{}]", shape(&not.inner, values)),
        other => format!("{other:?}"),
    }
}

proptest! {
    /// Whatever the name, the same things are compared, and the name arrives as it is.
    #[test]
    fn no_name_changes_the_structure(submitter in "[ -~]{1,40}|.{1,40}") {
        for (template, in_dn) in [(EITHER, false), (OF_NAMES, true)] {
            let Some(filter) = about(template, &submitter) else { continue };
            let (mut got, mut wanted) = (Vec::new(), Vec::new());
            let shape_got = shape(&parse_filter(&filter).unwrap(), &mut got);
            let shape_wanted = shape(&parse_filter(about(template, "x").unwrap()).unwrap(), &mut wanted);
            prop_assert_eq!(shape_got, shape_wanted);
            let name = if in_dn {
                format!("uid={},ou=people,dc=example,dc=com", dn_escape(submitter.as_str()))
            } else {
                submitter.clone()
            };
            prop_assert_eq!(got.last().map(Vec::as_slice), Some(name.as_bytes()));
            got.pop();
            wanted.pop();
            prop_assert_eq!(got, wanted);
        }
    }

    /// Within a distinguished name it stays one attribute's value: each sign that could end it is escaped.
    #[test]
    fn no_name_leaves_its_place_in_a_distinguished_name(submitter in "[ -~]{1,40}") {
        let escaped = dn_escape(submitter.as_str()).into_owned();
        let mut signs = escaped.chars();
        while let Some(sign) = signs.next() {
            prop_assert!(!",+\"<>;=\0".contains(sign), "{}", escaped);
            if sign == '\\' {
                prop_assert!(signs.by_ref().take(2).all(|digit| digit.is_ascii_hexdigit()));
            }
        }
    }
}
