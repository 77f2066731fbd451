//! What the demo shows while it runs: one block of lines that is drawn over, or nothing where no terminal looks.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::PIPELINE;
use crate::control::Controller;

/// Time between two drawings.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Screen {
    drawn: Instant,
    checked: u64,
    bars: Option<Bars>,
}

struct Bars {
    _all: MultiProgress,
    progress: ProgressBar,
    pipeline: ProgressBar,
    release: ProgressBar,
}

impl Screen {
    pub(super) fn new(live: bool, records: Option<u64>) -> Self {
        Self { drawn: Instant::now(), checked: 0, bars: live.then(|| Bars::new(records)) }
    }

    pub(super) fn draw(&mut self, controller: &Controller, checked: u64) {
        let Some(bars) = &self.bars else { return };
        let elapsed = self.drawn.elapsed();
        if elapsed < INTERVAL {
            return;
        }
        let rate = (checked - self.checked) as f64 / elapsed.as_secs_f64();
        (self.drawn, self.checked) = (Instant::now(), checked);
        bars.progress.set_position(checked);
        let Ok(status) = controller.status(PIPELINE) else { return };
        let mut p99 = None;
        controller.for_each_counters(|_, counters, _| p99 = counters.batch_time.quantile(0.99));
        let p99 = p99.map_or_else(|| "-".into(), |p99| format!("{:.2} ms", p99.as_secs_f64() * 1e3));
        let lag = status.lag.map_or_else(|| "-".into(), |lag| lag.to_string());
        bars.pipeline.set_message(format!("{rate:>9.0} records/s   lag {lag:>7}   p99 per batch {p99:>9}"));
        bars.release.set_message(format!(
            "release {}  {}@{}   in {}  out {}  dead-lettered {}",
            status.release,
            status.module.name,
            status.module.version,
            status.records.r#in,
            status.records.out,
            status.records.dead_lettered
        ));
    }

    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            [&bars.progress, &bars.pipeline, &bars.release].into_iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}

impl Bars {
    fn new(records: Option<u64>) -> Self {
        let all = MultiProgress::new();
        let progress = all.add(match records {
            Some(records) => ProgressBar::new(records),
            None => ProgressBar::no_length(),
        });
        let template = match records {
            Some(_) => "{bar:50} {human_pos} of {human_len} records",
            None => "{spinner} {human_pos} records, ctrl-c to end",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        let line = || {
            let line = all.add(ProgressBar::no_length());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                line.set_style(style);
            }
            line
        };
        let (pipeline, release) = (line(), line());
        Self { _all: all, progress, pipeline, release }
    }
}
