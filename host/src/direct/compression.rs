//! Codecs of record batches (attributes, bits 0 to 2).

use std::{
    cell::RefCell,
    io::{self, Read as _, Write as _},
};

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use thiserror::Error;
use zstd::zstd_safe::{self, DCtx, ResetDirective};

/// Largest batch after decompression: a broker's batches have a megabyte, and a bomb has no bound of its own.
const DECOMPRESSED_MAX: usize = 256 << 20;

/// Working memory of zstd's decoder that is kept for the next batch; a window may take up to 128 MiB.
const KEPT_MAX: usize = 8 << 20;

thread_local! {
    // What zstd works in takes a megabyte and more: it is made for each thread, not for each batch.
    static ZSTD_ENCODER: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static ZSTD_DECODER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

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
                // As librdkafka has it: what an encoder works in stays in the processor's cache.
                let info = FrameInfo::new().block_size(BlockSize::Max64KB);
                let mut encoder = FrameEncoder::with_frame_info(info, into);
                encoder.write_all(plain).map_err(|error| failed(&error))?;
                encoder.finish().map_err(|error| failed(&error))?;
            }
            Self::Zstd => zstd_pack(plain, into).map_err(|error| failed(&error))?,
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
            Self::Lz4 => FrameDecoder::new(packed).take(most).read_to_end(&mut plain),
            Self::Zstd => zstd_unpack(packed, &mut plain).map(|()| 0),
        };
        read.map_err(|error| failed(&error))?;
        if plain.len() > DECOMPRESSED_MAX {
            return Err(failed(&format_args!("it has more than {DECOMPRESSED_MAX} bytes")));
        }
        Ok(plain)
    }
}

/// Appends.
fn zstd_pack(plain: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
    let at = into.len();
    into.reserve(zstd_safe::compress_bound(plain.len()));
    ZSTD_ENCODER.with_borrow_mut(|kept| {
        let mut encoder = match kept.take() {
            Some(encoder) => encoder,
            None => zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?,
        };
        let mut behind = io::Cursor::new(into);
        behind.set_position(at as u64);
        encoder.compress_to_buffer(plain, &mut behind)?;
        *kept = Some(encoder);
        Ok(())
    })
}

/// Up to a byte more than [`DECOMPRESSED_MAX`].
fn zstd_unpack(packed: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
    ZSTD_DECODER.with_borrow_mut(|kept| {
        let decoder = kept.get_or_insert_with(DCtx::create);
        // Whoever packs a whole batch at once says how long it is: it is unpacked in place, without a window.
        let size = zstd_safe::get_frame_content_size(packed).ok().flatten().and_then(|size| usize::try_from(size).ok());
        if let Some(size) = size.filter(|size| *size <= DECOMPRESSED_MAX) {
            plain.reserve(size);
            if decoder.decompress(plain, packed).is_ok() {
                return Ok(());
            }
            // There may be another frame behind it.
            plain.clear();
        }
        let reset = decoder.reset(ResetDirective::SessionOnly);
        reset.map_err(|code| io::Error::other(zstd_safe::get_error_name(code)))?;
        let most = DECOMPRESSED_MAX as u64 + 1;
        let read = zstd::stream::read::Decoder::with_context(packed, decoder).take(most).read_to_end(plain);
        if decoder.sizeof() > KEPT_MAX {
            *kept = None;
        }
        read.map(drop)
    })
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
    fn zstd_is_read_whether_it_says_its_length_or_not_also_in_frames_and_behind_what_cannot_be_read() {
        let part = |text: &str| text.repeat(1000).into_bytes();
        let (one, other) = (part("one "), part("other "));
        let whole = |plain: &[u8]| zstd::bulk::compress(plain, 3).expect("compressed");
        // Java's clients write as they go, and do not say how much it will be.
        let streamed = |plain: &[u8]| zstd::stream::encode_all(plain, 3).expect("compressed");
        let size = |packed: &[u8]| zstd_safe::get_frame_content_size(packed).ok().flatten();
        assert_eq!((size(&whole(&one)), size(&streamed(&one))), (Some(one.len() as u64), None));
        for packed in [whole(&one), streamed(&one)] {
            for _ in 0..2 {
                assert!(Codec::Zstd.decompress(&packed).expect("read") == one);
                assert!(Codec::Zstd.decompress(&packed[..packed.len() - 1]).is_err());
            }
        }
        for frames in [[whole(&one), whole(&other)], [whole(&one), streamed(&other)], [streamed(&one), whole(&other)]] {
            assert!(Codec::Zstd.decompress(&frames.concat()).expect("read") == [&*one, &other].concat());
        }
        let mut liar = whole(&one);
        liar[5..7].copy_from_slice(&[0xff, 0xff]);
        assert!(Codec::Zstd.decompress(&liar).is_err());
    }

    #[test]
    fn a_window_that_is_large_is_not_kept() {
        let kept = || ZSTD_DECODER.with_borrow(|kept| kept.as_ref().map(DCtx::sizeof));
        let streamed = |window: u32| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
            encoder.window_log(window).expect("a window");
            encoder.write_all(b"little").expect("written");
            encoder.flush().expect("written");
            encoder.finish().expect("written")
        };
        assert_eq!(Codec::Zstd.decompress(&streamed(17)).expect("read"), b"little");
        assert!(kept().is_some_and(|bytes| bytes < KEPT_MAX));
        assert_eq!(Codec::Zstd.decompress(&streamed(27)).expect("read"), b"little");
        assert_eq!(kept(), None);
    }

    #[test]
    fn snappy_without_frames_is_read_too() {
        let raw = snap::raw::Encoder::new().compress_vec(b"as librdkafka writes it").expect("compressed");
        assert_eq!(Codec::Snappy.decompress(&raw).expect("read"), b"as librdkafka writes it");
    }
}
