//! A record as commands.
//!
//! | command | put | create | merge | delete |
//! |---|---|---|---|---|
//! | `string` | SET | SET NX | | DEL |
//! | `hash` | DEL, HSET of each member | | HSET of each member, HDEL of null ones | DEL |
//! | `hash` with `field` | HSET | HSETNX | HSET | HDEL |
//! | `json` | JSON.SET | JSON.SET NX | JSON.MERGE | JSON.DEL |
//! | `list` | RPUSH, LTRIM | | | DEL |
//! | `set` | SADD | SADD | SADD | SREM, or DEL without a value |
//! | `counter` | INCRBY | | INCRBY | DEL |
//! | `counter` with `field` | HINCRBY | | HINCRBY | HDEL |
//! | `stream` | XADD | XADD | | |
//! | `publish` | PUBLISH | PUBLISH | | |
//!
//! Where nothing stands, the record is rejected. A record without a value is a deletion, whatever its op. Several
//! commands of one record are a transaction: nobody sees half of a record. A time to live is set anew with each write, and is
//! what the record's header says where the sink names one.
//! Members of an object that are strings are stored as they are, others as JSON; a null member is no field.
//!
//! Delivered again, a record leaves the same behind, but for `list`, `counter`, `publish` and
//! `stream`: those repeat it. A stream
//! whose key holds `{topic}` and `{partition}` belongs to one partition; its entries then have the id `offset-n`, with
//! n from 1 for the records of one row, and Redis turns down what it has. Such a stream must have no other writer, and
//! its topic must not be made anew: offsets that begin again are taken for repetitions and counted as ignored.
//!
//! Versions are looked at where the sink is told to: see `guard`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::value::RawValue;

use super::{
    commands::Commands,
    guard::{Guard, Guarded, Lives, Origin},
};
use crate::{
    batch::Batch,
    config::{self, RedisCommand, TTL_MAX_MS},
    output::{Op, Record},
    sink::{
        delivery::{Encode, Payload},
        template::{Place, Renderer},
    },
};

/// What the answer for a record is judged by.
pub(super) mod tag {
    pub(in crate::sink::redis) const WRITE: u8 = 0;
    /// Nil or zero says that something was there.
    pub(in crate::sink::redis) const CREATE: u8 = 1;
    /// An id that is not above the last one says that the entry was there.
    pub(in crate::sink::redis) const ENTRY: u8 = 2;
}

/// Encodes the records of one lane.
#[derive(Debug)]
pub(super) struct Encoder {
    command: Command,
    key: Place,
    /// In milliseconds.
    ttl: Option<String>,
    /// Where a record may say another.
    ttl_header: Option<String>,
    guard: Option<Guard>,
    key_text: Vec<u8>,
    field_text: Vec<u8>,
}

#[derive(Debug)]
enum Command {
    String,
    Hash,
    Field(Renderer),
    Json { path: String },
    List { maxlen: Option<u64> },
    Set,
    Counter(Option<Renderer>),
    Stream { maxlen: Option<u64>, field: String },
    Publish,
}

/// A record, with what it is to become.
struct Write<'a> {
    op: Op,
    key: &'a [u8],
    value: Option<&'a [u8]>,
    /// How long the key lives, in milliseconds.
    ttl: Option<&'a str>,
    /// Of a stream that belongs to one partition.
    entry: Option<String>,
}

impl Encoder {
    pub(super) fn new(sink: &config::RedisSink) -> Self {
        let (command, ttl) = match sink.command.clone() {
            RedisCommand::String { ttl } => (Command::String, ttl),
            RedisCommand::Hash { field: None, ttl } => (Command::Hash, ttl),
            RedisCommand::Hash { field: Some(field), ttl } => (Command::Field(Renderer::new("field", &field)), ttl),
            RedisCommand::Json { path, ttl } => (Command::Json { path }, ttl),
            RedisCommand::List { maxlen, ttl } => (Command::List { maxlen }, ttl),
            RedisCommand::Set { ttl } => (Command::Set, ttl),
            RedisCommand::Counter { field, ttl } => {
                (Command::Counter(field.map(|field| Renderer::new("field", &field))), ttl)
            }
            RedisCommand::Stream { maxlen, field } => (Command::Stream { maxlen, field }, None),
            RedisCommand::Publish => (Command::Publish, None),
        };
        Self {
            command,
            key: Place::new("key", &sink.key),
            ttl: ttl.map(|ttl| ttl.as_millis().max(1).to_string()),
            ttl_header: sink.ttl_header.clone(),
            guard: sink.versions.map(Guard::new),
            key_text: Vec::new(),
            field_text: Vec::new(),
        }
    }

    /// Whether requests are to be carried out whole or not at all. Entries with ids of their own must not overtake
    /// each other: one left out could not be added later.
    pub(super) fn is_atomic(&self) -> bool {
        matches!(self.command, Command::Stream { .. }) && self.key.is_per_partition()
    }

    /// Whether commands name the guard's script.
    pub(super) fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    fn write(&self, write: &Write<'_>, out: &mut Commands<'_>) -> Result<u8, String> {
        let Write { op, key, value, ttl, ref entry } = *write;
        // Every op but a deletion has a value.
        let value_or_none = value.unwrap_or_default();
        let created = if op == Op::Create { tag::CREATE } else { tag::WRITE };
        match (&self.command, op) {
            (Command::String | Command::Hash | Command::List { .. } | Command::Counter(None), Op::Delete) => {
                out.one(&[b"DEL", key])
            }
            (Command::String, Op::Put | Op::Create) => {
                let mut set: Vec<&[u8]> = vec![b"SET", key, value_or_none];
                if op == Op::Create {
                    set.push(b"NX");
                }
                if let Some(ttl) = ttl {
                    set.extend([b"PX", ttl.as_bytes()]);
                }
                out.one(&set);
                return Ok(created);
            }
            (Command::Hash, Op::Put | Op::Merge) => hash(key, value_or_none, op, out)?,
            (Command::Field(_) | Command::Counter(Some(_)), Op::Delete) => out.one(&[b"HDEL", key, &self.field_text]),
            (Command::Field(_), Op::Put | Op::Merge | Op::Create) => {
                let command: &[u8] = if op == Op::Create { b"HSETNX" } else { b"HSET" };
                out.write(key, &[&[command, key, &self.field_text, value_or_none]]);
                return Ok(created);
            }
            (Command::Json { path }, Op::Put) => out.write(key, &[&[b"JSON.SET", key, path.as_bytes(), value_or_none]]),
            (Command::Json { path }, Op::Create) => {
                out.write(key, &[&[b"JSON.SET", key, path.as_bytes(), value_or_none, b"NX"]]);
                return Ok(created);
            }
            (Command::Json { path }, Op::Merge) => {
                out.write(key, &[&[b"JSON.MERGE", key, path.as_bytes(), value_or_none]]);
            }
            (Command::Json { path }, Op::Delete) => out.one(&[b"JSON.DEL", key, path.as_bytes()]),
            (Command::List { maxlen: None }, Op::Put) => out.write(key, &[&[b"RPUSH", key, value_or_none]]),
            (Command::List { maxlen: Some(maxlen) }, Op::Put) => {
                let newest = format!("-{maxlen}");
                out.write(key, &[&[b"RPUSH", key, value_or_none], &[b"LTRIM", key, newest.as_bytes(), b"-1"]]);
            }
            (Command::Set, Op::Put | Op::Create | Op::Merge) => out.write(key, &[&[b"SADD", key, value_or_none]]),
            (Command::Set, Op::Delete) => match value {
                Some(member) => out.one(&[b"SREM", key, member]),
                None => out.one(&[b"DEL", key]),
            },
            (Command::Counter(field), Op::Put | Op::Merge) => {
                let by = whole_number(value_or_none)?.to_string();
                match field {
                    None => out.write(key, &[&[b"INCRBY", key, by.as_bytes()]]),
                    Some(_) => out.write(key, &[&[b"HINCRBY", key, &self.field_text, by.as_bytes()]]),
                }
            }
            (Command::Stream { maxlen, field }, Op::Put | Op::Create) => {
                let maxlen = maxlen.map(|maxlen| maxlen.to_string());
                let mut add: Vec<&[u8]> = vec![b"XADD", key];
                if let Some(maxlen) = &maxlen {
                    add.extend([&b"MAXLEN"[..], b"~", maxlen.as_bytes()]);
                }
                add.extend([
                    entry.as_ref().map_or(&b"*"[..], |entry| entry.as_bytes()),
                    field.as_bytes(),
                    value_or_none,
                ]);
                out.one(&add);
                return Ok(if entry.is_some() { tag::ENTRY } else { tag::WRITE });
            }
            (Command::Publish, Op::Put | Op::Create) => out.one(&[b"PUBLISH", key, value_or_none]),
            (command, op) => return Err(refusal(command, op)),
        }
        Ok(tag::WRITE)
    }

    /// Writes behind a comparison of versions, if the record has one.
    fn write_guarded(&self, write: &Write<'_>, origin: Origin<'_>, out: &mut Vec<u8>) -> Result<u8, String> {
        let ttl = write.ttl;
        // Entries with ids of their own are guarded by those.
        let guard = self.guard.as_ref().filter(|_| write.entry.is_none());
        let Some((guard, version)) = guard.and_then(|guard| Some((guard, guard.version(origin)?))) else {
            return self.write(write, &mut Commands::new(out, ttl, false));
        };
        let mut commands = Vec::new();
        self.write(write, &mut Commands::new(&mut commands, ttl, true))?;
        let (scope, is_whole_key) = match (&self.command, write.value) {
            (Command::Field(_) | Command::Counter(Some(_)), _) => (&self.field_text[..], false),
            (Command::Set, Some(member)) => (member, false),
            _ => (&[][..], true),
        };
        let lives = match ttl {
            _ if is_whole_key && write.op == Op::Delete => Lives::NoMore,
            Some(ttl) => Lives::For(ttl.parse().unwrap_or(u64::MAX)),
            None => Lives::ForEver,
        };
        if !commands.is_empty() {
            guard.wrap(&Guarded { key: write.key, scope, origin, version: &version, lives, commands: &commands }, out);
        }
        // The script says zero for what it left alone.
        Ok(tag::CREATE)
    }
}

impl Encode for Encoder {
    fn encode(&mut self, batch: &Batch, record: &Record<'_>, nth: u32, payload: &mut Payload) -> Result<(), String> {
        let own_entry = self.is_atomic() && self.key.is_from_template(record);
        self.key_text.clear();
        self.key.render(batch, record, &mut self.key_text).map_err(|missing| missing.to_string())?;
        if let Command::Field(field) | Command::Counter(Some(field)) = &mut self.command {
            self.field_text.clear();
            field.render(batch, record, &mut self.field_text).map_err(|missing| missing.to_string())?;
        }
        let own_ttl = self.ttl_header.as_deref().map(|header| ttl_of(header, record)).transpose()?.flatten();
        let write = Write {
            op: if record.value.is_none() { Op::Delete } else { record.op },
            key: &self.key_text,
            value: record.value,
            ttl: own_ttl.as_deref().or(self.ttl.as_deref()),
            entry: own_entry.then(|| format!("{}-{}", record.offset(), nth + 1)),
        };
        let origin = Origin {
            topic: &batch.topic,
            partition: batch.partition,
            offset: record.offset(),
            nth,
            version: record.version,
        };
        let before = payload.data.len();
        let tag = self.write_guarded(&write, origin, &mut payload.data)?;
        if payload.data.len() > before {
            payload.end_item(record.row, &self.key_text, tag);
        }
        Ok(())
    }
}

/// The members of an object as fields: in place of what is there, or merged into it.
fn hash(key: &[u8], value: &[u8], op: Op, out: &mut Commands<'_>) -> Result<(), String> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(value).map_err(|error| format!("the value is no JSON object: {error}"))?;
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    let (gone, there): (Vec<_>, Vec<_>) = members.into_iter().partition(|(_, raw)| raw.get() == "null");
    let there: Vec<(String, String)> = there.into_iter().map(|(name, raw)| (name, text(raw))).collect();

    let mut set: Vec<&[u8]> = vec![b"HSET", key];
    set.extend(there.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    let mut remove: Vec<&[u8]> = vec![b"HDEL", key];
    remove.extend(gone.iter().map(|(name, _)| name.as_bytes()));
    let delete: &[&[u8]] = &[b"DEL", key];
    match (op, there.is_empty(), gone.is_empty()) {
        (Op::Put, false, _) => out.write(key, &[delete, &set]),
        (Op::Put, true, _) => out.one(delete),
        (_, false, false) => out.write(key, &[&set, &remove]),
        (_, false, true) => out.write(key, &[&set]),
        (_, true, false) => out.write(key, &[&remove]),
        (_, true, true) => {}
    }
    Ok(())
}

/// What a counter adds. Redis would refuse the same, but without the record's neighbours in a script.
fn whole_number(value: &[u8]) -> Result<i64, String> {
    let text = std::str::from_utf8(value).ok().map(str::trim);
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| "the value is no whole number of 64 bits that a counter could add".to_owned())
}

/// How long a record says that its key lives, in milliseconds; `None` where it does not say.
fn ttl_of(header: &str, record: &Record<'_>) -> Result<Option<String>, String> {
    let mut said = None;
    record.headers(&mut |name, value| {
        if said.is_none() && name == header.as_bytes() {
            said = value.map(|value| String::from_utf8_lossy(value).into_owned());
        }
    });
    let Some(said) = said else { return Ok(None) };
    let millis = said.parse::<SignedDuration>().ok().and_then(|ttl| u64::try_from(ttl.as_millis()).ok());
    match millis.filter(|millis| (1..=TTL_MAX_MS).contains(millis)) {
        Some(millis) => Ok(Some(millis.to_string())),
        None => Err(format!("the header `{header}` is no time to live such as `90s`, of at most a century")),
    }
}

fn refusal(command: &Command, op: Op) -> String {
    let command = match command {
        Command::String => "string",
        Command::Hash => "hash` without a `field",
        Command::Field(_) => "hash",
        Command::Json { .. } => "json",
        Command::List { .. } => "list",
        Command::Set => "set",
        Command::Counter(_) => "counter",
        Command::Stream { .. } => "stream",
        Command::Publish => "publish",
    };
    let op = match op {
        Op::Put => "put",
        Op::Create => "create",
        Op::Merge => "merge",
        Op::Delete => "delete, nor a record without a value",
    };
    format!("the command `{command}` knows no {op}")
}

#[cfg(test)]
mod tests;
