//! Primitive types of Kafka's protocol (kafka.apache.org/protocol, "Protocol Primitive Types"), read and written.
//!
//! What is read came from a broker, or from whoever answers in its place: every length is checked, and nothing is
//! allocated for a length that the bytes behind it do not bear out.

use thiserror::Error;

/// An answer, or a record batch, is not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum WireError {
    #[error("an answer ends before it is complete")]
    Short,
    #[error("an answer holds what the protocol does not allow: {0}")]
    Bad(&'static str),
}

/// Reads from the front of a slice, and knows how far it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count).ok_or(WireError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(WireError::Short)?;
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| WireError::Short)
    }

    pub(super) fn i8(&mut self) -> Result<i8, WireError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(super) fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn bool(&mut self) -> Result<bool, WireError> {
        Ok(self.i8()? != 0)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        self.nullable_text()?.ok_or(WireError::Bad("no text where one must be"))
    }

    pub(super) fn nullable_text(&mut self) -> Result<Option<&'a str>, WireError> {
        let length = self.i16()?;
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| WireError::Bad("text that is not UTF-8"))
    }

    /// Length of an array; a null one is empty. Never more than there are bytes left.
    pub(super) fn len(&mut self) -> Result<usize, WireError> {
        let length = usize::try_from(self.i32()?).unwrap_or(0);
        if length > self.rest() { Err(WireError::Short) } else { Ok(length) }
    }

    /// Zigzag varint of up to 32 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, WireError> {
        i32::try_from(self.varlong()?).map_err(|_| WireError::Bad("a varint of more than 32 bits"))
    }

    /// Zigzag varint of up to 64 bits.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, WireError> {
        // Most lengths and deltas are of one byte or two.
        if let Some([first, second, ..]) = self.bytes.get(self.at..) {
            let (first, second) = (u64::from(*first), u64::from(*second));
            if first < 0x80 {
                self.at += 1;
                return Ok(unzigzag(first));
            }
            if second < 0x80 {
                self.at += 2;
                return Ok(unzigzag(first & 0x7f | second << 7));
            }
        }
        self.long_varlong()
    }

    /// Unsigned varint of up to 32 bits, as the flexible requests have them (KIP-482).
    pub(super) fn uvarint(&mut self) -> Result<u32, WireError> {
        let (mut value, mut shift) = (0_u32, 0);
        loop {
            let byte = self.i8()? as u8;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 28 {
                return Err(WireError::Bad("a varint of more than 32 bits"));
            }
        }
    }

    /// Length of a flexible request's array, as [`Self::len`].
    pub(super) fn compact_len(&mut self) -> Result<usize, WireError> {
        let length = (self.uvarint()? as usize).saturating_sub(1);
        if length > self.rest() { Err(WireError::Short) } else { Ok(length) }
    }

    pub(super) fn compact_text(&mut self) -> Result<Option<&'a str>, WireError> {
        let Some(length) = (self.uvarint()? as usize).checked_sub(1) else { return Ok(None) };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| WireError::Bad("text that is not UTF-8"))
    }

    /// What a flexible answer says beyond what is read of it.
    pub(super) fn skip_tags(&mut self) -> Result<(), WireError> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let length = self.uvarint()?;
            self.take(length as usize)?;
        }
        Ok(())
    }

    fn long_varlong(&mut self) -> Result<i64, WireError> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = *self.bytes.get(self.at).ok_or(WireError::Short)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(unzigzag(value));
            }
            shift += 7;
            if shift > 63 {
                return Err(WireError::Bad("a varint of more than 64 bits"));
            }
        }
    }
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// A few numbers on the stack, to be appended at once.
pub(super) struct Few {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Few {
    /// Bytes of three long numbers and a byte. What is more is left out: nobody writes as much.
    const MOST: usize = 31;

    #[inline]
    pub(super) fn new() -> Self {
        Self { bytes: [0; Self::MOST], len: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    #[inline]
    pub(super) fn varlong(&mut self, value: i64) {
        let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
        while zigzag >= 0x80 {
            self.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        self.push(zigzag as u8);
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends to a buffer.
pub(super) trait Write {
    fn i8(&mut self, value: i8);
    fn i16(&mut self, value: i16);
    fn i32(&mut self, value: i32);
    fn i64(&mut self, value: i64);
    fn text(&mut self, text: &str);
    fn nullable_text(&mut self, text: Option<&str>);
    /// Length of an array.
    fn len_of(&mut self, length: usize);
    fn varlong(&mut self, value: i64);
    fn uvarint(&mut self, value: usize);
    /// Text, and the length of an array, of a flexible request (KIP-482).
    fn compact_text(&mut self, text: Option<&str>);
    fn compact_len_of(&mut self, length: usize);
    /// Nothing beyond what the version has.
    fn no_tags(&mut self);
}

impl Write for Vec<u8> {
    fn i8(&mut self, value: i8) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn i16(&mut self, value: i16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    /// Names of topics have 249 bytes at most (`kafka/producer.rs`), so the length fits.
    fn text(&mut self, text: &str) {
        self.i16(text.len() as i16);
        self.extend_from_slice(text.as_bytes());
    }

    fn nullable_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.i16(-1),
        }
    }

    fn len_of(&mut self, length: usize) {
        self.i32(i32::try_from(length).unwrap_or(i32::MAX));
    }

    #[inline]
    fn varlong(&mut self, value: i64) {
        let mut few = Few::new();
        few.varlong(value);
        self.extend_from_slice(few.bytes());
    }

    fn uvarint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn compact_text(&mut self, text: Option<&str>) {
        self.uvarint(text.map_or(0, |text| text.len() + 1));
        self.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    fn compact_len_of(&mut self, length: usize) {
        self.uvarint(length + 1);
    }

    fn no_tags(&mut self) {
        self.push(0);
    }
}

/// Bytes that [`Write::varlong`] takes for a value.
#[inline]
pub(super) fn varlong_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (70 - (zigzag | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_come_back_and_have_the_length_that_was_said(value: i64) {
            let mut bytes = Vec::new();
            bytes.varlong(value);
            prop_assert_eq!(bytes.len(), varlong_len(value));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!((reader.varlong(), reader.rest()), (Ok(value), 0));
            let short = bytes.len() - 1;
            prop_assert_eq!(Reader::new(&bytes[..short]).varlong(), Err(WireError::Short));
        }
    }

    #[test]
    fn what_is_flexible_comes_back() {
        let long = "x".repeat(300);
        let mut bytes = Vec::new();
        [Some(""), None, Some(long.as_str())].into_iter().for_each(|text| bytes.compact_text(text));
        bytes.compact_len_of(2);
        bytes.extend([1, 7, 1, b'?']); // one tag, of one byte
        let mut reader = Reader::new(&bytes);
        for text in [Some(""), None, Some(long.as_str())] {
            assert_eq!(reader.compact_text(), Ok(text));
        }
        assert_eq!((reader.compact_len(), reader.skip_tags(), reader.rest()), (Ok(2), Ok(()), 0));
        assert_eq!(Reader::new(&[9]).compact_len(), Err(WireError::Short));
        assert_eq!(Reader::new(&[9, b'a']).compact_text(), Err(WireError::Short));
        assert_eq!(Reader::new(&[0xff; 6]).uvarint(), Err(WireError::Bad("a varint of more than 32 bits")));
    }

    #[test]
    fn lengths_that_nothing_bears_out_are_refused() {
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff]).len(), Err(WireError::Short));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff]).len(), Ok(0), "null is empty");
        assert_eq!(Reader::new(&[0, 5, b'a']).text(), Err(WireError::Short));
        assert_eq!(Reader::new(&[0xff; 11]).varlong(), Err(WireError::Bad("a varint of more than 64 bits")));
        assert_eq!(Reader::new(&[0xff, 0xff]).nullable_text(), Ok(None));
    }
}
