//! Exponential back-off with jitter. Pure: the attempt and the chance are parameters.

use std::time::Duration;

/// Doubles from `from` up to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Backoff {
    /// How long to wait before attempt `attempt + 1`; `chance` in 0..1 spreads it over the upper half, so that lanes
    /// that failed together do not come back together.
    pub(super) fn wait(self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.from.saturating_mul(1_u32.checked_shl(attempt.min(31)).unwrap_or(u32::MAX));
        doubled.min(self.to.max(self.from)).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_its_cap_and_spreads() {
        let backoff = Backoff { from: Duration::from_millis(100), to: Duration::from_secs(30) };
        let waits = [0, 1, 2, 20, 10_000].map(|attempt| backoff.wait(attempt, 1.0).as_millis());
        assert_eq!(waits, [100, 200, 400, 30_000, 30_000]);
        assert_eq!(backoff.wait(0, 0.0), Duration::from_millis(50));
    }
}
