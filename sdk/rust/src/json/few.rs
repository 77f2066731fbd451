//! Copies and compares few bytes. In a module `memory.copy` is a call out to the host, and a comparison a call of a
//! loop: for names and short values either costs more than the bytes themselves.

/// From here on a call is worth its price.
const FEW: usize = 64;

/// As `out.extend_from_slice(bytes)`.
#[inline]
pub(super) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > FEW {
        return out.extend_from_slice(bytes);
    }
    append_few(out, bytes);
}

#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn append_few(out: &mut Vec<u8>, mut bytes: &[u8]) {
    out.reserve(bytes.len());
    while let Some((chunk, rest)) = bytes.split_first_chunk::<16>() {
        out.extend_from_slice(chunk);
        bytes = rest;
    }
    if let Some((chunk, rest)) = bytes.split_first_chunk::<8>() {
        out.extend_from_slice(chunk);
        bytes = rest;
    }
    if let Some((chunk, rest)) = bytes.split_first_chunk::<4>() {
        out.extend_from_slice(chunk);
        bytes = rest;
    }
    for byte in bytes.iter().take(3) {
        out.push(*byte);
    }
}

/// As `one == other`.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // The last chunk may overlap the first.
    if let (Some(first), Some(last)) = (one.first_chunk::<8>(), one.last_chunk::<8>()) {
        return one.len() <= 16 && other.first_chunk() == Some(first) && other.last_chunk() == Some(last)
            || one.len() > 16 && one == other;
    }
    if let (Some(first), Some(last)) = (one.first_chunk::<4>(), one.last_chunk::<4>()) {
        return other.first_chunk() == Some(first) && other.last_chunk() == Some(last);
    }
    one.iter().zip(other).all(|(one, other)| one == other)
}
