//! What a guest says while it runs: log lines, standard output and error, metrics. Everything is bounded here, so that
//! whoever listens need not be on guard.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use parking_lot::Mutex;

/// Severity of a guest's log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where guests of a release are heard. Called from lane threads, in the middle of a batch: it must not block.
pub trait GuestOutput: Send + Sync {
    /// One line, at most 8 KiB, at most 1000 per second of an instance.
    fn log(&self, level: LogLevel, message: &str);

    /// Adds to a counter. Names are `[a-z0-9_]{1,64}`, at most 64 of an instance.
    fn count(&self, name: &str, by: u64);

    /// Notes a value.
    fn observe(&self, name: &str, value: f64);
}

/// Hears nothing.
pub struct NoOutput;

impl GuestOutput for NoOutput {
    fn log(&self, _level: LogLevel, _message: &str) {}
    fn count(&self, _name: &str, _by: u64) {}
    fn observe(&self, _name: &str, _value: f64) {}
}

/// Bytes of a line; the rest is cut off.
pub(super) const LINE_MAX: usize = 8 << 10;

/// Lines of an instance per second; what is above is counted and said in one line.
pub(super) const LINES_PER_SECOND: u32 = 1000;

/// Names of metrics of an instance; further ones are ignored, and that is said once.
pub(super) const METRICS_MAX: usize = 64;

/// Lines that are remembered for the message of a trap: a Python traceback or a Go stack is some twenty.
const LAST_WORDS: usize = 40;

/// Of these, the first ones of a call: a panic begins with its message, and a deep stack is longer than 40 lines.
const FIRST_WORDS: usize = 8;

/// Where a guest prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Out,
    Error,
}

/// One instance's mouth. Shared between the log import and the streams of WASI.
pub(super) struct Mouth {
    listener: Arc<dyn GuestOutput>,
    inner: Mutex<Inner>,
}

struct Inner {
    tokens: u32,
    filled: Instant,
    suppressed: u64,
    /// Lines under construction, at most `LINE_MAX` bytes each: what is longer becomes several.
    out: Vec<u8>,
    error: Vec<u8>,
    /// What was said as an error in the course of this call.
    last_words: VecDeque<String>,
    metrics: HashSet<String>,
    metrics_full: bool,
}

impl Inner {
    fn line(&mut self, channel: Channel) -> &mut Vec<u8> {
        match channel {
            Channel::Out => &mut self.out,
            Channel::Error => &mut self.error,
        }
    }
}

impl Mouth {
    pub(super) fn new(listener: Arc<dyn GuestOutput>) -> Arc<Self> {
        let inner = Inner {
            tokens: LINES_PER_SECOND,
            filled: Instant::now(),
            suppressed: 0,
            out: Vec::new(),
            error: Vec::new(),
            last_words: VecDeque::new(),
            metrics: HashSet::new(),
            metrics_full: false,
        };
        Arc::new(Self { listener, inner: Mutex::new(inner) })
    }

    /// A line. One that is an error may be the last before a trap, and is kept for its message: languages without a
    /// standard error say why they panic in this way.
    pub(super) fn log(&self, level: LogLevel, message: &str) {
        let suppressed = {
            let mut inner = self.inner.lock();
            if level == LogLevel::Error {
                if inner.last_words.len() == LAST_WORDS {
                    inner.last_words.remove(FIRST_WORDS);
                }
                inner.last_words.push_back(cut(message).to_owned());
            }
            if inner.filled.elapsed().as_secs() >= 1 {
                inner.filled = Instant::now();
                inner.tokens = LINES_PER_SECOND;
            }
            if inner.tokens == 0 {
                inner.suppressed += 1;
                return;
            }
            inner.tokens -= 1;
            std::mem::take(&mut inner.suppressed)
        };
        if suppressed > 0 {
            self.listener.log(LogLevel::Warn, &format!("{suppressed} lines were suppressed: the guest says too much"));
        }
        self.listener.log(level, cut(message));
    }

    /// What is printed, cut into lines: standard output is said at `info`, standard error at `error`.
    pub(super) fn print(&self, channel: Channel, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut inner = self.inner.lock();
            let line = inner.line(channel);
            let room = bytes.get(..bytes.len().min(LINE_MAX - line.len())).unwrap_or_default();
            let end = room.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(room.len());
            line.extend_from_slice(room.get(..taken).unwrap_or_default());
            let full = end.is_some() || line.len() == LINE_MAX;
            let line = full.then(|| std::mem::take(line));
            drop(inner);
            bytes = bytes.get(taken + usize::from(end.is_some())..).unwrap_or_default();
            if let Some(line) = line {
                self.say(channel, &line);
            }
        }
    }

    /// A call begins: what was said before it is no explanation of its end.
    pub(super) fn begin(&self) {
        self.inner.lock().last_words.clear();
    }

    /// A call ends: a line that was begun is as long as it will get.
    pub(super) fn end(&self) {
        for channel in [Channel::Out, Channel::Error] {
            let line = std::mem::take(self.inner.lock().line(channel));
            if !line.is_empty() {
                self.say(channel, &line);
            }
        }
    }

    fn say(&self, channel: Channel, line: &[u8]) {
        let level = match channel {
            Channel::Out => LogLevel::Info,
            Channel::Error => LogLevel::Error,
        };
        self.log(level, String::from_utf8_lossy(line).trim_end_matches('\r'));
    }

    /// What was said as an error in the course of this call.
    pub(super) fn take_last_words(&self) -> String {
        let mut inner = self.inner.lock();
        let lines: Vec<String> = inner.last_words.drain(..).collect();
        lines.join("\n").trim().to_owned()
    }

    pub(super) fn count(&self, name: &str, by: u64) {
        if self.admits(name) {
            self.listener.count(name, by);
        }
    }

    pub(super) fn observe(&self, name: &str, value: f64) {
        if self.admits(name) && value.is_finite() {
            self.listener.observe(name, value);
        }
    }

    fn admits(&self, name: &str) -> bool {
        let mut inner = self.inner.lock();
        if inner.metrics.contains(name) {
            return true;
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let good = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
        if good && inner.metrics.len() < METRICS_MAX {
            inner.metrics.insert(name.to_owned());
            return true;
        }
        if !std::mem::replace(&mut inner.metrics_full, true) {
            drop(inner);
            let name = cut(name);
            self.log(
                LogLevel::Warn,
                &format!("metric `{name}` is ignored: at most {METRICS_MAX} names of [a-z0-9_]{{1,64}} are kept"),
            );
        }
        false
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LINE_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl GuestOutput for Heard {
        fn log(&self, _level: LogLevel, message: &str) {
            self.0.lock().push(message.to_owned());
        }
        fn count(&self, name: &str, by: u64) {
            self.0.lock().push(format!("{name}+{by}"));
        }
        fn observe(&self, _name: &str, _value: f64) {}
    }

    #[test]
    fn a_flood_is_cut_in_lines_and_in_length() {
        let heard = Arc::new(Heard::default());
        let mouth = Mouth::new(heard.clone());
        (0..LINES_PER_SECOND * 3).for_each(|_| mouth.log(LogLevel::Info, &"ä".repeat(LINE_MAX)));
        let heard = heard.0.lock();
        assert!(heard.len() <= LINES_PER_SECOND as usize * 2, "{} lines", heard.len());
        assert_eq!(heard[0].len(), LINE_MAX);
    }

    #[test]
    fn what_is_printed_becomes_lines_and_the_last_words_of_its_call() {
        let heard = Arc::new(Heard::default());
        let mouth = Mouth::new(heard.clone());
        let long = vec![b'x'; LINE_MAX + 1];
        mouth.print(Channel::Error, b"an earlier call\n");
        mouth.begin();
        mouth.print(Channel::Out, b"one\ntw");
        mouth.print(Channel::Error, b"thread panicked\r\n");
        mouth.print(Channel::Out, b"o\n\n");
        mouth.log(LogLevel::Error, "logged");
        mouth.print(Channel::Out, &long);
        mouth.print(Channel::Error, b"no line's end");
        mouth.end();
        let said: Vec<String> = heard.0.lock().iter().map(|line| line.chars().take(20).collect()).collect();
        let xs = "x".repeat(20);
        let expected = ["an earlier call", "one", "thread panicked", "two", "", "logged", &xs, "x", "no line's end"];
        assert_eq!(said, expected);
        assert_eq!(mouth.take_last_words(), "thread panicked\nlogged\nno line's end");
        mouth.end();
        assert_eq!(heard.0.lock().len(), expected.len());
        mouth.begin();
        (0..100).for_each(|line| mouth.log(LogLevel::Error, &format!("{line}")));
        let words = mouth.take_last_words();
        let words: Vec<&str> = words.lines().collect();
        assert_eq!((words.len(), words[0], words[7], words[8], words[39]), (40, "0", "7", "68", "99"));
    }

    #[test]
    fn metric_names_are_bounded_in_shape_and_number() {
        let heard = Arc::new(Heard::default());
        let mouth = Mouth::new(heard.clone());
        mouth.count("rows", 1);
        mouth.count("Bad-Name", 1);
        (0..200).for_each(|name| mouth.count(&format!("n{name}"), 1));
        mouth.count("rows", 2);
        let heard = heard.0.lock();
        let counted = heard.iter().filter(|line| line.contains('+')).count();
        assert_eq!(counted, METRICS_MAX + 1);
        assert_eq!(heard.iter().filter(|line| line.contains("is ignored")).count(), 1);
        assert_eq!(heard.last().map(String::as_str), Some("rows+2"));
    }
}
