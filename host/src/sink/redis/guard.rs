//! Newest wins: a record's commands behind a comparison of versions, carried out as one by the server.
//!
//! Beside a key stands a hash, `KEY:versions`, with the version of the last record that was applied. A record whose
//! version is not above it changes nothing and counts as ignored: delivered twice or overtaken by a newer one, it is
//! no longer needed. So `list`, `stream` and `publish` can be delivered again without a repetition, and a host that
//! slept while another took over its partitions cannot bring old data back.
//!
//! What a version is of: the key; of `hash` with `field`, that field; of `set`, that member.

use redis::Script;

use super::commands;
use crate::config::Versions;

/// KEYS: the versions. ARGV: what the version is of, the version, milliseconds that the versions live (0: for ever),
/// and each command behind the number of its words. Versions are compared as decimal numbers of any length.
const SCRIPT: &str = r"
local last = redis.call('HGET', KEYS[1], ARGV[1])
if last and (#last > #ARGV[2] or (#last == #ARGV[2] and last >= ARGV[2])) then return 0 end
local at = 4
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
";

/// How long the version of a deleted or expired key is remembered, in milliseconds: a day.
const REMEMBERED: u64 = 24 * 60 * 60 * 1000;

/// Records of one row have versions of their own under `versions: offset`: this many at most.
const NTH_DIGITS: usize = 10;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Guard {
    versions: Versions,
    /// Name of the script.
    hash: String,
}

/// Where a record comes from, and what it said of itself.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Of the records of the same row, from 0.
    pub(super) nth: u32,
    /// The module's.
    pub(super) version: Option<u64>,
}

impl Guard {
    pub(super) fn new(versions: Versions) -> Self {
        Self { versions, hash: Script::new(SCRIPT).get_hash().to_owned() }
    }

    /// The command that makes the script known to the server; to be sent before the commands that name it.
    pub(super) fn load() -> redis::Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(SCRIPT);
        load
    }

    /// The version of a record, as decimal digits; `None` where it has none and is written unconditionally.
    pub(super) fn version(&self, origin: Origin<'_>) -> Option<String> {
        match self.versions {
            Versions::Module => origin.version.map(|version| version.to_string()),
            // One more, since digits are compared: offset 0 must not begin with zeros.
            Versions::Offset => Some(format!("{}{:0NTH_DIGITS$}", origin.offset.saturating_add(1), origin.nth)),
        }
    }

    /// Appends `commands`, in the form of [`commands`], as one that compares versions first. `scope` is what of the
    /// key the version is of; `ttl`, in milliseconds, is how long the key lives.
    pub(super) fn wrap(&self, write: &Guarded<'_>, out: &mut Vec<u8>) {
        let Guarded { key, scope, origin, version, lives, commands } = *write;
        let beside = [key, b":versions"].concat();
        let of = match self.versions {
            Versions::Module => scope.to_vec(),
            // Offsets of different partitions cannot be compared.
            Versions::Offset => [scope, format!("@{}-{}", origin.topic, origin.partition).as_bytes()].concat(),
        };
        let remembered = match lives {
            Lives::ForEver => "0".to_owned(),
            Lives::For(ttl) => ttl.saturating_add(REMEMBERED).to_string(),
            Lives::NoMore => REMEMBERED.to_string(),
        };
        let mut words: Vec<&[u8]> = vec![b"EVALSHA", self.hash.as_bytes(), b"1", &beside];
        words.extend([&of[..], version.as_bytes(), remembered.as_bytes()]);
        let counts: Vec<String> = commands::iter(commands).map(|words| words.len().to_string()).collect();
        for (command, count) in commands::iter(commands).zip(&counts) {
            words.push(count.as_bytes());
            words.extend(command);
        }
        commands::append(&words, out);
    }
}

/// How long a key lives after a write.
#[derive(Clone, Copy)]
pub(super) enum Lives {
    ForEver,
    /// Milliseconds.
    For(u64),
    /// It was deleted.
    NoMore,
}

/// A record's commands and what guards them.
pub(super) struct Guarded<'a> {
    pub(super) key: &'a [u8],
    pub(super) scope: &'a [u8],
    pub(super) origin: Origin<'a>,
    pub(super) version: &'a str,
    pub(super) lives: Lives,
    pub(super) commands: &'a [u8],
}
