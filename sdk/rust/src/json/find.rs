//! Where a plain stretch of a string ends: sixteen bytes at a time in a module, eight elsewhere.
//!
//! The simd128 instructions need no flag of the compiler: the functions that lead here are built with them one by one.
//! A vector is put together of two words, which the compiler makes one load of, so that no `unsafe` is needed.

/// The first byte from `at` on that is a quote, a backslash, a control character or no ASCII; the end where there is
/// none.
#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(super) fn special(text: &[u8], at: usize) -> usize {
    find::<true>(text, at)
}

/// As [`special`], but for bytes that are no ASCII, which are passed over.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(super) fn end(text: &[u8], at: usize) -> usize {
    find::<false>(text, at)
}

#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn find<const ASCII: bool>(text: &[u8], mut at: usize) -> usize {
    let mut rest = text.get(at..).unwrap_or_default();
    #[cfg(target_arch = "wasm32")]
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        let found = simd::special::<ASCII>(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        (rest, at) = (behind, at + 16);
    }
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let found = special_in_word::<ASCII>(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        (rest, at) = (behind, at + 8);
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20) || (ASCII && *byte >= 0x80);
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The top bit of each special byte is set, up to the first such byte at least: a borrow may reach those behind it.
#[inline]
fn special_in_word<const ASCII: bool>(word: u64) -> u64 {
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
    pub(super) fn special<const ASCII: bool>(chunk: &[u8; 16]) -> u16 {
        let [low, high] = [chunk.first_chunk(), chunk.last_chunk()].map(|half| half.copied().unwrap_or_default());
        let bytes = u64x2(u64::from_le_bytes(low), u64::from_le_bytes(high));
        let blank = u8x16_splat(b' ');
        // With a sign, what is no ASCII is below a blank as well.
        let below = if ASCII { i8x16_lt(bytes, blank) } else { u8x16_lt(bytes, blank) };
        let marks = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
        u8x16_bitmask(v128_or(marks, below))
    }
}
