//! Forgets memory with every batch, as some toolchains' glue does: for the tests of what the host does about it. Each
//! value becomes the number of batches that the instance has seen, this one included.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct Leak {
    bytes: usize,
    batches: u64,
}

impl Module for Leak {
    fn describe() -> Describe {
        Describe::new("leak", env!("CARGO_PKG_VERSION")).summary("Forgets memory with every batch.").default(
            "bytes",
            "bytes forgotten with every batch that has rows",
            "4096",
        )
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        Ok((Self { bytes: config.parse("bytes", 4096)?, batches: 0 }, Plan::route("out").reads(Reads::NONE)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.batches += 1;
        std::hint::black_box(vec![1_u8; self.bytes].leak());
        for row in batch.rows() {
            out.keep(row).value(self.batches.to_string().as_bytes());
        }
        Ok(())
    }
}

wasmill_sdk::export!(Leak);
