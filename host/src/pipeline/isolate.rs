//! Finds the rows that a batch fails for. Pure: the call is a parameter.

use std::ops::Range;

use super::transform::{Part, Poison, Refused, Transformed};
use crate::{engine::CallError, output::Output};

/// Calls with the whole range, and halves a range that fails for what may be one row, until such rows stand alone.
/// A poison row among n costs at most 2 log2(n) + 2 calls. Ranges are tried from left to right, so outputs keep the
/// order of rows.
pub(super) fn isolate(
    rows: Range<u32>,
    call: &mut dyn FnMut(Range<u32>) -> Result<Output, CallError>,
) -> Result<Transformed, Refused> {
    let mut done = Transformed::default();
    // Ranges that are still to be tried, the leftmost last.
    let mut ranges = vec![rows];
    while let Some(range) = ranges.pop() {
        match call(range.clone()) {
            Ok(output) => done.parts.push(Part { base: range.start, output }),
            Err(error @ CallError::Store(_)) => return Err(Refused::Again(error.to_string())),
            Err(CallError::Retry(reason)) => return Err(Refused::Again(reason)),
            Err(error) if !error.may_be_one_row() => return Err(Refused::Stop(error.to_string())),
            Err(error) if range.len() <= 1 => {
                let backtrace = error.backtrace().to_vec();
                done.poison.push(Poison { row: range.start, reason: error.to_string(), backtrace });
            }
            Err(_) => {
                let middle = range.start + (range.end - range.start) / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trap() -> CallError {
        CallError::Trap { message: "unreachable".into(), backtrace: vec!["f".into()] }
    }

    /// Calls that fail where the range holds one of `bad`; answers the result and the number of calls.
    fn run(rows: u32, bad: &[u32]) -> (Transformed, usize) {
        let mut calls = 0;
        let done = isolate(0..rows, &mut |range| {
            calls += 1;
            if bad.iter().any(|row| range.contains(row)) {
                return Err(trap());
            }
            Ok(Output { rows: (0..range.len() as u32).collect(), ..Output::default() })
        });
        (done.expect("isolated"), calls)
    }

    #[test]
    fn every_poison_row_stands_alone_and_the_rest_keeps_its_order() {
        for bad in [&[][..], &[0], &[9_999], &[4_711], &[3, 4, 5_000, 9_998]] {
            let (done, calls) = run(10_000, bad);
            let found: Vec<u32> = done.poison.iter().map(|poison| poison.row).collect();
            assert_eq!(found, bad);
            let rows: Vec<u32> =
                done.parts.iter().flat_map(|part| part.output.rows.iter().map(move |row| part.base + row)).collect();
            let want: Vec<u32> = (0..10_000).filter(|row| !bad.contains(row)).collect();
            assert_eq!(rows, want);
            let allowed = 1 + bad.len() * (2 * 14 + 2);
            assert!(calls <= allowed, "{calls} calls for {bad:?}, {allowed} allowed");
        }
    }

    #[test]
    fn a_request_to_retry_is_about_the_whole_batch() {
        let refused = isolate(0..8, &mut |range| {
            if range.len() > 4 { Err(trap()) } else { Err(CallError::Retry("later".into())) }
        });
        assert!(matches!(refused, Err(Refused::Again(reason)) if reason == "later"));
    }

    #[test]
    fn no_row_is_to_blame_for_a_store_that_is_away() {
        let refused = isolate(0..8, &mut |_| Err(CallError::Store("r:6379: no answer within 1s".into())));
        assert!(matches!(refused, Err(Refused::Again(reason)) if reason.contains("key-value store: r:6379")));
    }

    #[test]
    fn fatal_stops_at_once() {
        let mut calls = 0;
        let refused = isolate(0..8, &mut |_| {
            calls += 1;
            Err(CallError::Fatal("broken".into()))
        });
        assert!(matches!(refused, Err(Refused::Stop(_))));
        assert_eq!(calls, 1);
    }
}
