//! Values that must reach neither a log nor a core file: redacted in `Debug`, wiped on drop.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// Secret bytes. In JSON: standard base64, padded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes themselves. Every use of this is a place to check in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[redacted, {} bytes]", self.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.expose())))
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A visitor sees the text where it lies in the input: no second copy is left behind.
        deserializer.deserialize_str(Base64Text).map(Self::from)
    }
}

/// Reads a JSON string of standard base64.
pub(crate) struct Base64Text;

impl de::Visitor<'_> for Base64Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of standard base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        // The decoder's own error quotes the offending byte, so it is not passed on.
        STANDARD
            .decode(text)
            .map_err(|_| E::custom("not standard base64"))
    }
}

/// Secret text, such as a bearer token or a delegation token's URL string.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// The text itself. Every use of this is a place to check in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte_of_a_secret() {
        let bytes = SecretBytes::from(&b"hunter2"[..]);
        let text = SecretString::from("hunter2".to_owned());
        assert_eq!(
            format!("{bytes:?} {text:?}"),
            "[redacted, 7 bytes] [redacted]"
        );
    }

    #[test]
    fn bytes_travel_as_base64() {
        let bytes = SecretBytes::from(&[0xfb, 0xff][..]);
        assert_eq!(serde_json::to_string(&bytes).unwrap(), "\"+/8=\"");
        assert_eq!(
            serde_json::from_str::<SecretBytes>("\"+/8=\"").unwrap(),
            bytes
        );
    }

    #[test]
    fn a_decoding_error_quotes_nothing() {
        let error = serde_json::from_str::<SecretBytes>("\"hunter2!\"").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
