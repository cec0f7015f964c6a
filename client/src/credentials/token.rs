//! One token: identifier, password, kind and service (org.apache.hadoop.security.token.Token).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::writable::{Reader, Writer, within_limit};
use super::{CredentialsError, Identifier};
use crate::secret::{SecretBytes, SecretString};

/// As Hadoop's `Token.encodeToUrlString`: never padded; padding is accepted when reading, as there.
const URL_STRING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Room for the four lengths of a token.
const LENGTHS: usize = 4 * 5;

/// One delegation token. Whoever has these bytes is the token's owner, and can cancel it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    identifier: SecretBytes,
    password: SecretBytes,
    kind: String,
    service: String,
}

impl Token {
    /// # Errors
    /// A field is longer than Hadoop would read.
    pub fn new(
        identifier: SecretBytes,
        password: SecretBytes,
        kind: impl Into<String>,
        service: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (kind, service) = (kind.into(), service.into());
        let lengths = [identifier.len(), password.len(), kind.len(), service.len()];
        lengths.into_iter().try_for_each(within_limit)?;
        Ok(Self {
            identifier,
            password,
            kind,
            service,
        })
    }

    /// What the service that issued the token sends: `urlString`.
    ///
    /// # Errors
    /// The text is not base64, or not a token.
    pub fn from_url_string(text: &str) -> Result<Self, CredentialsError> {
        let bytes = URL_STRING
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| CredentialsError::NotBase64)?;
        let mut reader = Reader::new(&bytes);
        let token = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(token)
    }

    /// As `Token.encodeToUrlString` of Hadoop writes it: URL-safe base64 without padding.
    pub fn to_url_string(&self) -> SecretString {
        let mut writer = Writer::with_capacity(self.written_size());
        self.write(&mut writer);
        SecretString::from(URL_STRING.encode(writer.finish().expose()))
    }

    /// The same token under another kind and service: clients look it up by these two, while
    /// identifier and password are all that the issuer looks at.
    ///
    /// # Errors
    /// A text is longer than Hadoop would read.
    pub fn relabelled(
        &self,
        kind: impl Into<String>,
        service: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        Self::new(
            self.identifier.clone(),
            self.password.clone(),
            kind,
            service,
        )
    }

    /// The raw identifier. Enough to cancel a token at a NameNode, so it is kept as a secret.
    pub fn identifier(&self) -> &SecretBytes {
        &self.identifier
    }

    /// For example `HDFS_DELEGATION_TOKEN` or `kms-dt`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// For example `ha-hdfs:ns1` or `10.0.0.1:8020`; may be empty.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// # Errors
    /// The identifier is not in the form that NameNode, KMS and router use.
    pub fn parse_identifier(&self) -> Result<Identifier, CredentialsError> {
        Identifier::parse(self.identifier.expose())
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CredentialsError> {
        Ok(Self {
            identifier: reader.bytes()?.into(),
            password: reader.bytes()?.into(),
            kind: reader.text()?.to_owned(),
            service: reader.text()?.to_owned(),
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.bytes(self.identifier.expose());
        writer.bytes(self.password.expose());
        writer.bytes(self.kind.as_bytes());
        writer.bytes(self.service.as_bytes());
    }

    pub(super) fn written_size(&self) -> usize {
        self.identifier.len() + self.password.len() + self.kind.len() + self.service.len() + LENGTHS
    }
}
