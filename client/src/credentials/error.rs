//! What is wrong with a credentials file or token.

use thiserror::Error;

/// Why bytes could not be read as, or written to, Hadoop's formats. No message quotes the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    #[error("the input ends early: {wanted} more bytes were announced, {left} are left")]
    Truncated { wanted: usize, left: usize },
    #[error("{0} bytes follow the end of the data")]
    TrailingBytes(usize),
    #[error("a length or count is negative")]
    NegativeLength,
    #[error("{value} does not fit a 32-bit number")]
    NotAnInt { value: i64 },
    #[error("{len} bytes are more than the {limit} that are allowed")]
    TooLong { len: usize, limit: usize },
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("not a Hadoop credentials file: it does not begin with HDTS")]
    NotCredentials,
    #[error("credentials file version {0} cannot be read: write it as version 0")]
    UnknownVersion(u8),
    #[error(
        "token identifier version {0} cannot be read (YARN identifiers, for one, are protobuf)"
    )]
    UnknownIdentifier(u8),
    #[error("the token text is not URL-safe base64")]
    NotBase64,
}
