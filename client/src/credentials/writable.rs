//! Hadoop's `Writable` encodings, as in its `WritableUtils` and `Text`.

use zeroize::Zeroizing;

use super::CredentialsError;
use crate::secret::SecretBytes;

/// The longest text or byte field that is read or written: what Hadoop's `Text.DEFAULT_MAX_LEN` allows.
pub(super) const MAX_FIELD: usize = 1024 * 1024;

/// Reads from a slice. What it returns borrows from the input, so no announced length makes it allocate.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(super) fn finish(self) -> Result<(), CredentialsError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(CredentialsError::TrailingBytes(left)),
        }
    }

    pub(super) fn take(&mut self, wanted: usize) -> Result<&'a [u8], CredentialsError> {
        let left = self.rest.len();
        let (taken, rest) = self
            .rest
            .split_at_checked(wanted)
            .ok_or(CredentialsError::Truncated { wanted, left })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CredentialsError> {
        let left = self.rest.len();
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or(CredentialsError::Truncated { wanted: 1, left })?;
        self.rest = rest;
        Ok(*first)
    }

    /// A number of 1 to 9 bytes: the first one holds a small value, or the sign and how many bytes follow.
    pub(super) fn vlong(&mut self) -> Result<i64, CredentialsError> {
        let first = self.byte()?.cast_signed();
        let (negative, size) = match first {
            -112.. => return Ok(i64::from(first)),
            -120..-112 => (false, -112 - i32::from(first)),
            _ => (true, -120 - i32::from(first)),
        };
        let bytes = self.take(usize::try_from(size).unwrap_or(0))?;
        let value = bytes
            .iter()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        let value = value.cast_signed();
        Ok(if negative { !value } else { value })
    }

    pub(super) fn vint(&mut self) -> Result<i32, CredentialsError> {
        let value = self.vlong()?;
        i32::try_from(value).map_err(|_| CredentialsError::NotAnInt { value })
    }

    /// How many entries follow. Not a size to reserve: the input may lie.
    pub(super) fn count(&mut self) -> Result<usize, CredentialsError> {
        usize::try_from(self.vint()?).map_err(|_| CredentialsError::NegativeLength)
    }

    /// A length, then that many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], CredentialsError> {
        let len = self.count()?;
        within_limit(len)?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CredentialsError> {
        str::from_utf8(self.bytes()?).map_err(|_| CredentialsError::NotUtf8)
    }
}

pub(super) fn within_limit(len: usize) -> Result<(), CredentialsError> {
    if len > MAX_FIELD {
        return Err(CredentialsError::TooLong {
            len,
            limit: MAX_FIELD,
        });
    }
    Ok(())
}

/// Writes to a buffer that is wiped when it is dropped.
pub(super) struct Writer {
    buffer: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// `capacity` must cover all that is written: a buffer that grows leaves a copy of the secrets behind.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: Zeroizing::new(Vec::with_capacity(capacity)),
        }
    }

    pub(super) fn finish(mut self) -> SecretBytes {
        SecretBytes::from(std::mem::take(&mut *self.buffer))
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn vlong(&mut self, value: i64) {
        if (-112..=127).contains(&value) {
            return self.raw(&value.to_be_bytes()[7..]);
        }
        let (first, magnitude) = match value {
            0.. => (-112_i8, value.cast_unsigned()),
            _ => (-120_i8, (!value).cast_unsigned()),
        };
        let bytes = magnitude.to_be_bytes();
        let leading = (magnitude.leading_zeros() / 8) as usize;
        let significant = bytes.get(leading..).unwrap_or_default();
        let size = i8::try_from(significant.len()).unwrap_or(8);
        self.raw(&(first - size).to_be_bytes());
        self.raw(significant);
    }

    /// Lengths are checked where fields are made, so one that does not fit cannot arise here.
    pub(super) fn length(&mut self, len: usize) {
        self.vlong(i64::try_from(len).unwrap_or(i64::MAX));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: i64) -> Vec<u8> {
        let mut writer = Writer::with_capacity(9);
        writer.vlong(value);
        writer.finish().expose().to_vec()
    }

    #[test]
    fn numbers_are_written_as_hadoop_writes_them() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (-112, &[0x90]),
            (128, &[0x8f, 0x80]),
            (255, &[0x8f, 0xff]),
            (256, &[0x8e, 1, 0]),
            (-113, &[0x87, 0x70]),
            (-256, &[0x87, 0xff]),
            (-257, &[0x86, 1, 0]),
            (i64::MAX, &[0x88, 0x7f, 255, 255, 255, 255, 255, 255, 255]),
            (i64::MIN, &[0x80, 0x7f, 255, 255, 255, 255, 255, 255, 255]),
        ] {
            assert_eq!(written(value), bytes, "{value}");
        }
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut writer = Writer::with_capacity(9);
        writer.vlong(i64::from(i32::MAX));
        let bytes = writer.finish();
        assert_eq!(
            Reader::new(bytes.expose()).bytes(),
            Err(CredentialsError::TooLong {
                len: i32::MAX as usize,
                limit: MAX_FIELD
            })
        );
    }

    proptest! {
        #[test]
        fn every_number_survives(value: i64) {
            let bytes = written(value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.vlong(), Ok(value));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn every_small_number_survives(value in -70_000_i64..70_000) {
            prop_assert_eq!(Reader::new(&written(value)).vlong(), Ok(value));
        }
    }
}
