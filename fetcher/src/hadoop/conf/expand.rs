//! `${name}` in values.

/// How many variables are replaced in one value; Hadoop's own limit (MAX_SUBST).
const MAX_REPLACED: usize = 20;
/// Variables that name each other can double a value each time.
const MAX_BYTES: usize = 64 * 1024;

/// Replaces variables, innermost first; what `lookup` does not know stays as it is, as in Hadoop.
/// The environment is not looked at: ours is not the one the operator meant.
pub(super) fn expand<'a>(raw: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut text = raw.to_owned();
    let mut from = 0;
    for _ in 0..MAX_REPLACED {
        let Some((start, end)) = innermost(&text, from) else {
            break;
        };
        let name = text.get(start + 2..end - 1).unwrap_or_default();
        match lookup(name) {
            Some(value) => {
                text.replace_range(start..end, value);
                from = 0;
            }
            None => from = end,
        }
        if text.len() > MAX_BYTES {
            return raw.to_owned();
        }
    }
    text
}

/// The first variable at or after `from` that holds no other: the bytes from `$` to after `}`.
fn innermost(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut begin = from;
    loop {
        let close = begin + text.get(begin..)?.find('}')?;
        if let Some(start) = text.get(from..close)?.rfind("${") {
            let start = from + start;
            // A variable's name has no blank and no further $, else it is text.
            if text
                .get(start + 2..close)
                .is_some_and(|it| !it.is_empty() && !it.contains([' ', '$']))
            {
                return Some((start, close + 1));
            }
        }
        begin = close + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<&'static str> {
        match name {
            "a" => Some("1"),
            "which" => Some("a"),
            "nested" => Some("<${a}>"),
            "loop" => Some("x${loop}"),
            "double" => Some("${double}${double}"),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced() {
        for (raw, expected) in [
            ("plain", "plain"),
            ("${a}", "1"),
            ("x${a}y${a}z", "x1y1z"),
            ("${nested}", "<1>"),
            ("${${which}}", "1"),
            ("${unknown}-${a}", "${unknown}-1"),
            ("${env.HOME}", "${env.HOME}"),
            ("${a", "${a"),
            ("a}b${a}", "a}b1"),
            ("${}${a}", "${}1"),
            ("é${a}é", "é1é"),
        ] {
            assert_eq!(expand(raw, lookup), expected, "{raw}");
        }
    }

    #[test]
    fn circles_end() {
        assert!(expand("${loop}", lookup).len() < 100);
        assert!(expand("${double}", lookup).len() < MAX_BYTES);
    }
}
