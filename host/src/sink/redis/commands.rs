//! Commands as bytes: how an encoded record waits to be sent.
//!
//! The form is private to this file: for each command the number of its arguments, and each argument behind its length,
//! as 32-bit numbers. The client of the worker makes the crate's commands of it, anew for each attempt.

use redis::{Cmd, Pipeline};

/// Appends commands of one record.
pub(super) struct Commands<'a> {
    out: &'a mut Vec<u8>,
    /// Time to live of what is written, in milliseconds.
    ttl: Option<&'a str>,
    /// They will be carried out as one by a script, which knows no transactions.
    in_script: bool,
}

impl<'a> Commands<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, ttl: Option<&'a str>, in_script: bool) -> Self {
        Self { out, ttl, in_script }
    }

    /// One command. Arguments are bounded by the lane's batch, far below 4 GiB.
    pub(super) fn one(&mut self, arguments: &[&[u8]]) {
        append(arguments, self.out);
    }

    /// Commands that write to `key`, and its time to live: all or nothing.
    pub(super) fn write(&mut self, key: &[u8], commands: &[&[&[u8]]]) {
        let is_transaction = !self.in_script && commands.len() + usize::from(self.ttl.is_some()) > 1;
        if is_transaction {
            self.one(&[b"MULTI"]);
        }
        commands.iter().for_each(|command| self.one(command));
        if let Some(ttl) = self.ttl {
            self.one(&[b"PEXPIRE", key, ttl.as_bytes()]);
        }
        if is_transaction {
            self.one(&[b"EXEC"]);
        }
    }
}

/// Appends one command.
pub(super) fn append(words: &[&[u8]], out: &mut Vec<u8>) {
    let number = |number: usize, out: &mut Vec<u8>| out.extend_from_slice(&(number as u32).to_le_bytes());
    number(words.len(), out);
    for word in words {
        number(word.len(), out);
        out.extend_from_slice(word);
    }
}

/// The words of each command.
pub(super) fn iter(mut bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    std::iter::from_fn(move || {
        let count = number(&mut bytes)?;
        let word = |_| {
            let length = number(&mut bytes).unwrap_or(0);
            let (word, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
            bytes = rest;
            word
        };
        Some((0..count).map(word).collect())
    })
}

/// Adds the commands of a record to a pipeline; answers how many they are.
pub(super) fn add(bytes: &[u8], pipeline: &mut Pipeline) -> usize {
    let before = pipeline.len();
    for words in iter(bytes) {
        let mut command = Cmd::with_capacity(words.len(), bytes.len());
        words.iter().for_each(|word| _ = command.arg(word));
        pipeline.add_command(command);
    }
    pipeline.len() - before
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number) as usize)
}
