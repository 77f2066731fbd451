//! The records that go in, and what has to become of each.

use std::hash::{DefaultHasher, Hash, Hasher};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// Keys in all. A key has its number modulo [`PARTITIONS`] as its partition.
pub(crate) const KEYS: u64 = 3000;
/// Of the input topic.
pub(crate) const PARTITIONS: u64 = 6;
/// Records with a number that this divides are sampled as well.
pub(crate) const SAMPLE: u64 = 8;

/// What a record tells the module to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Keep,
    Two,
    Drop,
    Delete,
    Reject,
    Retry,
    Trap,
    Spin,
}

const WORDS: [(Word, &str); 8] = [
    (Word::Keep, "keep"),
    (Word::Two, "two"),
    (Word::Drop, "drop"),
    (Word::Delete, "delete"),
    (Word::Reject, "reject"),
    (Word::Retry, "retry"),
    (Word::Trap, "trap"),
    (Word::Spin, "spin"),
];

impl Word {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        WORDS.iter().find(|(_, word)| *word == text).map(|(word, _)| *word)
    }

    fn text(self) -> &'static str {
        WORDS.iter().find(|(word, _)| *word == self).map_or("", |(_, text)| text)
    }

    /// How many records it becomes on the main route.
    pub(crate) fn copies(self) -> usize {
        match self {
            Self::Keep | Self::Retry | Self::Delete => 1,
            Self::Two => 2,
            Self::Drop | Self::Reject | Self::Trap | Self::Spin => 0,
        }
    }

    pub(crate) fn is_dead(self) -> bool {
        matches!(self, Self::Reject | Self::Trap | Self::Spin)
    }

    /// Whether it takes the second route too, where its number says so.
    pub(crate) fn is_sampled(self) -> bool {
        self.copies() > 0 && self != Self::Delete
    }
}

/// Key and value of record `number` of a run with this seed.
pub(crate) fn record(seed: u64, number: u64) -> (String, String) {
    let mut random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    // Seldom is often enough: a retry holds its lane, a spinning row costs its deadline for each halving.
    let word = match random.random_range(0..40_000_u32) {
        0 => Word::Spin,
        1..10 => Word::Trap,
        10..20 => Word::Retry,
        20..100 => Word::Reject,
        100..1000 => Word::Delete,
        1000..2000 => Word::Drop,
        2000..3000 => Word::Two,
        _ => Word::Keep,
    };
    let key = (random.random_range(0..KEYS / PARTITIONS) * PARTITIONS + number % PARTITIONS).to_string();
    let pad = "x".repeat(random.random_range(0..120));
    let value = format!(r#"{{"n":{number},"do":"{}","key":"{key}","pad":"{pad}"}}"#, word.text());
    (key, value)
}

/// The word or number behind `name` in a flat object without blanks.
fn field<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split_once(name)?.1.split(['"', ',', '}']).next()
}

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) number: u64,
    pub(crate) word: Word,
    /// Of the value as it was written.
    pub(crate) hash: u64,
}

/// Reads a value as it was written.
pub(crate) fn written(value: &str) -> Option<Said> {
    let number = field(value, "\"n\":")?.parse().ok()?;
    Some(Said { number, word: Word::parse(field(value, "\"do\":\"")?)?, hash: hash(value) })
}

/// Reads a value that went through the module: what was written, and which of its row's records this is.
pub(crate) fn passed(value: &str) -> Option<(Said, u32)> {
    let (open, added) = value.rsplit_once(",\"nth\":")?;
    let nth = added.split(',').next()?.parse().ok()?;
    let is_marked = matches!(field(added, "\"mark\":\""), Some("A" | "B"));
    is_marked.then_some((written(&format!("{open}}}"))?, nth))
}

pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_known_again_behind_the_module() {
        let (key, value) = record(1, 42);
        assert_eq!(key.parse::<u64>().expect("a number") % PARTITIONS, 42 % PARTITIONS);
        let said = written(&value).expect("readable");
        assert_eq!(said.number, 42);
        let through = format!("{},\"nth\":1,\"mark\":\"B\"}}", value.trim_end_matches('}'));
        assert_eq!(passed(&through), Some((said, 1)));
        assert_eq!(passed(&through.replace("\"B\"", "\"C\"")), None);
        assert_ne!(passed(&through.replace("\"n\":42", "\"n\":43")).map(|(said, _)| said.hash), Some(said.hash));
    }
}
