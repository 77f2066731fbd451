//! Counts rows, keeps them (with the size of their batch as their key, where `rows` asks for it), and tells of itself with each fire; the setting `fire` says how a fire misbehaves.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, Tick, Timer};

struct Timed {
    fire: String,
    rows: bool,
    seen: usize,
}

impl Module for Timed {
    fn describe() -> Describe {
        Describe::new("timed", env!("CARGO_PKG_VERSION"))
            .summary("Tells of itself with each fire.")
            .default("fire", "how a fire misbehaves", "")
            .optional("rows", "`key`: the key of a record becomes the number of rows of its batch")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let fire = config.get("fire").unwrap_or_default().to_owned();
        let rows = config.get("rows") == Some("key");
        Ok((Self { fire, rows, seen: 0 }, Plan::route("out").and_route("fired").reads(Reads::NONE)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        self.seen += batch.len();
        if !self.rows {
            out.keep_all(batch);
            return Ok(());
        }
        let rows = batch.len().to_string();
        batch.rows().for_each(|row| drop(out.keep(row).key(rows.as_bytes())));
        Ok(())
    }
}

impl Timer for Timed {
    fn fire(&mut self, tick: &Tick, out: &mut Output) -> Result<(), Error> {
        match self.fire.as_str() {
            "trap" => panic!("told to panic in a fire"),
            "retry" if tick.attempt() < 2 => return Err(Error::retry(format!("attempt {}", tick.attempt()))),
            "retry-always" => return Err(Error::retry("told to")),
            "fatal" => return Err(Error::fatal("told to stop")),
            "reject" => out.reject(tick.row(), "told to reject"),
            "nothing" => {}
            "tombstone" => drop(out.keep(tick.row()).route(1).key(b"gone")),
            _ => {
                let value = format!("{} {} {}", tick.at(), tick.attempt(), self.seen);
                let key = if tick.now() >= tick.at() { "fire" } else { "early" };
                out.keep(tick.row()).route(1).key(key.as_bytes()).value(value.as_bytes());
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(Timed, timer);
