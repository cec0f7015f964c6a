//! Delegation tokens and the file that Hadoop clients read them from.
//!
//! The formats are those of Hadoop's `Credentials`, `Token` and `AbstractDelegationTokenIdentifier`;
//! the tests hold them against bytes that Hadoop 3.4.1 wrote.

mod error;
mod identifier;
#[cfg(test)]
mod tests;
mod token;
mod writable;

use std::collections::BTreeMap;

use crate::secret::SecretBytes;
pub use error::CredentialsError;
pub use identifier::Identifier;
pub use token::Token;
use writable::{Reader, Writer, within_limit};

const MAGIC: &[u8] = b"HDTS";
/// Version 0 is `Writable`; version 1 is protobuf, which Hadoop 2 cannot read. All read 0.
const VERSION: u8 = 0;
/// Room for a length or a count.
const LENGTH: usize = 5;

/// The content of a credentials file: tokens by alias. Also keeps the secret keys of a file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    tokens: BTreeMap<String, Token>,
    secrets: BTreeMap<String, SecretBytes>,
}

impl Credentials {
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that stood under the alias is replaced: an old one beside a new one may be picked by a client.
    ///
    /// # Errors
    /// The alias is longer than Hadoop would read.
    pub fn add(&mut self, alias: impl Into<String>, token: Token) -> Result<(), CredentialsError> {
        let alias = alias.into();
        within_limit(alias.len())?;
        self.tokens.insert(alias, token);
        Ok(())
    }

    /// In the order of their aliases.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, &Token)> {
        self.tokens
            .iter()
            .map(|(alias, token)| (alias.as_str(), token))
    }

    pub fn get(&self, alias: &str) -> Option<&Token> {
        self.tokens.get(alias)
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The file, in version 0. The same tokens give the same bytes.
    pub fn to_bytes(&self) -> SecretBytes {
        let mut writer = Writer::with_capacity(self.written_size());
        writer.raw(MAGIC);
        writer.raw(&[VERSION]);
        writer.length(self.tokens.len());
        for (alias, token) in &self.tokens {
            writer.bytes(alias.as_bytes());
            token.write(&mut writer);
        }
        writer.length(self.secrets.len());
        for (alias, secret) in &self.secrets {
            writer.bytes(alias.as_bytes());
            writer.bytes(secret.expose());
        }
        writer.finish()
    }

    /// Reads a file of version 0.
    ///
    /// # Errors
    /// The bytes are no such file, end early, or go on after its end.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let body = bytes
            .strip_prefix(MAGIC)
            .ok_or(CredentialsError::NotCredentials)?;
        let mut reader = Reader::new(body);
        match reader.byte()? {
            VERSION => {}
            other => return Err(CredentialsError::UnknownVersion(other)),
        }
        let mut read = Self::new();
        for _ in 0..reader.count()? {
            let alias = reader.text()?.to_owned();
            read.tokens.insert(alias, Token::read(&mut reader)?);
        }
        for _ in 0..reader.count()? {
            let alias = reader.text()?.to_owned();
            read.secrets.insert(alias, reader.bytes()?.into());
        }
        reader.finish()?;
        Ok(read)
    }

    fn written_size(&self) -> usize {
        let tokens = self
            .tokens
            .iter()
            .map(|(alias, token)| alias.len() + LENGTH + token.written_size());
        let secrets = self
            .secrets
            .iter()
            .map(|(alias, secret)| alias.len() + secret.len() + 2 * LENGTH);
        MAGIC.len() + 1 + 2 * LENGTH + tokens.chain(secrets).sum::<usize>()
    }
}
