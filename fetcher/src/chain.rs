//! An error with its sources, on one line.

use std::error::Error;
use std::fmt::Write;

/// `error: source: source of the source`.
#[must_use]
pub fn text(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        // Many errors print their source themselves.
        if !line.contains(&part) {
            let _ = write!(line, ": {part}");
        }
        next = source.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read it")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn sources_follow_the_error() {
        let error = Outer(std::io::Error::other("no such file"));
        assert_eq!(text(&error), "failed to read it: no such file");
    }
}
