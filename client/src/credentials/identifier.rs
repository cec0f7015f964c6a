//! The identifier of HDFS's, HttpFS's and KMS's delegation tokens (AbstractDelegationTokenIdentifier).

use super::CredentialsError;
use super::writable::{Reader, Writer};

/// The only version that `AbstractDelegationTokenIdentifier` has had.
const VERSION: u8 = 0;

/// What a delegation token of a NameNode, KMS or router says about itself. Nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// Whom the token acts for. A short name over WebHDFS, a full principal over RPC.
    pub owner: String,
    /// The short name of who may renew it.
    pub renewer: String,
    /// Who asked for it as proxy user; empty from a NameNode over WebHDFS.
    pub real_user: String,
    /// Milliseconds since 1970.
    pub issue_date: i64,
    /// Milliseconds since 1970; no renewal goes beyond.
    pub max_date: i64,
    pub sequence_number: i32,
    pub master_key_id: i32,
}

impl Identifier {
    /// Bytes that follow the known fields are ignored, as Hadoop does.
    ///
    /// # Errors
    /// The bytes end early, or are another kind of identifier.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            VERSION => {}
            other => return Err(CredentialsError::UnknownIdentifier(other)),
        }
        Ok(Self {
            owner: reader.text()?.to_owned(),
            renewer: reader.text()?.to_owned(),
            real_user: reader.text()?.to_owned(),
            issue_date: reader.vlong()?,
            max_date: reader.vlong()?,
            sequence_number: reader.vint()?,
            master_key_id: reader.vint()?,
        })
    }

    /// The bytes as Hadoop writes them; what a stand-in for a NameNode needs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64);
        writer.raw(&[VERSION]);
        writer.bytes(self.owner.as_bytes());
        writer.bytes(self.renewer.as_bytes());
        writer.bytes(self.real_user.as_bytes());
        writer.vlong(self.issue_date);
        writer.vlong(self.max_date);
        writer.vlong(self.sequence_number.into());
        writer.vlong(self.master_key_id.into());
        writer.finish().expose().to_vec()
    }
}
