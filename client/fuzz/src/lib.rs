//! What must hold for whatever Hadoop, or who stands in its place, sends as a token: a property as a plain function,
//! which panics where it does not hold.
//!
//! `cargo e2e fuzz` lets libFuzzer look for input that breaks it; `cargo test` tries what Hadoop itself has written.

// That is how libFuzzer is told.
#![allow(clippy::panic, clippy::expect_used)]

use kube2hadoop_client::credentials::{Credentials, Identifier, Token};

/// As a credentials file, a token's text form, and a token's identifier: what can be read is written, and read as the
/// same again.
pub fn credentials(data: &[u8]) {
    if let Ok(read) = Credentials::parse(data) {
        let written = read.to_bytes();
        assert_eq!(Credentials::parse(written.expose()).as_ref(), Ok(&read));
        for (_, token) in read.tokens() {
            let text = token.to_url_string();
            assert_eq!(Token::from_url_string(text.expose()).as_ref(), Ok(token));
            identifier(token.identifier().expose());
        }
    }
    if let Some(token) = str::from_utf8(data)
        .ok()
        .and_then(|text| Token::from_url_string(text).ok())
    {
        let text = token.to_url_string();
        assert_eq!(Token::from_url_string(text.expose()), Ok(token));
    }
    identifier(data);
}

fn identifier(bytes: &[u8]) {
    if let Ok(read) = Identifier::parse(bytes) {
        assert_eq!(Identifier::parse(&read.to_bytes()), Ok(read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hadoop_wrote_is_read_and_written() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/hadoop-3.4.1");
        let mut read = 0;
        for file in std::fs::read_dir(directory).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            credentials(&bytes);
            read += usize::from(Credentials::parse(&bytes).is_ok());
        }
        assert!(read > 0, "no seed is a credentials file");
    }
}
