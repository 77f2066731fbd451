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

/// Lines of standard error that are remembered for the message of a trap, from the first ones of a call and from its last
/// ones each: a panic of Rust or Go begins with its message, an exception of Python ends with it.
const WORDS: usize = 12;

/// What a guest says on standard error in the course of one call.
#[derive(Default)]
struct Words {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
}

impl Words {
    fn push(&mut self, line: &str) {
        let line = line.to_owned();
        if self.first.len() < WORDS {
            self.first.push(line);
            return;
        }
        if self.last.len() == WORDS {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    fn text(self) -> String {
        let gap = (self.left_out > 0).then(|| format!("... {} lines ...", self.left_out));
        let lines: Vec<String> = self.first.into_iter().chain(gap).chain(self.last).collect();
        lines.join("\n")
    }
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
    words: Words,
    metrics: HashSet<String>,
    metrics_full: bool,
}

impl Mouth {
    pub(super) fn new(listener: Arc<dyn GuestOutput>) -> Arc<Self> {
        let inner = Inner {
            tokens: LINES_PER_SECOND,
            filled: Instant::now(),
            suppressed: 0,
            words: Words::default(),
            metrics: HashSet::new(),
            metrics_full: false,
        };
        Arc::new(Self { listener, inner: Mutex::new(inner) })
    }

    pub(super) fn log(&self, level: LogLevel, message: &str) {
        let suppressed = {
            let mut inner = self.inner.lock();
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

    /// A line of standard error: also kept for the message of a trap.
    pub(super) fn error_line(&self, line: &str) {
        self.inner.lock().words.push(cut(line));
        self.log(LogLevel::Error, line);
    }

    /// What was said on standard error since the last call of this; a call of the guest begins with it.
    pub(super) fn take_words(&self) -> String {
        std::mem::take(&mut self.inner.lock().words).text()
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
    fn the_begin_and_the_end_of_what_was_said_are_kept() {
        let mouth = Mouth::new(Arc::new(NoOutput));
        mouth.error_line("alone");
        assert_eq!(mouth.take_words(), "alone");
        assert_eq!(mouth.take_words(), "");
        (0..100).for_each(|line| mouth.error_line(&format!("line {line}")));
        let words = mouth.take_words();
        assert!(words.starts_with("line 0\n") && words.ends_with("\nline 99"), "{words}");
        assert!(words.contains("line 11\n... 76 lines ...\nline 88\n"), "{words}");
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
