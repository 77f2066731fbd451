//! Which partition a key leads to, as in librdkafka (`partitioner`), so that a change of client moves no key.

use rand::Rng as _;

/// By librdkafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// As Java's: murmur2 of the key; anywhere without one.
    Murmur2Random,
    /// The same, and a missing key is an empty one.
    Murmur2,
    /// CRC32 of the key; anywhere without one, or with an empty one.
    ConsistentRandom,
    /// The same, and a missing key is an empty one.
    Consistent,
    Random,
}

impl Partitioner {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "murmur2_random" => Self::Murmur2Random,
            "murmur2" => Self::Murmur2,
            "consistent_random" => Self::ConsistentRandom,
            "consistent" => Self::Consistent,
            "random" => Self::Random,
            _ => return None,
        })
    }

    /// The partition of a key among so many; `None`: anyone will do, best the one of the record before, so that batches
    /// fill (KIP-480).
    #[inline]
    pub(super) fn partition(self, key: Option<&[u8]>, count: usize) -> Option<usize> {
        let hash = match (self, key) {
            (Self::Random, _) | (Self::Murmur2Random, None) | (Self::ConsistentRandom, None | Some([])) => return None,
            (Self::Murmur2 | Self::Murmur2Random, key) => murmur2(key.unwrap_or_default()) & 0x7fff_ffff,
            (Self::Consistent | Self::ConsistentRandom, key) => crc32(key.unwrap_or_default()),
        };
        (count > 0).then(|| hash as usize % count)
    }
}

/// Anyone of so many.
pub(super) fn any(count: usize) -> usize {
    rand::rng().random_range(0..count.max(1))
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut hasher = flate2::Crc::new();
    hasher.update(bytes);
    hasher.sum()
}

/// org.apache.kafka.common.utils.Utils.murmur2.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From UtilsTest.testMurmur2 of Apache Kafka.
    #[test]
    fn murmur2_is_javas() {
        let known: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (text, hash) in known {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn keys_stay_and_missing_ones_go_anywhere() {
        use Partitioner as P;
        let of = |partitioner: P, key: Option<&str>| partitioner.partition(key.map(str::as_bytes), 7);
        assert_eq!(
            [of(P::Murmur2Random, None), of(P::ConsistentRandom, Some("")), of(P::Random, Some("a"))],
            [None; 3]
        );
        assert_eq!(of(P::Murmur2, None), of(P::Murmur2, Some("")));
        assert_eq!(of(P::Murmur2Random, Some("abc")), Some(479_470_107 % 7));
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert!((0..100).all(|_| any(3) < 3));
    }
}
