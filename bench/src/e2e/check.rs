//! Whether a peer did the work: what lies in its output topics, compared with what must lie there.
//!
//! Count and sum of hashes over key, value and, where the peer can keep it, timestamp: in no order, since records of one
//! input partition may come out in any output partition.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::ensure;

use super::{
    kafka::Kafka,
    workload::{Content, Shape},
};

/// Of one topic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    hashes: u64,
    /// Over key and value alone.
    timeless: u64,
}

impl Sum {
    fn add(&mut self, key: &[u8], value: &[u8], timestamp: i64) {
        let mut hasher = DefaultHasher::new();
        (key, value).hash(&mut hasher);
        self.count += 1;
        self.timeless = self.timeless.wrapping_add(hasher.finish());
        timestamp.hash(&mut hasher);
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }

    /// Whether both are of the same records; without `time`, whatever their timestamps.
    fn is(&self, other: &Self, time: bool) -> bool {
        self.count == other.count && self.timeless == other.timeless && (!time || self.hashes == other.hashes)
    }
}

/// What must lie in the topic of each route.
///
/// # Errors
/// None that the content can cause.
pub(crate) fn expected(shape: Shape, content: Content, size: usize, records: u64) -> anyhow::Result<Vec<Sum>> {
    let mut sums = vec![Sum::default(); shape.routes()];
    for number in 0..records {
        let record = content.record(number, size);
        let value = shape.becomes(&record.value)?;
        for (route, sum) in sums.iter_mut().enumerate() {
            if shape.takes(number, route) {
                sum.add(record.key.as_bytes(), &value, record.timestamp);
            }
        }
    }
    Ok(sums)
}

/// Reads the topics of the routes and compares; without `time`, whatever the timestamps.
///
/// # Errors
/// They differ: the run must not count.
pub(crate) fn check(
    kafka: &Kafka,
    shape: Shape,
    topics: &[String],
    expected: &[Sum],
    time: bool,
) -> anyhow::Result<()> {
    for (topic, expected) in topics.iter().zip(expected) {
        let mut sum = Sum::default();
        kafka.read(topic, expected.count, &mut |key, value, timestamp| {
            sum.add(key, &shape.comparable(value)?, timestamp);
            Ok(())
        })?;
        ensure!(sum.is(expected, time), "{topic} holds {sum:?} where {expected:?} must be");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_tells_apart_what_differs_and_not_its_order() {
        let sum = |records: &[(&str, &str, i64)]| {
            let mut sum = Sum::default();
            records.iter().for_each(|(key, value, time)| sum.add(key.as_bytes(), value.as_bytes(), *time));
            sum
        };
        let both = sum(&[("a", "1", 1), ("b", "2", 2)]);
        assert!(both.is(&sum(&[("b", "2", 2), ("a", "1", 1)]), true));
        for other in [sum(&[("a", "1", 1)]), sum(&[("a", "1", 1), ("b", "2", 3)]), sum(&[("a", "2", 1), ("b", "1", 2)])]
        {
            assert!(!both.is(&other, true));
        }
    }

    #[test]
    fn without_time_it_is_the_timestamp_alone_that_may_differ() {
        let sum = |key: &str, value: &str, time: i64| {
            let mut sum = Sum::default();
            sum.add(key.as_bytes(), value.as_bytes(), time);
            sum
        };
        let one = sum("a", "1", 1);
        assert!(one.is(&sum("a", "1", 2), false) && !one.is(&sum("a", "1", 2), true));
        assert!([sum("b", "1", 1), sum("a", "2", 1), Sum::default()].iter().all(|other| !one.is(other, false)));
    }
}
