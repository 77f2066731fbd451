//! Codecs of record batches (attributes, bits 0 to 2).

use std::io::{Read as _, Write as _};

use thiserror::Error;

/// Largest batch after decompression: a broker's batches have a megabyte, and a bomb has no bound of its own.
const DECOMPRESSED_MAX: usize = 256 << 20;

/// Of snappy-java's stream format, which Java clients write and read.
const XERIAL: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_BLOCK: usize = 32 << 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Codec {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, Error)]
#[error("a batch that is {how}: {reason}")]
pub(super) struct CodecError {
    how: &'static str,
    reason: String,
}

fn failed(how: &'static str) -> impl Fn(&dyn std::fmt::Display) -> CodecError {
    move |reason| CodecError { how, reason: reason.to_string() }
}

impl Codec {
    /// By librdkafka's name in `compression.type`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// As attributes of a batch.
    pub(super) fn bits(self) -> i16 {
        self as i16
    }

    pub(super) fn of(attributes: i16) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd]
            .into_iter()
            .find(|codec| codec.bits() == attributes & 7)
    }

    /// Appends what `plain` becomes.
    pub(super) fn compress(self, plain: &[u8], into: &mut Vec<u8>) -> Result<(), CodecError> {
        if self == Self::None {
            into.extend_from_slice(plain);
            return Ok(());
        }
        aside(plain.len(), || self.pack(plain, into))
    }

    fn pack(self, plain: &[u8], into: &mut Vec<u8>) -> Result<(), CodecError> {
        let failed = failed("to be compressed");
        match self {
            Self::None => into.extend_from_slice(plain),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(into, flate2::Compression::default());
                encoder.write_all(plain).and_then(|()| encoder.finish().map(drop)).map_err(|error| failed(&error))?;
            }
            Self::Snappy => {
                into.extend_from_slice(&XERIAL);
                for block in plain.chunks(XERIAL_BLOCK) {
                    let block = snap::raw::Encoder::new().compress_vec(block).map_err(|error| failed(&error))?;
                    into.extend_from_slice(&(block.len() as u32).to_be_bytes());
                    into.extend_from_slice(&block);
                }
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(into);
                encoder.write_all(plain).map_err(|error| failed(&error))?;
                encoder.finish().map_err(|error| failed(&error))?;
            }
            Self::Zstd => {
                zstd::stream::copy_encode(plain, into, zstd::DEFAULT_COMPRESSION_LEVEL)
                    .map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }

    pub(super) fn decompress(self, packed: &[u8]) -> Result<Vec<u8>, CodecError> {
        aside(packed.len(), || self.unpack(packed))
    }

    fn unpack(self, packed: &[u8]) -> Result<Vec<u8>, CodecError> {
        let failed = failed("compressed and cannot be read");
        let mut plain = Vec::with_capacity(packed.len().saturating_mul(4).min(DECOMPRESSED_MAX));
        let most = DECOMPRESSED_MAX as u64 + 1;
        let read = match self {
            Self::None => {
                plain.extend_from_slice(packed);
                Ok(0)
            }
            Self::Gzip => flate2::read::MultiGzDecoder::new(packed).take(most).read_to_end(&mut plain),
            Self::Snappy => {
                unsnap(packed, &mut plain).map_err(|reason| failed(&reason))?;
                Ok(0)
            }
            Self::Lz4 => lz4_flex::frame::FrameDecoder::new(packed).take(most).read_to_end(&mut plain),
            Self::Zstd => match zstd::stream::read::Decoder::new(packed) {
                Ok(decoder) => decoder.take(most).read_to_end(&mut plain),
                Err(error) => Err(error),
            },
        };
        read.map_err(|error| failed(&error))?;
        if plain.len() > DECOMPRESSED_MAX {
            return Err(failed(&format_args!("it has more than {DECOMPRESSED_MAX} bytes")));
        }
        Ok(plain)
    }
}

/// Lets the runtime go on with other tasks while there is much to compute.
fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    const MUCH: usize = 64 << 10;
    let flavor = || tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    if bytes >= MUCH && matches!(flavor(), Ok(tokio::runtime::RuntimeFlavor::MultiThread)) {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

fn unsnap(packed: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
    let block = |block: &[u8], plain: &mut Vec<u8>| {
        let length = snap::raw::decompress_len(block).map_err(|error| error.to_string())?;
        let begin = plain.len();
        if begin.saturating_add(length) > DECOMPRESSED_MAX {
            return Err("it is too large".to_owned());
        }
        plain.resize(begin + length, 0);
        snap::raw::Decoder::new().decompress(block, &mut plain[begin..]).map_err(|error| error.to_string())?;
        Ok(())
    };
    // The two numbers behind the name are versions, of no consequence.
    let Some(mut rest) = packed.strip_prefix(&XERIAL[..8]).and_then(|rest| rest.get(8..)) else {
        return block(packed, plain);
    };
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (one, behind) = behind.split_at_checked(length).ok_or("a block is cut off")?;
        block(one, plain)?;
        rest = behind;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_gives_back_what_it_took() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let mut packed = b"before".to_vec();
            codec.compress(&plain, &mut packed).expect("compressed");
            assert!(codec == Codec::None || packed.len() < plain.len(), "{codec:?}");
            assert!(codec.decompress(&packed[6..]).expect("decompressed") == plain, "{codec:?}");
            assert_eq!(Codec::of(codec.bits()), Some(codec));
            let cut = codec.decompress(&packed[6..packed.len() - 9]);
            assert!(codec == Codec::None || cut.is_err(), "{codec:?} takes what is cut off");
        }
        assert_eq!(Codec::of(7), None);
    }

    #[test]
    fn snappy_without_frames_is_read_too() {
        let raw = snap::raw::Encoder::new().compress_vec(b"as librdkafka writes it").expect("compressed");
        assert_eq!(Codec::Snappy.decompress(&raw).expect("read"), b"as librdkafka writes it");
    }
}
