//! How long a lane is between two batches, without the time in which it has nothing to do.

use std::time::{Duration, Instant};

use super::status::Counters;

/// From the end of a batch in the module to the begin of the next.
#[derive(Debug, Default)]
pub(super) struct Gap {
    began: Option<Instant>,
    waited: Duration,
    /// Another release was taken up in it.
    swapped: bool,
}

impl Gap {
    /// The module is done with a batch.
    pub(super) fn begin(&mut self) {
        *self = Self { began: Some(Instant::now()), ..Self::default() };
    }

    /// Waits for records or for room: no part of the gap.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = wait();
        self.waited += began.elapsed();
        result
    }

    pub(super) fn swapped(&mut self) {
        self.swapped = true;
    }

    /// The module gets its next batch.
    pub(super) fn end(&mut self, counters: &Counters) {
        let gap = if self.swapped { &counters.swap_gap } else { &counters.batch_gap };
        self.began.take().iter().for_each(|began| gap.note(began.elapsed().saturating_sub(self.waited)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_no_part_of_a_gap_and_a_swap_has_its_own() {
        const LONG: Duration = Duration::from_secs(1000);
        let (counters, mut gap) = (Counters::default(), Gap::default());
        let counts = |counters: &Counters| [&counters.batch_gap, &counters.swap_gap].map(|gaps| gaps.snapshot().count);
        // Nothing was before it.
        gap.end(&counters);
        assert_eq!(counts(&counters), [0, 0]);
        gap.begin();
        gap.waited = LONG;
        gap.end(&counters);
        assert_eq!(counts(&counters), [1, 0]);
        assert_eq!(gap.wait(|| 7), 7);
        gap.begin();
        gap.swapped();
        gap.began = gap.began.map(|began| began.checked_sub(LONG).expect("a time"));
        gap.end(&counters);
        assert_eq!(counts(&counters), [1, 1]);
        let seconds = [&counters.batch_gap, &counters.swap_gap].map(|gaps| gaps.snapshot().seconds);
        assert!(seconds[0] < 1.0 && (1000.0..1100.0).contains(&seconds[1]), "{seconds:?}");
        gap.begin();
        gap.end(&counters);
        assert_eq!(counts(&counters), [2, 1]);
    }
}
