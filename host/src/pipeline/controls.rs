//! The controls of the trigger: what of a pipeline is changed while it runs, without a release and without a rebalance.
//! A lane looks whether they changed with every turn of its loop.

use std::time::Duration;

use crate::{
    config::{self, Schedule, Start, TimerScope},
    kafka::StartAt,
    source::BatchPolicy,
};

/// What lanes do as told, from the next batch on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Controls {
    pub(super) start: Start,
    pub(super) batch: config::BatchPolicy,
    pub(super) retries: u32,
    pub(super) backoff: config::Backoff,
    pub(super) timer: Option<config::Timer>,
}

impl Controls {
    pub(super) fn of(spec: &config::Pipeline) -> Self {
        Self {
            start: spec.source.start,
            batch: spec.source.batch,
            retries: spec.errors.retries,
            backoff: spec.errors.backoff,
            timer: spec.timer.clone(),
        }
    }

    pub(super) fn start(&self) -> StartAt {
        match self.start {
            Start::Earliest => StartAt::Earliest,
            Start::Latest => StartAt::Latest,
            Start::At(time) => StartAt::Time(time),
        }
    }

    pub(super) fn batch(&self) -> BatchPolicy {
        let config::BatchPolicy { records, bytes, linger } = self.batch;
        BatchPolicy { records, bytes, linger }
    }
}

/// The trigger of a pipeline as it is now, in the words of the pipeline file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Trigger {
    pub enabled: bool,
    /// `earliest`, `latest` or a time.
    pub start: String,
    pub batch: BatchTrigger,
    pub retries: u32,
    pub backoff: BackoffTrigger,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerTrigger>,
}

/// When a batch is due.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct BatchTrigger {
    pub records: usize,
    pub bytes: usize,
    pub linger: String,
}

/// The wait before a retry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct BackoffTrigger {
    pub from: String,
    pub to: String,
}

/// The timed trigger.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct TimerTrigger {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `pipeline` or `lane`.
    pub scope: String,
    /// The next planned time, RFC 3339; none while nothing runs.
    pub next: Option<String>,
}

impl Trigger {
    /// `now` in milliseconds since the Unix epoch, where planned times count from.
    pub fn of(spec: &config::Pipeline, now: i64) -> Self {
        let (source, errors) = (&spec.source, &spec.errors);
        Self {
            enabled: spec.enabled,
            start: match source.start {
                Start::Earliest => "earliest".into(),
                Start::Latest => "latest".into(),
                Start::At(time) => rfc3339(time),
            },
            batch: BatchTrigger {
                records: source.batch.records,
                bytes: source.batch.bytes,
                linger: words(source.batch.linger),
            },
            retries: errors.retries,
            backoff: BackoffTrigger { from: words(errors.backoff.from), to: words(errors.backoff.to) },
            timer: spec.timer.as_ref().map(|timer| TimerTrigger::of(timer, spec.enabled.then_some(now))),
        }
    }
}

impl TimerTrigger {
    fn of(timer: &config::Timer, now: Option<i64>) -> Self {
        let (every, cron) = match &timer.schedule {
            Schedule::Every(every) => (Some(words(*every)), None),
            Schedule::Cron(cron) => (None, Some(cron)),
        };
        Self {
            every,
            cron: cron.map(|cron| cron.text().into()),
            timezone: cron.map(|cron| cron.zone()),
            scope: match timer.scope {
                TimerScope::Pipeline => "pipeline".into(),
                TimerScope::Lane => "lane".into(),
            },
            next: now.and_then(|now| timer.schedule.next(now)).map(rfc3339),
        }
    }
}

/// As the pipeline file has durations.
fn words(duration: Duration) -> String {
    format!("{duration:?}")
}

pub(super) fn rfc3339(time: i64) -> String {
    jiff::Timestamp::from_millisecond(time).map_or_else(|_| time.to_string(), |time| time.to_string())
}

/// The host's clock, in milliseconds since the Unix epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
