//! Strings of JSON, from and to text.

use std::borrow::Cow;

use super::{few, find};

/// What an escape stands for, and its length. `text` begins with a backslash; an error comes with its offset.
pub(super) fn escape(text: &[u8]) -> Result<(char, usize), (usize, &'static str)> {
    let character = match text.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(text),
        _ => return Err((1, "no such escape")),
    };
    Ok((character, 2))
}

fn unicode(text: &[u8]) -> Result<(char, usize), (usize, &'static str)> {
    const HALF: &str = "half of a pair of surrogates";
    let unit = unit(text, 2)?;
    if !(0xd800..0xe000).contains(&unit) {
        return char::from_u32(unit).map(|character| (character, 6)).ok_or((0, HALF));
    }
    if unit >= 0xdc00 || text.get(6..8) != Some(b"\\u") {
        return Err((0, HALF));
    }
    let second = self::unit(text, 8)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err((0, HALF));
    }
    let character = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00));
    character.map(|character| (character, 12)).ok_or((0, HALF))
}

/// Four hexadecimal digits.
fn unit(text: &[u8], begin: usize) -> Result<u32, (usize, &'static str)> {
    (begin..begin + 4).try_fold(0, |unit, at| {
        let digit = text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        digit.map(|digit| unit << 4 | digit).ok_or((at, "expected a hexadecimal digit"))
    })
}

/// The text of a string that was judged before, given without its quotes. Copies only where there are escapes.
pub(super) fn decode(mut string: &[u8]) -> Cow<'_, str> {
    let Some(first) = string.iter().position(|byte| *byte == b'\\') else { return String::from_utf8_lossy(string) };
    let (mut text, mut next) = (String::with_capacity(string.len()), Some(first));
    while let Some((plain, rest)) = next.and_then(|at| string.split_at_checked(at)) {
        text.push_str(&String::from_utf8_lossy(plain));
        let (character, len) = escape(rest).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        text.push(character);
        string = rest.get(len..).unwrap_or_default();
        next = string.iter().position(|byte| *byte == b'\\');
    }
    text.push_str(&String::from_utf8_lossy(string));
    Cow::Owned(text)
}

/// Whether a judged string, given without its quotes, is this text.
#[inline]
pub(super) fn is(string: &[u8], escaped: bool, text: &str) -> bool {
    if escaped && string.contains(&b'\\') { decode(string) == text } else { few::same(string, text.as_bytes()) }
}

/// Appends a text as a string, with as few escapes as there may be.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut begin = 0;
    loop {
        let end = find::end(bytes, begin);
        few::append(out, bytes.get(begin..end).unwrap_or_default());
        let Some(byte) = bytes.get(end) else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).map_or(b'0', |digit| digit as u8);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        begin = end + 1;
    }
    out.push(b'"');
}
