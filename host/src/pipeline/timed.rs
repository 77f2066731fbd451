//! A lane's side of the timed trigger: which planned time is due. Pure; the clock is a parameter, in milliseconds since
//! the Unix epoch.
//!
//! A fire that is due waits while the lane has something else to do (a batch that is held, sinks without room); if
//! others are planned meanwhile, it is called once for all, with the last planned time. Times that pass while the lane
//! does not fire at all (it is paused, or another one fires) are let go.

use crate::config;

/// Epoch of the rows of fires, which no partition gave: those of partitions begin with 1.
pub(super) const OF_FIRES: u64 = 0;

/// Epoch of batches by hand.
pub(super) const BY_HAND: u64 = u64::MAX;

/// How far the clock may go back before planned times are looked up anew, in milliseconds.
const BACKWARDS_MAX: i64 = 1000;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Timed {
    timer: Option<config::Timer>,
    next: Option<i64>,
    seen: i64,
}

impl Timed {
    /// Takes up a timer, or none. The same one again moves nothing.
    pub(super) fn set(&mut self, timer: Option<&config::Timer>, now: i64) {
        if self.timer.as_ref() != timer {
            self.timer = timer.cloned();
            self.let_go(now);
        }
    }

    pub(super) fn timer(&self) -> Option<&config::Timer> {
        self.timer.as_ref()
    }

    /// The planned time that is due.
    pub(super) fn due(&mut self, now: i64) -> Option<i64> {
        if now < self.seen - BACKWARDS_MAX {
            self.let_go(now);
        }
        self.seen = now;
        let next = self.next.filter(|next| *next <= now)?;
        self.timer.as_ref()?.schedule.last(now).map(|last| last.max(next))
    }

    /// Goes on with the first planned time after `now`.
    pub(super) fn let_go(&mut self, now: i64) {
        self.seen = now;
        self.next = self.timer.as_ref().and_then(|timer| timer.schedule.next(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Schedule, Timer, TimerScope};

    fn every(ms: u64) -> Timer {
        Timer { schedule: Schedule::Every(Duration::from_millis(ms)), scope: TimerScope::Pipeline }
    }

    #[test]
    fn a_planned_time_is_due_once_and_late_ones_are_one() {
        let mut timed = Timed::default();
        assert_eq!(timed.due(10_000), None);
        timed.set(Some(&every(1000)), 10_000);
        assert_eq!(timed.due(10_999), None);
        assert_eq!(timed.due(11_020), Some(11_000));
        timed.let_go(11_020);
        assert_eq!(timed.due(11_030), None);
        assert_eq!(timed.due(14_500), Some(14_000), "12, 13 and 14 s are one fire");
        timed.let_go(14_500);
        assert_eq!(timed.due(15_000), Some(15_000));
    }

    #[test]
    fn the_same_timer_again_moves_nothing_and_another_one_begins_anew() {
        let mut timed = Timed::default();
        timed.set(Some(&every(1000)), 10_000);
        timed.set(Some(&every(1000)), 11_500);
        assert_eq!(timed.due(11_500), Some(11_000));
        timed.set(Some(&every(500)), 11_600);
        assert_eq!(timed.due(11_999), None);
        assert_eq!(timed.due(12_000), Some(12_000));
        timed.set(None, 12_000);
        assert_eq!(timed.due(20_000), None);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_silence_it() {
        let mut timed = Timed::default();
        timed.set(Some(&every(1000)), 100_000);
        assert_eq!(timed.due(50_500), None);
        assert_eq!(timed.due(51_000), Some(51_000));
    }
}
