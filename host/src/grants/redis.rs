//! Entries in Redis, over one connection that all lanes of a pipeline share.
//!
//! A key there is `PREFIX BUCKET : KEY`. One connection, because the server then carries out what was asked of a key in
//! the order in which it was asked, also after a timeout, whichever lane asks. Requests run on the async runtime; a
//! lane waits on a channel, with an end to the wait whatever becomes of the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use redis::{
    Client, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Value, aio::ConnectionManager,
    from_redis_value,
};
use tokio::runtime::Handle;

use super::store::{ANSWER_MAX, PAGE, no_number, shown, too_large_an_answer};
use crate::{
    contact::Contact,
    engine::{Keys, StoreError},
    redis_client::{self, Meaning, REFUSED_PASSWORDS_MAX, meaning},
};

/// Keys of one MGET, where values are small: the server does nothing else meanwhile.
const KEYS_PER_COMMAND: usize = 1_000;

/// Pause between two greetings.
const GREETING_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Redis {
    link: Arc<Link>,
    prefix: String,
    runtime: Handle,
    greeting: Arc<Mutex<Greeting>>,
}

/// What is known of the server before anything was asked of it.
struct Greeting {
    contact: Contact,
    under_way: bool,
    not_before: Instant,
}

struct Link {
    opener: Client,
    timeout: Duration,
    manager: Mutex<Option<ConnectionManager>>,
    refused_passwords: AtomicU32,
}

impl Redis {
    pub(super) fn new(url: &str, prefix: &str, timeout: Duration, runtime: &Handle) -> RedisResult<Self> {
        let opener = redis_client::opener(url)?;
        let link = Link { opener, timeout, manager: Mutex::default(), refused_passwords: AtomicU32::new(0) };
        let greeting = Greeting { contact: Contact::Waits(None), under_way: false, not_before: Instant::now() };
        Ok(Self {
            link: Arc::new(link),
            prefix: prefix.to_owned(),
            runtime: runtime.clone(),
            greeting: Arc::new(Mutex::new(greeting)),
        })
    }

    /// Greets the server until it has answered once. That it refuses is said to one who asks; the next greets anew.
    pub(super) fn contact(&self) -> Contact {
        let mut greeting = self.greeting.lock();
        if greeting.contact == Contact::Made {
            return Contact::Made;
        }
        let said = greeting.contact.clone();
        if let Contact::Failed(_) = said {
            greeting.contact = Contact::Waits(None);
        } else if !greeting.under_way && greeting.not_before <= Instant::now() {
            greeting.under_way = true;
            let (link, greeting) = (Arc::clone(&self.link), Arc::clone(&self.greeting));
            self.runtime.spawn(async move {
                let contact = link.greet().await;
                let not_before = Instant::now() + GREETING_PAUSE;
                *greeting.lock() = Greeting { contact, under_way: false, not_before };
            });
        }
        said
    }

    pub(super) fn get(
        &self,
        bucket: &str,
        keys: &[String],
        value_max: usize,
        until: Instant,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        // How large an answer is shows when it is in memory.
        let at_once = (ANSWER_MAX / value_max.max(1)).clamp(1, KEYS_PER_COMMAND);
        let (mut values, mut room) = (Vec::with_capacity(keys.len()), ANSWER_MAX);
        for keys in keys.chunks(at_once) {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("MGET").arg(self.full(bucket, keys));
            let answered: Vec<Option<Vec<u8>>> = self.ask_one(pipeline, until)?;
            if answered.len() != keys.len() {
                return Err(self.link.strange());
            }
            for (key, value) in keys.iter().zip(&answered) {
                let bytes = value.as_ref().map_or(0, Vec::len);
                if bytes > value_max {
                    let key = shown(key);
                    return Err(StoreError::Refused(format!(
                        "the value of key `{key}` has {bytes} bytes, and the pipeline's `grants.keyvalue` allows \
                         {value_max} (`value`)"
                    )));
                }
                room = room.checked_sub(bytes).ok_or_else(too_large_an_answer)?;
            }
            values.extend(answered);
        }
        Ok(values)
    }

    pub(super) fn set(
        &self,
        bucket: &str,
        entries: &[(String, Vec<u8>)],
        ttl: Option<Duration>,
        until: Instant,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::with_capacity(entries.len());
        for (key, value) in entries {
            let command = pipeline.cmd("SET").arg(self.key(bucket, key)).arg(value);
            if let Some(ttl) = ttl {
                command.arg("PX").arg(millis(ttl));
            }
        }
        self.ask(pipeline, until).map(drop)
    }

    pub(super) fn delete(&self, bucket: &str, keys: &[String], until: Instant) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(self.full(bucket, keys));
        self.ask(pipeline, until).map(drop)
    }

    pub(super) fn exists(&self, bucket: &str, key: &str, until: Instant) -> Result<bool, StoreError> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("EXISTS").arg(self.key(bucket, key));
        self.ask_one(pipeline, until)
    }

    pub(super) fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: u64,
        ttl: Option<Duration>,
        until: Instant,
    ) -> Result<u64, StoreError> {
        // Redis counts with a sign.
        let delta = i64::try_from(delta).map_err(|_| no_number(key))?;
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INCRBY").arg(self.key(bucket, key)).arg(delta);
        if let Some(ttl) = ttl {
            pipeline.cmd("PEXPIRE").arg(self.key(bucket, key)).arg(millis(ttl));
        }
        let sum: i64 = self.ask_one(pipeline, until)?;
        u64::try_from(sum).map_err(|_| no_number(key))
    }

    pub(super) fn keys(&self, bucket: &str, cursor: Option<u64>, until: Instant) -> Result<Keys, StoreError> {
        let begin = self.key(bucket, "");
        let mut pipeline = Pipeline::new();
        let pattern = format!("{}*", escaped(&begin));
        pipeline.cmd("SCAN").arg(cursor.unwrap_or(0)).arg("MATCH").arg(pattern).arg("COUNT").arg(PAGE);
        let (cursor, keys): (u64, Vec<Vec<u8>>) = self.ask_one(pipeline, until)?;
        // A key that is no text was not written by a module.
        let own = |key: Vec<u8>| String::from_utf8(key).ok()?.strip_prefix(&begin).map(str::to_owned);
        Ok((keys.into_iter().filter_map(own).collect(), Some(cursor).filter(|cursor| *cursor != 0)))
    }

    fn key(&self, bucket: &str, key: &str) -> String {
        format!("{}{bucket}:{key}", self.prefix)
    }

    fn full(&self, bucket: &str, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.key(bucket, key)).collect()
    }

    /// The first answer.
    fn ask_one<T: FromRedisValue>(&self, pipeline: Pipeline, until: Instant) -> Result<T, StoreError> {
        let first = self.ask(pipeline, until)?.into_iter().next().ok_or_else(|| self.link.strange())?;
        from_redis_value(first).map_err(|_| self.link.strange())
    }

    fn ask(&self, mut pipeline: Pipeline, until: Instant) -> Result<Vec<Value>, StoreError> {
        pipeline.ignore_errors();
        let wait = until.saturating_duration_since(Instant::now()).min(self.link.timeout);
        let (answer, answered) = crossbeam_channel::bounded(1);
        let link = Arc::clone(&self.link);
        self.runtime.spawn(async move {
            // Nobody may be waiting any more.
            drop(answer.send(link.exchange(&pipeline).await));
        });
        answered.recv_timeout(wait).unwrap_or_else(|_| Err(self.link.silent(wait)))
    }
}

impl Link {
    async fn greet(&self) -> Contact {
        let mut ping = Pipeline::new();
        ping.ignore_errors().cmd("PING");
        match self.exchange(&ping).await {
            Err(StoreError::Away(reason)) => Contact::Waits(Some(reason)),
            // Whoever may not ping may still read.
            Err(StoreError::Broken(reason)) if !reason.contains("NOPERM") => Contact::Failed(reason),
            _ => Contact::Made,
        }
    }

    async fn exchange(&self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let mut manager = self.manager().map_err(|error| self.failed(&error))?;
        let answers: RedisResult<Vec<RedisResult<Value>>> = pipeline.query_async(&mut manager).await;
        let answers = answers.map_err(|error| self.failed(&error))?;
        self.refused_passwords.store(0, Relaxed);
        answers.into_iter().map(|answer| answer.map_err(|error| self.refused(&error))).collect()
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        let mut manager = self.manager.lock();
        if let Some(manager) = &*manager {
            return Ok(manager.clone());
        }
        Ok(manager.insert(redis_client::manager(&self.opener, self.timeout)?).clone())
    }

    /// What an error means that came instead of answers.
    fn failed(&self, error: &RedisError) -> StoreError {
        if !error.is_io_error() {
            // Nothing of it is of use: neither its credentials nor what it was told at its begin.
            *self.manager.lock() = None;
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => {
                let refused = self.refused_passwords.fetch_add(1, Relaxed) + 1;
                if refused < REFUSED_PASSWORDS_MAX { self.away(error) } else { self.broken(error) }
            }
            ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => self.broken(error),
            // The client's own clock may run out just before that of who waits: the words are the same.
            ErrorKind::Io if error.is_timeout() => self.silent(self.timeout),
            ErrorKind::Io | ErrorKind::Parse => self.away(error),
            _ => match meaning(error.code().unwrap_or_default(), error.detail().unwrap_or_default()) {
                Meaning::Stops => self.broken(error),
                Meaning::Passes | Meaning::Refuses => self.away(error),
            },
        }
    }

    /// What an error means that is the answer to a command.
    fn refused(&self, error: &RedisError) -> StoreError {
        match meaning(error.code().unwrap_or_default(), error.detail().unwrap_or_default()) {
            Meaning::Passes => self.away(error),
            Meaning::Stops => self.broken(error),
            Meaning::Refuses => StoreError::Refused(self.say(error)),
        }
    }

    /// Host and port, without the password.
    fn say(&self, what: &dyn std::fmt::Display) -> String {
        format!("{}: {what}", self.opener.get_connection_info().addr())
    }

    fn away(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::Away(self.say(what))
    }

    fn silent(&self, wait: Duration) -> StoreError {
        self.away(&format_args!("no answer within {wait:?}"))
    }

    fn broken(&self, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::Broken(self.say(what))
    }

    fn strange(&self) -> StoreError {
        self.broken(&"an answer of another shape than Redis gives")
    }
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

/// Takes from a text what is special in a pattern of SCAN.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        if r"*?[]\^".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
        escaped
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn redis(url: &str, timeout: Duration) -> (Redis, tokio::runtime::Runtime) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        (Redis::new(url, "p:", timeout, runtime.handle()).expect("a URL"), runtime)
    }

    fn away(answer: Result<bool, StoreError>) -> String {
        match answer {
            Err(StoreError::Away(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn patterns_stand_for_themselves() {
        assert_eq!(escaped(r"a*b?[c]\^:"), r"a\*b\?\[c\]\\\^:");
    }

    #[test]
    fn a_server_that_never_answers_is_waited_for_no_longer_than_allowed() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = silent.local_addr().expect("an address");
        let (redis, _runtime) = redis(&format!("redis://:hunter2@{address}"), Duration::from_secs(60));
        let said = away(redis.exists("b", "k", Instant::now() + Duration::from_millis(30)));
        assert!(said.contains(&address.to_string()) && said.contains("no answer within"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        // The guest's time is over: nothing is waited for at all.
        assert!(away(redis.exists("b", "k", Instant::now())).contains("no answer within 0ns"));
    }

    #[test]
    fn a_server_that_is_not_there_is_away() {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let (redis, _runtime) = redis(&format!("redis://127.0.0.1:{port}"), Duration::from_secs(5));
        let until = Instant::now() + Duration::from_secs(5);
        assert!(away(redis.exists("b", "k", until)).contains("refused"));
        let said = loop {
            match redis.contact() {
                Contact::Waits(None) => std::thread::yield_now(),
                other => break other,
            }
        };
        assert!(matches!(said, Contact::Waits(Some(_))), "{said:?}");
    }
}
