//! The filter that finds a headless account's group with the submitter in it: a template, filled with names that cannot
//! change its structure.

use kube2hadoop_stamp::HadoopUser;
use ldap3::asn1::Tag;
use ldap3::{dn_escape, ldap_escape, parse_filter};

/// Longer names are in no directory.
const LONGEST: usize = 256;

/// What a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    User,
    Submitter,
    Account,
}

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The submitter's own Hadoop user.
    pub user: &'a HadoopUser,
    /// Their Kubernetes user name, of any characters.
    pub submitter: &'a str,
    /// The Hadoop user asked for.
    pub account: &'a HadoopUser,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Within a distinguished name it is escaped as a part of one first.
    Name {
        name: Name,
        in_dn: bool,
    },
}

/// A filter (RFC 4515) with `{user}`, `{submitter}` and `{account}` in it, which matches nothing unless the account and
/// the one who asks for it match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFilter(Vec<Piece>);

/// Why a filter is refused when the configuration is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error(
        "filter «{0}» names something else than {{user}}, {{submitter}} and {{account}}: write a brace as \\7b or \\7d"
    )]
    Name(String),
    #[error("filter «{0}» is no LDAP filter (RFC 4515)")]
    Syntax(String),
    #[error(
        "filter «{0}» compares a name by other means than equality, so that other names match too"
    )]
    NotExact(String),
    #[error("filter «{filter}» can match whatever {name} is: join the comparison with it by &")]
    Unbound { filter: String, name: &'static str },
}

impl GroupFilter {
    /// The filter about these names; none where the submitter's name is compared, and has no business in a directory.
    pub fn about(&self, names: &Names<'_>) -> Option<String> {
        let unfit = self.names(Name::Submitter) && !is_plain(names.submitter);
        (!unfit).then(|| {
            self.filled(|name| match name {
                Name::User => names.user.as_str(),
                Name::Submitter => names.submitter,
                Name::Account => names.account.as_str(),
            })
        })
    }

    fn names(&self, wanted: Name) -> bool {
        let mut pieces = self.0.iter();
        pieces.any(|piece| matches!(piece, Piece::Name { name, .. } if *name == wanted))
    }

    fn filled<'a>(&self, value: impl Fn(Name) -> &'a str) -> String {
        let mut filter = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filter.push_str(text),
                Piece::Name { name, in_dn: true } => {
                    filter.push_str(&ldap_escape(dn_escape(value(*name))));
                }
                Piece::Name { name, in_dn: false } => filter.push_str(&ldap_escape(value(*name))),
            }
        }
        filter
    }
}

/// Directories compare without regard to the form of letters and to blanks: a name that only looks like another's
/// would be taken for it.
fn is_plain(name: &str) -> bool {
    let printable = name.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let blanks = name.trim() != name || name.contains("  ");
    printable && !blanks && !name.is_empty() && name.len() <= LONGEST
}

impl TryFrom<String> for GroupFilter {
    type Error = FilterError;

    fn try_from(template: String) -> Result<Self, FilterError> {
        let pieces = pieces(&template).ok_or_else(|| FilterError::Name(template.clone()))?;
        let filter = Self(pieces);
        // In a place where no value can stand, these do not parse.
        let marked = filter.filled(Name::mark);
        let tree = parse_filter(&marked).map_err(|()| FilterError::Syntax(template.clone()))?;
        if !is_exact(&tree) {
            return Err(FilterError::NotExact(template));
        }
        for (names, name) in [
            (&[Name::Account][..], "{account}"),
            (&[Name::User, Name::Submitter], "{user} or {submitter}"),
        ] {
            if Outcomes::without(&tree, names).matches {
                let filter = template;
                return Err(FilterError::Unbound { filter, name });
            }
        }
        Ok(filter)
    }
}

/// None where a brace is without its other half, or encloses no name.
fn pieces(template: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (word, remaining) = after.split_once('}')?;
        let before = template.strip_suffix(after)?;
        if text.contains('}') {
            return None;
        }
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(Piece::Name {
            name: Name::of(word)?,
            in_dn: ends_within_a_dn(before),
        });
        rest = remaining;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    (!rest.contains('}')).then_some(pieces)
}

/// `(member=uid=` does, `(memberUid=` does not.
fn ends_within_a_dn(before: &str) -> bool {
    let item = before.rsplit('(').next().unwrap_or_default();
    item.split_once('=')
        .is_some_and(|(_, value)| value.contains('='))
}

impl Name {
    fn of(word: &str) -> Option<Self> {
        match word {
            "user" => Some(Self::User),
            "submitter" => Some(Self::Submitter),
            "account" => Some(Self::Account),
            _ => None,
        }
    }

    /// Stands for the name while a template is checked: in a value only, and with all of its signs escaped.
    fn mark(self) -> &'static str {
        match self {
            Self::User => "(*user*)",
            Self::Submitter => "(*submitter*)",
            Self::Account => "(*account*)",
        }
    }

    const ALL: [Self; 3] = [Self::User, Self::Submitter, Self::Account];
}

// The choices of a Filter, RFC 4511 4.5.1.7.
const AND: u64 = 0;
const OR: u64 = 1;
const EQUALITY: u64 = 3;
const EXTENSIBLE: u64 = 9;

/// What is below an `and` or an `or`, or of a `not`; none where this is a comparison.
fn below(tree: &Tag) -> Option<&[Tag]> {
    match tree {
        Tag::Sequence(list) if matches!(list.id, AND | OR) => Some(&list.inner),
        Tag::ExplicitTag(not) => Some(std::slice::from_ref(&*not.inner)),
        _ => None,
    }
}

/// Does the comparison hold the mark of one of these names?
fn compares(comparison: &Tag, names: &[Name]) -> bool {
    match comparison {
        Tag::Sequence(list) => list.inner.iter().any(|part| compares(part, names)),
        Tag::OctetString(text) => names.iter().any(|name| {
            let mark = name.mark().as_bytes();
            text.inner.windows(mark.len()).any(|part| part == mark)
        }),
        _ => false,
    }
}

/// Names are compared as a whole: not by a part, an order or a likeness.
fn is_exact(tree: &Tag) -> bool {
    if let Some(below) = below(tree) {
        return below.iter().all(is_exact);
    }
    let whole = matches!(tree, Tag::Sequence(list) if matches!(list.id, EQUALITY | EXTENSIBLE));
    whole || !compares(tree, &Name::ALL)
}

/// How a filter may come out.
#[derive(Clone, Copy)]
struct Outcomes {
    matches: bool,
    fails: bool,
}

impl Outcomes {
    /// Where comparisons with these names fail, and all others come out either way.
    fn without(tree: &Tag, names: &[Name]) -> Self {
        let Some(below) = below(tree) else {
            return Self {
                matches: !compares(tree, names),
                fails: true,
            };
        };
        let each: Vec<Self> = below
            .iter()
            .map(|part| Self::without(part, names))
            .collect();
        let any = |outcome: fn(&Self) -> bool| each.iter().any(outcome);
        let all = |outcome: fn(&Self) -> bool| each.iter().all(outcome);
        match tree {
            Tag::Sequence(list) if list.id == AND => Self {
                matches: all(|part| part.matches),
                fails: any(|part| part.fails),
            },
            Tag::Sequence(_) => Self {
                matches: any(|part| part.matches),
                fails: all(|part| part.fails),
            },
            // Not.
            _ => Self {
                matches: any(|part| part.fails),
                fails: any(|part| part.matches),
            },
        }
    }
}

#[cfg(test)]
mod tests;
