//! Does with its key-value store what each record says, and answers what came of it: `set a 1`, `get a`, `has a`,
//! `delete a`, `add a 5`, `many a b c`, `keys`, `large 70000`, each behind the bucket's name.

use wasmill_sdk::{
    Batch, Config, Describe, Error, Module, Output, Plan, Reads,
    kv::{self, Bucket},
};

struct KeyValue {
    /// What an error is answered with.
    on_error: String,
}

fn text(value: Option<Vec<u8>>) -> String {
    value.map_or_else(|| "nothing".into(), |value| String::from_utf8_lossy(&value).into_owned())
}

fn carry_out(words: &[&str]) -> Result<String, kv::Error> {
    let [bucket, word, rest @ ..] = words else { return Ok("no command".into()) };
    let bucket = Bucket::open(if *bucket == "-" { "" } else { bucket })?;
    Ok(match (*word, rest) {
        ("get", [key]) => text(bucket.get(key)?),
        ("set", [key, value]) => bucket.set(key, value.as_bytes()).map(|()| "set".into())?,
        ("has", [key]) => bucket.exists(key)?.to_string(),
        ("delete", keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            bucket.delete_many(&keys).map(|()| "deleted".into())?
        }
        ("add", [key, delta]) => bucket.increment(key, delta.parse().expect("a number"))?.to_string(),
        ("many", keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            bucket.get_many(&keys)?.into_iter().map(text).collect::<Vec<_>>().join(",")
        }
        ("fill", [count]) => {
            let count: usize = count.parse().expect("a number");
            let entries: Vec<(String, Vec<u8>)> = (0..count).map(|key| (key.to_string(), b"x".to_vec())).collect();
            bucket.set_many(&entries).map(|()| "filled".into())?
        }
        ("keys", []) => {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                let (keys, next) = bucket.list_keys(cursor)?;
                all.extend(keys);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            all.sort();
            if all.len() > 10 { all.len().to_string() } else { all.join(",") }
        }
        ("large", [bytes]) => {
            bucket.set("large", &vec![b'x'; bytes.parse().expect("a number")]).map(|()| "set".into())?
        }
        _ => "no such command".into(),
    })
}

impl Module for KeyValue {
    fn describe() -> Describe {
        Describe::new("keyvalue", env!("CARGO_PKG_VERSION"))
            .summary("Does with its key-value store what each record says.")
            .default("on_error", "what an error is answered with: say, ask, panic or insist", "say")
            .optional("open", "a bucket to open and read at the start")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        if let Some(name) = config.get("open") {
            Bucket::open(name)?.get("start")?;
        }
        let on_error = config.get("on_error").unwrap_or("say").to_owned();
        Ok((Self { on_error }, Plan::route("out").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let line = String::from_utf8_lossy(row.value().unwrap_or_default()).into_owned();
            let words: Vec<&str> = line.split(' ').collect();
            let answer = loop {
                match (carry_out(&words), self.on_error.as_str()) {
                    (Ok(answer), _) => break answer,
                    (Err(error), "ask") => return Err(error.into()),
                    (Err(error), "panic") => panic!("{error}"),
                    (Err(_), "insist") => {}
                    (Err(error), _) => break format!("{error:?}"),
                }
            };
            out.keep(row).value(answer.as_bytes());
        }
        Ok(())
    }
}

wasmill_sdk::export!(KeyValue);
