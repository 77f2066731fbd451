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
}

impl<'a> Commands<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, ttl: Option<&'a str>) -> Self {
        Self { out, ttl }
    }

    /// One command. Arguments are bounded by the lane's batch, far below 4 GiB.
    pub(super) fn one(&mut self, arguments: &[&[u8]]) {
        self.number(arguments.len());
        for argument in arguments {
            self.number(argument.len());
            self.out.extend_from_slice(argument);
        }
    }

    /// Commands that write to `key`, and its time to live: all or nothing.
    pub(super) fn write(&mut self, key: &[u8], commands: &[&[&[u8]]]) {
        let is_transaction = commands.len() + usize::from(self.ttl.is_some()) > 1;
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

    fn number(&mut self, number: usize) {
        self.out.extend_from_slice(&(number as u32).to_le_bytes());
    }
}

/// Adds the commands of a record to a pipeline; answers how many they are.
pub(super) fn add(mut bytes: &[u8], pipeline: &mut Pipeline) -> usize {
    let before = pipeline.len();
    while let Some(count) = number(&mut bytes) {
        let mut command = Cmd::with_capacity(count, bytes.len());
        for _ in 0..count {
            let length = number(&mut bytes).unwrap_or(0);
            let (argument, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
            command.arg(argument);
            bytes = rest;
        }
        pipeline.add_command(command);
    }
    pipeline.len() - before
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number) as usize)
}
