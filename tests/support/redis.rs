//! Keys of a test's own.

use redis::{Commands, Connection, FromRedisValue};

use crate::{services, unique};

/// Keys that begin with a name that no other test knows.
pub struct Keys {
    pub prefix: String,
    connection: Connection,
}

impl Keys {
    pub fn new(name: &str) -> Self {
        Self::of(&unique(name))
    }

    /// Keys that begin with this.
    pub fn of(prefix: &str) -> Self {
        Self::at(&services().redis, prefix)
    }

    /// Keys of another server.
    pub fn at(url: &str, prefix: &str) -> Self {
        let client = redis::Client::open(url).expect("an address");
        Self { prefix: prefix.into(), connection: client.get_connection().expect("a connection") }
    }

    /// The full key.
    pub fn key(&self, rest: impl std::fmt::Display) -> String {
        format!("{}:{rest}", self.prefix)
    }

    /// The texts of many keys.
    pub fn texts(&mut self, rests: &[impl std::fmt::Display]) -> Vec<Option<String>> {
        let keys: Vec<String> = rests.iter().map(|rest| self.key(rest)).collect();
        self.connection.mget(keys).expect("texts")
    }

    /// Runs a command, the prefixed key first.
    pub fn run<T: FromRedisValue>(&mut self, command: &str, rest: &str, arguments: &[&str]) -> T {
        let mut sent = redis::cmd(command);
        sent.arg(self.key(rest)).arg(arguments);
        sent.query(&mut self.connection).expect("an answer")
    }

    /// All keys of this test.
    pub fn all(&mut self) -> Vec<String> {
        let mut keys: Vec<String> = self.connection.keys(format!("{}:*", self.prefix)).expect("keys");
        keys.sort();
        keys
    }
}
