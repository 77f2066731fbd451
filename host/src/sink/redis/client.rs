//! Pipelines of commands over one connection.
//!
//! The connection is the crate's manager, which connects anew by itself after it was cut. After a timeout it stays: the
//! server then carries out the old commands before it sees the repeated ones, which keeps their order. A peer that has
//! gone without a word is given up by the kernel (`redis_client`). A connection that could not be set up (credentials,
//! too many clients) is thrown away.

use std::time::Duration;

use redis::{Client as Opener, ErrorKind, Pipeline, RedisError, RedisResult, Value, aio::ConnectionManager};

use super::{
    classify, commands,
    encode::{Encoder, tag},
    guard::Guard,
};
use crate::{
    config,
    redis_client::{self, REFUSED_PASSWORDS_MAX},
    sink::{
        Contact,
        worker::{Answer, Client, Request, Verdict},
    },
};

/// See the module's documentation.
pub(super) struct Connection {
    opener: Opener,
    timeout: Duration,
    /// Requests are transactions.
    atomic: bool,
    /// Requests name the guard's script: each brings it along, since a server that was started anew has lost it.
    guarded: bool,
    manager: Option<ConnectionManager>,
    refused_passwords: u32,
}

impl Connection {
    /// Connects with the first request.
    ///
    /// # Errors
    /// An address that cannot be used, for people.
    pub(super) fn new(sink: &config::RedisSink, encoder: &Encoder) -> Result<Self, String> {
        let opener = redis_client::opener(sink.url.expose());
        let opener = opener.map_err(|error| format!("the URL cannot be used: {error}"))?;
        let (atomic, guarded) = (encoder.is_atomic(), encoder.is_guarded());
        Ok(Self { opener, timeout: sink.timeout, atomic, guarded, manager: None, refused_passwords: 0 })
    }

    fn manager(&mut self) -> RedisResult<ConnectionManager> {
        if let Some(manager) = &self.manager {
            return Ok(manager.clone());
        }
        Ok(self.manager.insert(redis_client::manager(&self.opener, self.timeout)?).clone())
    }

    async fn exchange(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        pipeline.query_async(&mut self.manager()?).await
    }

    /// Host and port, without the password.
    fn say(&self, error: &RedisError) -> String {
        format!("{}: {error}", self.opener.get_connection_info().addr())
    }

    /// What an error means that came instead of answers.
    fn failed(&mut self, error: &RedisError) -> Answer {
        let reason = self.say(error);
        if !error.is_io_error() {
            self.manager = None;
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => {
                self.refused_passwords += 1;
                if self.refused_passwords < REFUSED_PASSWORDS_MAX {
                    Answer::Again { reason, pause: None }
                } else {
                    Answer::Stop(reason)
                }
            }
            ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => Answer::Stop(reason),
            ErrorKind::Io | ErrorKind::Parse => Answer::Again { reason, pause: None },
            // Of a transaction, the first command that was refused says why; of a connection, what it began with.
            _ => {
                let said = error.clone().into_server_errors().and_then(|errors| errors.first().cloned());
                let verdict = match said {
                    Some((_, said)) => classify::error(said.code(), said.details().unwrap_or_default(), tag::WRITE),
                    None => classify::error(
                        error.code().unwrap_or_default(),
                        error.detail().unwrap_or_default(),
                        tag::WRITE,
                    ),
                };
                match verdict {
                    Verdict::Delivered | Verdict::Ignored | Verdict::Again(_) => Answer::Again { reason, pause: None },
                    // Refused before it was carried out: one of the records is to blame, or the connection.
                    Verdict::Poison(_) if error.kind() == EXEC_ABORT => Answer::Split { reason, too_large: false },
                    Verdict::Poison(_) | Verdict::Stop(_) => Answer::Stop(reason),
                }
            }
        }
    }
}

const EXEC_ABORT: ErrorKind = ErrorKind::Server(redis::ServerErrorKind::ExecAbort);

impl Client for Connection {
    async fn greet(&mut self) -> Contact {
        let mut pipeline = Pipeline::new();
        pipeline.ignore_errors().cmd("PING");
        let answers = match self.exchange(&pipeline).await {
            Ok(answers) => answers,
            Err(error) => {
                return match self.failed(&error) {
                    Answer::Stop(reason) => Contact::Failed(reason),
                    Answer::Again { reason, .. } | Answer::Split { reason, .. } => Contact::Waits(Some(reason)),
                    Answer::Verdicts(_) => Contact::Waits(None),
                };
            }
        };
        self.refused_passwords = 0;
        match verdict(&answers, tag::WRITE) {
            Verdict::Again(reason) => Contact::Waits(Some(reason)),
            // Whoever may not ping may still write.
            Verdict::Stop(reason) if !reason.starts_with("NOPERM") => Contact::Failed(reason),
            _ => Contact::Made,
        }
    }

    async fn send(&mut self, request: Request<'_>) -> Answer {
        let mut pipeline = Pipeline::with_capacity(request.len());
        pipeline.ignore_errors();
        if self.atomic {
            pipeline.atomic();
        }
        if self.guarded {
            pipeline.add_command(Guard::load()).ignore();
        }
        let counts: Vec<usize> = request.iter().map(|(bytes, _)| commands::add(bytes, &mut pipeline)).collect();
        let answers = match self.exchange(&pipeline).await {
            Ok(answers) => answers,
            Err(error) => return self.failed(&error),
        };
        self.refused_passwords = 0;
        let mut answers = answers.into_iter();
        let judge = |((_, tag), count)| {
            let own: Vec<_> = answers.by_ref().take(count).collect();
            if own.len() == count { verdict(&own, tag) } else { Verdict::Again("an answer is missing".into()) }
        };
        Answer::Verdicts(request.iter().zip(counts).map(judge).collect())
    }
}

/// The verdict on a record from the answers to its commands: the first error, or what the first write says.
fn verdict(answers: &[RedisResult<Value>], tag: u8) -> Verdict {
    let said = answers.iter().find_map(|answer| match answer {
        Err(error) => Some(classify::error(error.code().unwrap_or_default(), error.detail().unwrap_or_default(), tag)),
        // The answers within a transaction.
        Ok(Value::Array(inner)) => inner.iter().find_map(|value| match value {
            Value::ServerError(error) => Some(classify::error(error.code(), error.details().unwrap_or_default(), tag)),
            _ => None,
        }),
        Ok(_) => None,
    });
    if let Some(verdict) = said {
        return verdict;
    }
    let first = match answers.last() {
        Some(Ok(Value::Array(inner))) => inner.first(),
        Some(Ok(value)) => Some(value),
        _ => None,
    };
    match (tag, first) {
        (tag::CREATE, Some(Value::Nil | Value::Int(0))) => Verdict::Ignored,
        _ => Verdict::Delivered,
    }
}
