//! Identifiers of a ResourceManager's tokens: protobuf, unlike all others.
//!
//! Message `YARNDelegationTokenIdentifierProto` of yarn_security_token.proto: fields 1 to 3 are texts, 4 to 7 numbers.

use kube2hadoop_client::credentials::Identifier;
use thiserror::Error;

/// No such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its identifier is none of a ResourceManager's")]
pub(super) struct InvalidIdentifier;

/// Reads one; fields that it does not know are passed over.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Identifier, InvalidIdentifier> {
    let mut identifier = Identifier {
        owner: String::new(),
        renewer: String::new(),
        real_user: String::new(),
        issue_date: 0,
        max_date: 0,
        sequence_number: 0,
        master_key_id: 0,
    };
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        match (tag >> 3, tag & 7) {
            (1, 2) => identifier.owner = text(&mut bytes)?,
            (2, 2) => identifier.renewer = text(&mut bytes)?,
            (3, 2) => identifier.real_user = text(&mut bytes)?,
            (4, 0) => identifier.issue_date = varint(&mut bytes)?.cast_signed(),
            (5, 0) => identifier.max_date = varint(&mut bytes)?.cast_signed(),
            (6, 0) => identifier.sequence_number = int(&mut bytes)?,
            (7, 0) => identifier.master_key_id = int(&mut bytes)?,
            (_, 0) => drop(varint(&mut bytes)?),
            (_, 1) => drop(take(&mut bytes, 8)?),
            (_, 2) => drop(block(&mut bytes)?),
            (_, 5) => drop(take(&mut bytes, 4)?),
            _ => return Err(InvalidIdentifier),
        }
    }
    if identifier.owner.is_empty() {
        return Err(InvalidIdentifier);
    }
    Ok(identifier)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], InvalidIdentifier> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(InvalidIdentifier)?;
    *bytes = rest;
    Ok(taken)
}

/// Seven bits in each byte, the lowest first; at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Result<u64, InvalidIdentifier> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes, 1)? else {
            return Err(InvalidIdentifier);
        };
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(InvalidIdentifier)
}

/// A negative number stands with all 64 bits.
fn int(bytes: &mut &[u8]) -> Result<i32, InvalidIdentifier> {
    i32::try_from(varint(bytes)?.cast_signed()).map_err(|_| InvalidIdentifier)
}

fn block<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], InvalidIdentifier> {
    let length = usize::try_from(varint(bytes)?).map_err(|_| InvalidIdentifier)?;
    take(bytes, length)
}

fn text(bytes: &mut &[u8]) -> Result<String, InvalidIdentifier> {
    String::from_utf8(block(bytes)?.to_vec()).map_err(|_| InvalidIdentifier)
}
