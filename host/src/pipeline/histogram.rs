//! A histogram of durations in atomics: fixed buckets, sixteen to a doubling, so a quantile is at most a sixteenth too
//! high.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// A doubling of nanoseconds has as many buckets of the same width.
const PARTS: usize = 1 << PARTS_LOG;
const PARTS_LOG: usize = 4;

/// Up to 2^40 nanoseconds, which is 18 minutes.
const BUCKETS: usize = 41 * PARTS;

/// Doublings of nanoseconds that [`Histogram::snapshot`] tells apart: 4 us to 34 s.
const TOLD: std::ops::Range<usize> = 12..35;

#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Nanoseconds.
    sum: AtomicU64,
}

/// A histogram at one moment, as Prometheus has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub seconds: f64,
    pub count: u64,
    /// Upper end in seconds, and how many lie between the one before and this one. The last end is infinite.
    pub buckets: Vec<(f64, u64)>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub fn note(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(PARTS as u64);
        self.buckets[bucket(ns)].fetch_add(1, Relaxed);
        self.sum.fetch_add(ns, Relaxed);
    }

    /// One bucket for each doubling.
    pub fn snapshot(&self) -> Snapshot {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let sum = |parts: &[u64]| parts.iter().sum::<u64>();
        let mut buckets = vec![(0.0, 0); TOLD.len()];
        for (doubling, parts) in counts.chunks(PARTS).enumerate().take(TOLD.end) {
            let at = doubling.saturating_sub(TOLD.start);
            buckets[at].0 = (1_u64 << (doubling + 1)) as f64 / 1e9;
            buckets[at].1 += sum(parts);
        }
        buckets.push((f64::MAX, sum(&counts[TOLD.end * PARTS..])));
        Snapshot { seconds: self.sum.load(Relaxed) as f64 / 1e9, count: sum(&counts), buckets }
    }

    /// The duration that a share of the noted ones stays at or below, as the upper end of its bucket; `None` where
    /// nothing was noted. `quantile` in 0..=1.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        self.weighed(quantile, |_| 1.0)
    }

    /// The same of those that a moment at random falls into: long ones are met more often than short ones. Each begins
    /// after `before`, which belongs to it.
    pub fn quantile_met(&self, quantile: f64, before: Duration) -> Option<Duration> {
        self.weighed(quantile, |index| before.as_nanos() as f64 + upper(index) as f64)
    }

    /// Where nothing was noted: `None`.
    pub fn mean(&self) -> Option<Duration> {
        let count: u64 = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        Some(Duration::from_nanos(self.sum.load(Relaxed).checked_div(count)?))
    }

    fn weighed(&self, quantile: f64, weight: impl Fn(usize) -> f64) -> Option<Duration> {
        let of = |(index, bucket): (usize, &AtomicU64)| bucket.load(Relaxed) as f64 * weight(index);
        let weights: Vec<f64> = self.buckets.iter().enumerate().map(of).collect();
        let wanted = weights.iter().sum::<f64>() * quantile;
        let (mut seen, mut last) = (0.0, None);
        for (index, weight) in weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0) {
            seen += weight;
            last = Some(Duration::from_nanos(upper(index)));
            if seen >= wanted {
                break;
            }
        }
        last
    }
}

fn bucket(ns: u64) -> usize {
    let doublings = ns.ilog2() as usize;
    let part = (ns >> (doublings - PARTS_LOG)) as usize % PARTS;
    (doublings * PARTS + part).min(BUCKETS - 1)
}

fn upper(index: usize) -> u64 {
    let (doublings, part) = (index / PARTS, index % PARTS);
    ((PARTS + part + 1) as u64) << doublings >> PARTS_LOG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_a_sixteenth_too_high() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1000).for_each(|us| histogram.note(Duration::from_micros(us)));
        for (quantile, us) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(quantile).expect("noted").as_secs_f64() * 1e6;
            assert!((1.0..1.0625).contains(&(found / us)), "{quantile}: {found} us for {us}");
        }
    }

    #[test]
    fn a_moment_at_random_falls_into_long_ones_more_often() {
        let histogram = Histogram::default();
        assert_eq!((histogram.quantile_met(0.5, Duration::ZERO), histogram.mean()), (None, None));
        // 990 ms in short ones, and 990 ms in a single long one, which is near the end of its doubling.
        (0..990).for_each(|_| histogram.note(Duration::from_millis(1)));
        histogram.note(Duration::from_millis(990));
        assert_eq!(histogram.mean().expect("noted").as_micros(), 1980 * 1000 / 991);
        let met = |quantile, before| histogram.quantile_met(quantile, before).expect("noted").as_millis();
        assert!(histogram.quantile(0.99).expect("noted").as_millis() < 2);
        assert!(met(0.45, Duration::ZERO) < 2);
        assert!((990..1060).contains(&met(0.6, Duration::ZERO)));
        // What comes before each is long: the gaps themselves hardly count.
        assert!(met(0.6, Duration::from_secs(10)) < 2);
        assert!((990..1060).contains(&met(1.0, Duration::from_secs(10))));
    }

    #[test]
    fn a_snapshot_has_everything_in_ascending_buckets() {
        let histogram = Histogram::default();
        let noted = [1, 5000, 3_000_000, 3_100_000, 60_000_000_000];
        noted.iter().for_each(|ns| histogram.note(Duration::from_nanos(*ns)));
        let Snapshot { seconds, count, buckets } = histogram.snapshot();
        assert_eq!((count, buckets.iter().map(|bucket| bucket.1).sum::<u64>()), (5, 5));
        assert!((seconds - 60.0061).abs() < 0.0001, "{seconds}");
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0));
        let of = |seconds: f64| buckets.iter().find(|bucket| seconds <= bucket.0).expect("a bucket").1;
        assert_eq!([of(0.000_001), of(0.000_005), of(0.003), of(60.0)], [2, 2, 2, 1]);
    }
}
