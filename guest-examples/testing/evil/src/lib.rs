//! Misbehaves on demand: the setting `mode` says how, and `when` for which values (those that contain it; all where it
//! is empty). What the host does about each is what its tests look at.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, log, metrics};

struct Evil {
    mode: String,
    when: Vec<u8>,
    calls: u32,
}

impl Module for Evil {
    fn describe() -> Describe {
        Describe::new("evil", env!("CARGO_PKG_VERSION"))
            .summary("Misbehaves on demand.")
            .required("mode", "how")
            .default("when", "only for values that contain this", "")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let mode = config.required("mode")?.to_owned();
        match mode.as_str() {
            "init-error" => return Err("told to refuse".into()),
            "init-trap" => panic!("told to panic in init"),
            "init-spin" => spin(),
            _ => {}
        }
        let when = config.get("when").unwrap_or_default().as_bytes().to_vec();
        Ok((Self { mode, when, calls: 0 }, Plan::route("out")))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        self.calls += 1;
        if self.mode == "smoke-spin" {
            spin();
        }
        if self.mode == "smoke-trap" {
            panic!("told to panic on every call");
        }
        for row in batch.rows() {
            let value = row.value().unwrap_or_default();
            let hit = self.when.is_empty() || value.windows(self.when.len()).any(|window| window == self.when);
            if !hit {
                out.keep(row);
                continue;
            }
            match self.mode.as_str() {
                "trap" => panic!("told to panic at offset {}", row.offset()),
                "spin" => spin(),
                "oom" => hoard(),
                "recurse" => {
                    log::info(format!("{}", recurse(1)));
                }
                "flood" => {
                    for _ in 0..1 << 14 {
                        out.keep(row).value(&[b'x'; 4096]);
                    }
                }
                "log-flood" => {
                    (0..100_000).for_each(|line| log::info(format!("line {line}")));
                    (0..200).for_each(|name| metrics::count(&format!("metric_{name}"), 1));
                    out.keep(row);
                }
                "retry" if batch.attempt() < 3 => return Err(Error::retry(format!("attempt {}", batch.attempt()))),
                "retry-always" => return Err(Error::retry("told to")),
                "fatal" => return Err(Error::fatal("told to stop")),
                "reject" => out.reject(row, "told to reject"),
                "drop" => {}
                "fan-out" => (0..3_u8).for_each(|copy| {
                    out.keep(row).header("copy", Some(&[b'0' + copy]));
                }),
                "descend" => {
                    for row in batch.rows().collect::<Vec<_>>().into_iter().rev() {
                        out.keep(row);
                    }
                }
                "leak" => {
                    std::mem::forget(vec![1_u8; 1 << 20]);
                    out.keep(row);
                }
                _ => {
                    out.keep(row);
                }
            }
        }
        Ok(())
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns).wrapping_add(1);
    }
}

fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&all);
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[63] }
}

wasmill_sdk::export!(Evil);
