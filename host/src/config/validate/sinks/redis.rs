//! A Redis sink: which options go with which command.

use std::time::Duration;

use crate::config::{
    choices::{Choice, Command},
    document::NodeId,
    raw::RawRedis,
    sinks::{RedisCommand, RedisSink, Versions},
    template::Template,
    validate::Check,
    value::At,
};

/// The options that not every command has, by the key in the file.
const OPTIONS: [(&str, &[Command]); 5] = [
    ("field", &[Command::Hash, Command::Counter, Command::Stream]),
    ("path", &[Command::Json]),
    ("maxlen", &[Command::List, Command::Stream]),
    ("ttl", &EXPIRE),
    ("ttl_header", &EXPIRE),
];

/// The commands whose keys may have a time to live.
const EXPIRE: [Command; 6] =
    [Command::String, Command::Hash, Command::Json, Command::List, Command::Set, Command::Counter];

impl Check<'_> {
    pub(super) fn redis(&mut self, raw: &At<RawRedis>) -> Option<RedisSink> {
        let url = self.redis_url(raw.node, &raw.url);
        let word = self.required(raw.node, "command", &raw.command).map(|command| command.0);
        let command = word.and_then(|word| self.command(raw, word));
        let key = self.required(raw.node, "key", &raw.key);
        let versions = self.optional(&raw.versions).map(|versions| versions.0);
        // A repetition would be counted.
        let versions = versions.or((word == Some(Command::Counter)).then_some(Versions::Offset));
        let ttl_header = self.optional(&raw.ttl_header).map(|header| header.0);
        let workers = self.optional(&raw.workers).map_or(2, |workers| workers.0 as usize);
        let timeout = self.optional(&raw.timeout).map_or(Duration::from_secs(5), |timeout| timeout.0);
        Some(RedisSink { url: url?, command: command?, key: key?, ttl_header, versions, workers, timeout })
    }

    fn command(&mut self, raw: &At<RawRedis>, command: Command) -> Option<RedisCommand> {
        self.misplaced(raw, command);
        let ttl = self.optional(&raw.ttl).map(|ttl| ttl.0);
        let maxlen = self.optional(&raw.maxlen).map(|maxlen| maxlen.0);
        Some(match command {
            Command::String => RedisCommand::String { ttl },
            Command::Hash => RedisCommand::Hash { field: self.template(raw)?, ttl },
            Command::Counter => RedisCommand::Counter { field: self.template(raw)?, ttl },
            Command::Json => {
                let path = self.optional(&raw.path).map_or_else(|| "$".to_owned(), |path| path.0);
                RedisCommand::Json { path, ttl }
            }
            Command::List => RedisCommand::List { maxlen, ttl },
            Command::Set => RedisCommand::Set { ttl },
            Command::Stream => {
                let field = self.optional(&raw.field).map_or_else(|| "value".to_owned(), |field| field.0);
                RedisCommand::Stream { maxlen, field }
            }
            Command::Publish => RedisCommand::Publish,
        })
    }

    /// The field of a hash. `None` where it was reported.
    fn template(&mut self, raw: &At<RawRedis>) -> Option<Option<Template>> {
        match &raw.field {
            None => Some(None),
            Some(field) => self.read(&field.as_a::<Template>()).map(Some),
        }
    }

    fn misplaced(&mut self, raw: &At<RawRedis>, command: Command) {
        let given: [Option<NodeId>; 5] = [
            raw.field.as_ref().map(|value| value.node),
            raw.path.as_ref().map(|value| value.node),
            raw.maxlen.as_ref().map(|value| value.node),
            raw.ttl.as_ref().map(|value| value.node),
            raw.ttl_header.as_ref().map(|value| value.node),
        ];
        for ((option, commands), node) in OPTIONS.iter().zip(given) {
            let Some(node) = node.filter(|_| !commands.contains(&command)) else { continue };
            let owners = commands.iter().map(|command| format!("`{}`", command.word())).collect::<Vec<_>>().join(", ");
            let message = format!("`{option}` is no option of `{}`", command.word());
            self.key_problem(node, message, Some(format!("it belongs to {owners}")));
        }
    }
}
