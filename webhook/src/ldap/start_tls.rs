//! StartTLS (RFC 4511 4.14): the one exchange in the clear, so nothing that comes is believed or stored beyond it.
//!
//! ldap3 can do it, but reads answers of any length and depth, and this one comes from whoever is in between.

use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// LDAPMessage { messageID 1, extendedReq [APPLICATION 23] { requestName [0] "1.3.6.1.4.1.1466.20037" } }
const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Servers answer with some dozens of bytes.
const LONGEST: usize = 512;
const EXTENDED_RESPONSE: u64 = 24;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartTlsError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("it closed the connection")]
    Closed,
    #[error("its answer is no answer to StartTLS")]
    Garbled,
    #[error("its answer has the result code {0} instead of 0")]
    Refused(u8),
    #[error("more came than its answer, as from somebody in between")]
    More,
}

/// Asks for TLS; when this returns the handshake may begin.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<(), StartTlsError> {
    stream.write_all(REQUEST).await?;
    let mut answer = [0; LONGEST];
    let mut length = 0;
    loop {
        let free = answer.get_mut(length..).filter(|free| !free.is_empty());
        let read = stream.read(free.ok_or(StartTlsError::Garbled)?).await?;
        if read == 0 {
            return Err(StartTlsError::Closed);
        }
        length += read;
        match parse_tag(answer.get(..length).unwrap_or_default()) {
            Ok(([], message)) => return granted(message),
            Ok(_) => return Err(StartTlsError::More),
            Err(error) if error.is_incomplete() => {}
            Err(_) => return Err(StartTlsError::Garbled),
        }
    }
}

fn granted(message: StructureTag) -> Result<(), StartTlsError> {
    match result_code(message) {
        Some(0) => Ok(()),
        Some(code) => Err(StartTlsError::Refused(code)),
        None => Err(StartTlsError::Garbled),
    }
}

/// Of LDAPMessage { messageID 1, extendedResp { resultCode, … } }.
fn result_code(message: StructureTag) -> Option<u8> {
    let mut message = message.expect_constructed()?.into_iter();
    let id = message.next()?.expect_primitive()?;
    let response = message.next()?;
    let ours =
        id == [1] && response.class == TagClass::Application && response.id == EXTENDED_RESPONSE;
    let code = response.expect_constructed()?.into_iter().next()?;
    match code.payload {
        PL::P(code) if ours => code.first().copied().filter(|_| code.len() == 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANTED: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

    async fn told(answer: &[u8]) -> Result<(), String> {
        let (mut ours, mut theirs) = tokio::io::duplex(2048);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let told = ask(&mut ours).await.map_err(|error| error.to_string());
        let mut asked = [0; REQUEST.len()];
        theirs.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, REQUEST);
        told
    }

    #[tokio::test]
    async fn a_server_grants_or_refuses() {
        told(GRANTED).await.unwrap();
        // Active Directory writes all lengths in four bytes.
        let long = b"\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00";
        told(long).await.unwrap();
        let mut unwilling = GRANTED.to_vec();
        unwilling[9] = 53;
        assert!(
            told(&unwilling)
                .await
                .unwrap_err()
                .contains("result code 53")
        );
    }

    #[tokio::test]
    async fn whoever_is_in_between_gets_nowhere() {
        let mut other_operation = GRANTED.to_vec();
        other_operation[5] = 0x61;
        let mut other_message = GRANTED.to_vec();
        other_message[4] = 0;
        let injected = [GRANTED, GRANTED].concat();
        // As deep as it is long, and longer than what is read of it.
        let deep: Vec<u8> = (0..1000)
            .flat_map(|level: u16| {
                let [high, low] = (4000 - 4 * level).to_be_bytes();
                [0x30, 0x82, high, low]
            })
            .collect();
        let within: Vec<u8> = (0..200)
            .rev()
            .flat_map(|level: u8| [0x30, 0x81, level])
            .take(500)
            .collect();
        for (answer, words) in [
            (&other_operation[..], "no answer to StartTLS"),
            (&other_message, "no answer to StartTLS"),
            (&injected, "more came"),
            (&deep[..1500], "no answer to StartTLS"),
            (&within, "closed"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "closed"),
            (b"\x30\x00", "no answer to StartTLS"),
            (b"\x30", "closed"),
            (b"", "closed"),
        ] {
            let refusal = told(answer).await.unwrap_err();
            assert!(refusal.contains(words), "{answer:?}: {refusal}");
        }
    }
}
