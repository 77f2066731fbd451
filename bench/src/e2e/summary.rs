//! What the runs come to: medians with their range, and ratios to one peer.

use std::io::Write as _;

pub(crate) use super::run::Cell;
use super::{
    peer::{Delivery, Peer, shape_name},
    run::Run,
};
use crate::report::Report;

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct E2e {
    pub(crate) repetitions: u32,
    pub(crate) lines: Vec<Line>,
}

/// One peer at one cell.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) peer: Peer,
    pub(crate) delivery: Delivery,
    pub(crate) samples: Vec<Sample>,
    /// Why it has no more samples.
    pub(crate) failed: Option<String>,
}

/// One run, in the round of which it is compared with the others.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sample {
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) run: Run,
}

/// Median and range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Middle {
    /// Of numbers in any order; nothing of none.
    pub(crate) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let half = numbers.len() / 2;
        let median =
            if numbers.len() % 2 == 1 { numbers[half] } else { f64::midpoint(numbers[half - 1], numbers[half]) };
        Some(Self { median, min, max })
    }
}

impl Line {
    pub(crate) fn new(cell: Cell, peer: Peer, delivery: Delivery) -> Self {
        Self { cell, peer, delivery, samples: Vec::new(), failed: None }
    }

    /// What is measured, for a table.
    pub(crate) fn name(&self) -> String {
        match self.delivery {
            Delivery::AtLeastOnce => self.peer.name().to_owned(),
            Delivery::ExactlyOnce => format!("{}, exactly once", self.peer.name()),
        }
    }

    pub(crate) fn middle(&self, figure: fn(&Run) -> f64) -> Option<Middle> {
        Middle::of(self.samples.iter().map(|sample| figure(&sample.run)).collect())
    }

    /// Median of the ratios to another line's runs of the same rounds.
    pub(crate) fn ratio(&self, to: &Self, figure: fn(&Run) -> f64) -> Option<f64> {
        let ratio = |sample: &Sample| {
            let other = to.samples.iter().find(|other| other.round == sample.round)?;
            Some(figure(&sample.run) / figure(&other.run))
        };
        Middle::of(self.samples.iter().filter_map(ratio).collect()).map(|middle| middle.median)
    }

    /// Tells how a run went, for who waits.
    pub(crate) fn say(&self, round: u32, run: &Run) {
        let Self { cell: Cell { shape, size, codec }, peer, delivery, .. } = self;
        say(&format!(
            "{shape:?} {size} B {codec:?} {delivery:?}, round {round}: {:<10} {:>9.0} records/s, {:.3} CPU-s/M, broker {:.3}, \
             {:.0} MiB, first after {:.2} s",
            peer.name(),
            run.records_per_second,
            run.cpu,
            run.broker_cpu,
            run.peak_mib,
            run.first_output
        ));
    }

    pub(crate) fn say_failed(&self) {
        say(&format!("{} failed: {}", self.peer.name(), self.failed.as_deref().unwrap_or_default()));
    }
}

/// Tells who waits how far it is.
pub(crate) fn say(text: &str) {
    // Who cannot be told is not waiting.
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

impl E2e {
    /// What a line is compared with: `raw` at the same cell, or what stands first there.
    pub(crate) fn base(&self, line: &Line) -> Option<&Line> {
        let same = || self.lines.iter().filter(|other| other.cell == line.cell);
        same().find(|other| other.peer == Peer::Raw).or_else(|| same().next())
    }
}

impl Report for E2e {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = [
            "shape",
            "value",
            "codec",
            "peer",
            "records/s",
            "min to max",
            "CPU-s/M",
            "min to max",
            "broker",
            "peak MiB",
            "first s",
            "CPU ratio",
            "rate ratio",
        ];
        let row = |line: &Line| {
            let Cell { shape, size, codec } = line.cell;
            let mut row = vec![shape_name(shape).to_owned(), format!("{size} B"), codec.name().to_owned(), line.name()];
            let median = |figure, digits: usize| {
                line.middle(figure).map_or_else(|| "failed".into(), |middle| format!("{:.digits$}", middle.median))
            };
            let range = |figure, digits: usize| {
                let middle = line.middle(figure);
                middle.map_or_else(String::new, |Middle { min, max, .. }| format!("{min:.digits$} to {max:.digits$}"))
            };
            let ratio = |figure| {
                let ratio = self.base(line).and_then(|base| line.ratio(base, figure));
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            };
            row.extend([
                median(|run| run.records_per_second, 0),
                range(|run| run.records_per_second, 0),
                median(|run| run.cpu, 3),
                range(|run| run.cpu, 3),
                median(|run| run.broker_cpu, 2),
                median(|run| run.peak_mib, 0),
                median(|run| run.first_output, 2),
                ratio(|run| run.cpu),
                ratio(|run| run.records_per_second),
            ]);
            row
        };
        std::iter::once(head.map(str::to_owned).to_vec()).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let method = format!(
            "Medians of {} runs of each peer, which took turns; CPU-s/M: CPU-seconds of the process per million input records, between \
             the first output and the last; ratios: median of those of the same round, to `raw` or to the first peer.",
            self.repetitions
        );
        let failed = self.lines.iter().filter_map(|line| {
            line.failed.as_ref().map(|reason| format!("{} at {:?} failed: {reason}", line.peer.name(), line.cell))
        });
        std::iter::once(method).chain(failed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Middle::of(vec![4.0, 1.0, 3.0, 2.0]), Some(Middle { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Middle::of(vec![]), None);
    }
}
