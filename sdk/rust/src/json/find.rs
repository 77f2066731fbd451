//! Where a plain stretch of a string ends: eight bytes at a time, and in a module sixteen once it is a long one.
//!
//! Most strings of JSON are short, and for those words of eight bytes are quicker than vectors, of which each loop loads
//! its constants anew. The simd128 instructions need no flag of the compiler: the function that has them is built with
//! them alone. A vector is put together of two words, which the compiler makes one load of, so that no `unsafe` is
//! needed.

/// The first byte from `at` on that is a quote, a backslash, a control character or no ASCII; the end where there is
/// none.
#[inline(always)]
pub(super) fn special(text: &[u8], at: usize) -> usize {
    find::<true>(text, at)
}

/// As [`special`], but for bytes that are no ASCII, which are passed over.
pub(super) fn end(text: &[u8], at: usize) -> usize {
    find::<false>(text, at)
}

/// Bytes that are looked at before a string is taken for a long one.
const SHORT: usize = 32;

#[inline(always)]
fn find<const ASCII: bool>(text: &[u8], mut at: usize) -> usize {
    let (mut rest, long_from) = (text.get(at..).unwrap_or_default(), at + SHORT);
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let found = word_mask::<ASCII>(word);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        (rest, at) = (behind, at + 8);
        if at >= long_from {
            return at + long::<ASCII>(rest);
        }
    }
    at + bytes::<ASCII>(rest)
}

#[cfg(target_arch = "wasm32")]
#[inline(never)]
#[target_feature(enable = "simd128")]
fn long<const ASCII: bool>(text: &[u8]) -> usize {
    let (mut rest, mut at) = (text, 0);
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        let found = simd::chunk_mask::<ASCII>(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        (rest, at) = (behind, at + 16);
    }
    at + words::<ASCII>(rest)
}

#[cfg(not(target_arch = "wasm32"))]
#[inline(never)]
fn long<const ASCII: bool>(text: &[u8]) -> usize {
    words::<ASCII>(text)
}

#[inline]
fn words<const ASCII: bool>(text: &[u8]) -> usize {
    let (mut rest, mut at) = (text, 0);
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let found = word_mask::<ASCII>(word);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        (rest, at) = (behind, at + 8);
    }
    at + bytes::<ASCII>(rest)
}

#[inline]
fn bytes<const ASCII: bool>(text: &[u8]) -> usize {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20) || (ASCII && *byte >= 0x80);
    text.iter().position(is_special).unwrap_or(text.len())
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The top bit of each special byte is set, up to the first such byte at least: a borrow may reach those behind it.
#[inline]
fn word_mask<const ASCII: bool>(word: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*word);
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let special = is(b'"') | is(b'\\') | below(word, 0x20);
    (if ASCII { special | word } else { special }) & TOPS
}

#[cfg(target_arch = "wasm32")]
mod simd {
    use std::arch::wasm32::{i8x16_lt, u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};

    /// A bit for each special byte.
    #[inline]
    #[target_feature(enable = "simd128")]
    pub(super) fn chunk_mask<const ASCII: bool>(chunk: &[u8; 16]) -> u16 {
        let [low, high] = [chunk.first_chunk(), chunk.last_chunk()].map(|half| half.copied().unwrap_or_default());
        let bytes = u64x2(u64::from_le_bytes(low), u64::from_le_bytes(high));
        let blank = u8x16_splat(b' ');
        // With a sign, what is no ASCII is below a blank as well.
        let below = if ASCII { i8x16_lt(bytes, blank) } else { u8x16_lt(bytes, blank) };
        let marks = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
        u8x16_bitmask(v128_or(marks, below))
    }
}
