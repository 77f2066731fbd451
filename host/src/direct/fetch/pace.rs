//! When a broker is asked again that had nothing more.
//!
//! Where records trickle, a fetch that follows at once on the one before brings a few of them, and costs host and broker
//! what one of a thousand costs. So a broker whose answer held all that was there, and a full batch of no partition, is
//! left alone for as long as a batch may wait for more records. They wait at the broker then, instead of in the lane:
//! rows of such an answer count as having waited since the answer before it, and are due when they come. The first ones
//! after a quiet time come at once, since a fetch waits for them.
//!
//! A record waits no longer for it than `linger`, and a batch that is full at most [`PAUSE_MAX`]. No IO; time is a
//! parameter.

use std::time::Duration;

use tokio::time::Instant;

/// Longest pause: what fills a batch by its number or its bytes is not to wait for a `linger` of seconds.
const PAUSE_MAX: Duration = Duration::from_millis(25);

/// When a batch is due, as far as fetching is concerned. By default brokers are asked again at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Of one partition.
    pub records: usize,
    /// Of one partition.
    pub bytes: usize,
    /// How long a record may wait for others.
    pub linger: Duration,
}

impl Pace {
    pub(super) fn fills(self, records: usize, bytes: usize) -> bool {
        records >= self.records || bytes >= self.bytes
    }
}

/// Where a broker stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// When its last answer with records came.
    brought_at: Option<Instant>,
    /// That answer was the last one, and held all that was there.
    rests: bool,
}

impl Rest {
    /// Since when records of an answer that comes now, and holds all there is, may have waited at the broker. The first
    /// ones are due, like those after a quiet time.
    pub(super) fn since(self, pace: Pace, now: Instant) -> Instant {
        self.brought_at.or_else(|| now.checked_sub(pace.linger)).unwrap_or(now)
    }

    /// An answer came: with records or without, and with all that was there, in no partition a full batch, or not.
    pub(super) fn note(&mut self, has_records: bool, is_all: bool, now: Instant) {
        if has_records {
            self.brought_at = Some(now);
        }
        self.rests = has_records && is_all;
    }

    /// It is to be asked now, whatever it brought.
    pub(super) fn end(&mut self) {
        self.rests = false;
    }

    /// It is not to be asked before.
    pub(super) fn until(self, pace: Pace) -> Option<Instant> {
        self.brought_at.filter(|_| self.rests).map(|at| at + pace.linger.min(PAUSE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_a_broker_that_brought_all_it_had_rests_for_no_longer_than_a_record_may_wait() {
        let (begin, pace) = (Instant::now(), Pace { records: 10, bytes: 1000, linger: 5 * MS });
        let mut rest = Rest::default();
        let noted = |rest: &mut Rest, has_records, is_all, at| {
            rest.note(has_records, is_all, begin + at);
            rest.until(pace)
        };
        assert_eq!(rest.until(pace), None);
        assert_eq!(noted(&mut rest, true, true, 2 * MS), Some(begin + 7 * MS));
        assert_eq!(rest.until(Pace { linger: 1000 * MS, ..pace }), Some(begin + 2 * MS + PAUSE_MAX));
        assert_eq!(rest.until(Pace::default()), Some(begin + 2 * MS), "which is over");
        // Nothing was there: the fetch that waits at the broker follows at once.
        assert_eq!(noted(&mut rest, false, true, 7 * MS), None);
        assert_eq!(noted(&mut rest, true, false, 8 * MS), None, "more is there");
        noted(&mut rest, true, true, 9 * MS);
        rest.end();
        assert_eq!(rest.until(pace), None);
    }

    #[test]
    fn records_have_waited_since_the_last_ones_came() {
        let (begin, pace) = (Instant::now(), Pace { records: 10, bytes: 1000, linger: 5 * MS });
        let mut rest = Rest::default();
        assert_eq!(rest.since(pace, begin + 5 * MS), begin, "nothing is known of the time before");
        rest.note(true, true, begin);
        rest.note(false, true, begin + 3 * MS);
        assert_eq!(rest.since(pace, begin + 4 * MS), begin);
    }

    #[test]
    fn a_batch_is_full_by_records_or_by_bytes() {
        let pace = Pace { records: 10, bytes: 1000, linger: MS };
        let full = [(9, 999), (10, 0), (0, 1000)].map(|(records, bytes)| pace.fills(records, bytes));
        assert_eq!(full, [false, true, true]);
    }
}
