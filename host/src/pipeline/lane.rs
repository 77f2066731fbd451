//! A lane: one OS thread with one consumer, one module instance and its sinks.
//!
//! ```text
//! serve the group -> settle -> commit -> adopt the live release -> fire, or receive -> transform -> deliver -> ...
//! ```
//!
//! Nothing in the loop blocks for long, so the group is served whatever the sinks do: when they have no room, the lane
//! reads no more and goes on polling, and the client's bounded queue is the back-pressure. A batch sees one release.
//! Under exactly-once the module works ahead while a transaction waits for its commit ([`Ahead`]).
//! A lane that cannot go on ends, and its supervisor starts a new one from what is committed.

mod report;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use report::names;
use tokio::runtime::Handle;

use super::{
    ahead::Ahead,
    backoff::Backoff,
    controls::{Controls, now},
    flight::{Flight, Stuck},
    gap::Gap,
    handover::Handover,
    release::Release,
    shared::Shared,
    status::State,
    steering::Wish,
    timed::Timed,
    transform::{Refused, Transformed, Transformer},
    work::{Held, Work, row_of_fire},
};
use crate::{
    batch::Batch,
    config::TimerScope,
    engine::{CallError, Fire, StartError},
    kafka::{KafkaError, Partition, Trouble},
    source::{Assignment, Source, SourceEvent},
};

/// Longest wait for a record before the loop comes round: settlements, commits and the group are served as often.
const IDLE_WAIT: Duration = Duration::from_millis(20);

/// The same where nothing is in flight: coming round costs some 40 us, and a hundred pipelines with little to do are to
/// cost little. On the direct path a lane is woken when something is wished of it.
const REST_WAIT: Duration = Duration::from_millis(100);

/// Wait while the sinks have no room, or nothing is to be read.
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// Sinks without room are looked at after this part of the time since one last settled something: a slow one does not
/// have its lane come round a thousand times a second.
const PART_OF_WAIT: u32 = 4;

/// How long what is in flight of a revoked partition may take to be delivered. Beyond half of the session timeout the
/// group would take the partition away; it is then delivered again by its next owner.
const REVOKE_DEADLINE: Duration = Duration::from_secs(20);

/// How a lane ended.
#[derive(Debug)]
pub(super) enum End {
    /// As wished. What was still in flight at the deadline is read again later.
    Stopped {
        left: usize,
    },
    /// As wished, until something else is.
    Resting {
        left: usize,
    },
    Stuck(Stuck),
}

pub(super) struct Lane<'a> {
    shared: &'a Shared,
    index: usize,
    source: Source,
    flight: Flight,
    transformer: Transformer,
    /// Lets go of earlier releases beside the lane.
    runtime: Handle,
    handover: Handover,
    controls: Arc<Controls>,
    timed: Timed,
    /// Fires asked for by hand that were seen.
    asked: u64,
    held: Option<Held>,
    /// Transformed while the transaction was closed. They come before what is held.
    ahead: Ahead,
    /// Epochs of which it was said where the live release began.
    announced: HashSet<u64>,
    events: Vec<SourceEvent>,
    stalled: bool,
    /// Whether the group has ever given partitions, or none.
    assigned: bool,
    /// Why the source has not answered yet, as it was said.
    unreached: Option<String>,
    reported_at: Option<Instant>,
    gap: Gap,
}

impl<'a> Lane<'a> {
    /// `controls` are those that the source was built with: others may have been set since, which the first turn takes
    /// up.
    pub(super) fn new(
        shared: &'a Shared,
        controls: Arc<Controls>,
        index: usize,
        source: Source,
        flight: Flight,
        runtime: Handle,
    ) -> Self {
        let mut timed = Timed::default();
        timed.set(controls.timer.as_ref(), now());
        shared.steering.set_waker(index, source.waker());
        Self {
            shared,
            index,
            source,
            flight,
            transformer: Transformer::new(shared.release()),
            runtime,
            handover: Handover::default(),
            controls,
            timed,
            asked: shared.steering.asked(),
            held: None,
            ahead: Ahead::default(),
            announced: HashSet::new(),
            events: Vec::new(),
            stalled: false,
            assigned: false,
            unreached: None,
            reported_at: None,
            gap: Gap::default(),
        }
    }

    /// `seen` is the turn of the steering that was seen last.
    pub(super) fn run(mut self, seen: &mut u64) -> End {
        if let Err(error) = self.transformer.warm_up() {
            return End::Stuck(match error {
                StartError::Call(CallError::Store(_)) => Stuck::Restart(error.to_string()),
                _ => Stuck::Failed(error.to_string()),
            });
        }
        if let Err(stuck) = self.flight.take_over() {
            return End::Stuck(stuck);
        }
        loop {
            let (wish, turn) = self.shared.steering.look();
            *seen = turn;
            match wish {
                Wish::Stop(deadline) => return End::Stopped { left: self.finish(deadline) },
                Wish::Rest(deadline) => return End::Resting { left: self.finish(deadline) },
                Wish::Run | Wish::Pause => {}
            }
            let turned = self.turn(wish == Wish::Pause);
            self.handover.conclude(self.shared, &self.runtime);
            if let Err(stuck) = turned {
                return End::Stuck(stuck);
            }
        }
    }

    fn turn(&mut self, paused: bool) -> Result<(), Stuck> {
        self.serve_group()?;
        self.settle()?;
        self.flight.commit(&self.source, false)?;
        self.adopt();
        self.take_up_controls();
        self.report();
        let room = self.flight.has_room();
        self.note_stall();
        if room && let Some((batch, transformed)) = self.ahead.pop() {
            return self.deliver(batch, &transformed);
        }
        if paused {
            self.let_times_go();
            self.gap.wait(|| self.shared.steering.wait(IDLE_WAIT));
        } else if !room {
            if !self.work_ahead()? {
                let wait = self.flight.stuck_for().unwrap_or_default() / PART_OF_WAIT;
                self.gap.wait(|| self.shared.steering.wait(wait.clamp(BUSY_WAIT, IDLE_WAIT)));
            }
        } else if let Some(held) = self.held.take_if(|held| held.until <= Instant::now()) {
            self.work(held.work, held.attempt, Some(held.since))?;
        } else if let Some(held) = &self.held {
            let wait = held.until.saturating_duration_since(Instant::now()).min(IDLE_WAIT);
            self.gap.wait(|| self.shared.steering.wait(wait));
        } else if let Some(at) = self.fire_due() {
            self.work(Work::Fire(at), 0, None)?;
        } else {
            let wait = self.idle_wait();
            self.gap.wait(|| self.source.receive(wait)).map_err(restart)?;
            while self.held.is_none()
                && self.flight.has_room()
                && let Some(batch) = self.source.next_batch()
            {
                self.work(Work::Batch(batch), 0, None)?;
                self.settle()?;
            }
        }
        Ok(())
    }

    fn idle_wait(&self) -> Duration {
        let rests = self.flight.is_empty() && !self.flight.in_transaction() && self.timed.timer().is_none();
        // While the group forms, each of its steps waits for the lane.
        if rests && self.source.assignments().next().is_some() { REST_WAIT } else { IDLE_WAIT }
    }

    /// Gives a batch or a fire to the live release, and its outputs to the sinks. `since` says when it was held first.
    fn work(&mut self, work: Work, attempt: u32, since: Option<Instant>) -> Result<(), Stuck> {
        match self.transform(work, attempt, since)? {
            Some((batch, transformed)) => self.deliver(batch, &transformed),
            None => Ok(()),
        }
    }

    fn deliver(&mut self, batch: Batch, transformed: &Transformed) -> Result<(), Stuck> {
        self.flight.deliver(batch, transformed, self.transformer.release(), &self.shared.counters)
    }

    /// Transforms a batch that is there already while the transaction waits for its commit. Answers whether it did.
    fn work_ahead(&mut self) -> Result<bool, Stuck> {
        let may = self.flight.is_closing() && self.held.is_none() && self.ahead.has_room();
        if !may || !self.shared.is_live(self.transformer.release()) {
            return Ok(false);
        }
        self.source.receive(Duration::ZERO).map_err(restart)?;
        let Some(batch) = self.source.next_batch() else { return Ok(false) };
        if let Some((batch, transformed)) = self.transform(Work::Batch(batch), 0, None)? {
            self.ahead.push(batch, transformed);
        }
        Ok(true)
    }

    /// Gives a batch or a fire to the live release. None: it is held, or has nothing to say.
    fn transform(
        &mut self,
        work: Work,
        attempt: u32,
        since: Option<Instant>,
    ) -> Result<Option<(Batch, Transformed)>, Stuck> {
        let attempt = if self.adopt() { 0 } else { attempt };
        let counters = &self.shared.counters;
        if let Work::Batch(batch) = &work {
            self.announce(batch);
            self.gap.end(counters);
        }
        let started = Instant::now();
        let transformed = match &work {
            Work::Batch(batch) => {
                let (transformer, source, events) = (&mut self.transformer, &mut self.source, &mut self.events);
                let mut unserved = None;
                let transformed = transformer.transform(batch, attempt, &mut || {
                    unserved = source.poll(events).err().or(unserved.take());
                });
                if let Some(error) = unserved {
                    return Err(restart(error));
                }
                self.gap.begin();
                transformed
            }
            // A release without a timer has taken over while it was held.
            Work::Fire(_) if self.transformer.release().check_timer().is_err() => return Ok(None),
            Work::Fire(at) => self.transformer.fire(Fire { at: *at, now: now().max(*at), attempt }),
        };
        counters.module_ns.fetch_add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        counters.guest_memory.store(self.transformer.memory_bytes() as u64, Relaxed);
        counters.recycled.fetch_add(self.transformer.take_recycled(), Relaxed);
        if let Work::Batch(_) = &work {
            counters.batch_time.note(started.elapsed());
        }
        let transformed = match transformed {
            Ok(transformed) => transformed,
            Err(Refused::Stop(reason)) => return Err(Stuck::Failed(reason)),
            Err(Refused::Again(reason)) => {
                return self.hold(work, attempt, since.unwrap_or(started), reason).map(|()| None);
            }
        };
        let batch = match work {
            Work::Batch(batch) => {
                counters.bytes_in.fetch_add(batch.bytes as u64, Relaxed);
                batch
            }
            Work::Fire(at) => {
                let lowest = self.source.assignments().map(|assignment| &assignment.partition).min();
                row_of_fire(&self.shared.spec.name, self.timed.timer(), lowest, at)
            }
        };
        Ok(Some((batch, transformed)))
    }

    fn hold(&mut self, work: Work, attempt: u32, since: Instant, reason: String) -> Result<(), Stuck> {
        let Controls { retries, backoff, .. } = &*self.controls;
        if attempt >= *retries {
            return Err(Stuck::Failed(format!("the module asked for more than {retries} retries of {work}: {reason}")));
        }
        self.shared.counters.retried.fetch_add(work.rows() as u64, Relaxed);
        let wait = Backoff { from: backoff.from, to: backoff.to }.wait(attempt, rand::random());
        tracing::debug!(pipeline = self.shared.spec.name, attempt, reason, "the module asks for a retry");
        self.held = Some(Held { work, attempt: attempt + 1, until: Instant::now() + wait, since, reason });
        Ok(())
    }

    /// Takes up the controls of the trigger where they changed.
    fn take_up_controls(&mut self) {
        if self.shared.are_current(&self.controls) {
            return;
        }
        self.controls = self.shared.controls();
        self.source.steer(self.controls.batch(), self.controls.start());
        self.timed.set(self.controls.timer.as_ref(), now());
    }

    fn let_times_go(&mut self) {
        let now = now();
        if self.timed.due(now).is_some() {
            self.timed.let_go(now);
        }
    }

    /// The planned time that is due, where this lane is the one to fire; or now, where it was asked for by hand.
    fn fire_due(&mut self) -> Option<i64> {
        let now = now();
        let asked = self.shared.steering.asked();
        let by_hand = std::mem::replace(&mut self.asked, asked) != asked;
        let due = self.timed.due(now);
        if due.is_none() && !by_hand {
            return None;
        }
        if due.is_some() {
            self.timed.let_go(now);
        }
        let scope = self.timed.timer().map(|timer| timer.scope).unwrap_or_default();
        let first = self.shared.spec.source.topics.first();
        let fires = match scope {
            TimerScope::Lane => self.source.assignments().next().is_some(),
            TimerScope::Pipeline => self.source.assignments().any(|assignment| {
                let Partition { topic, partition } = &assignment.partition;
                *partition == 0 && first.is_some_and(|first| **first == **topic)
            }),
        };
        (fires && self.transformer.release().check_timer().is_ok()).then(|| due.unwrap_or(now))
    }

    /// Takes up the live release where it changed. It begins at the next record of each partition.
    fn adopt(&mut self) -> bool {
        if self.shared.is_live(self.transformer.release()) || !self.ahead.is_empty() || !self.flight.may_swap() {
            return false;
        }
        let began = Instant::now();
        let release = self.shared.release();
        let id = release.id;
        let former = self.transformer.adopt(release);
        // An instance that does not start fails the next batch.
        drop(self.transformer.warm_up());
        self.announced.clear();
        let positions = self.flight.positions().filter_map(|(epoch, partition, next)| Some((epoch, partition, next?)));
        let begins = positions.map(|(epoch, partition, next)| {
            self.announced.insert(epoch);
            (partition.clone(), next)
        });
        self.handover.note(former, id, begins);
        self.gap.swapped();
        self.shared.counters.swap_time.note(began.elapsed());
        true
    }

    fn announce(&mut self, batch: &Batch) {
        if self.announced.insert(batch.epoch) {
            let partition = Partition { topic: Arc::clone(&batch.topic), partition: batch.partition };
            self.shared.began(self.transformer.release().id, &partition, batch.rows.offset(0));
        }
    }

    fn settle(&mut self) -> Result<(), Stuck> {
        let release: &Release = self.transformer.release();
        self.flight.settle(release, &self.shared.counters)
    }

    fn serve_group(&mut self) -> Result<(), Stuck> {
        self.source.poll(&mut self.events).map_err(restart)?;
        for event in std::mem::take(&mut self.events) {
            match event {
                SourceEvent::Assigned(assignments) => {
                    self.shared.counters.rebalances.fetch_add(1, Relaxed);
                    self.assigned = true;
                    if self.unreached.take().is_some() {
                        self.shared.set_trouble(self.index, None);
                    }
                    tracing::info!(
                        pipeline = self.shared.spec.name,
                        lane = self.index,
                        partitions = ?names(&assignments),
                        "assigned"
                    );
                    assignments.iter().for_each(|assignment| self.flight.begin(assignment));
                }
                SourceEvent::Revoked { partitions, lost } => self.give_up(&partitions, lost)?,
                SourceEvent::CommitFailed(error) => {
                    tracing::warn!(pipeline = self.shared.spec.name, %error, "commit failed, will be repeated");
                    self.flight.recommit();
                }
                SourceEvent::Error { error, trouble: Trouble::Fatal } => return Err(restart(error)),
                SourceEvent::Error { error, trouble } => self.note_source(&error, trouble)?,
            }
        }
        Ok(())
    }

    /// Before the first assignment trouble with the source is the pipeline's; later it may be that of one broker.
    fn note_source(&mut self, error: &KafkaError, trouble: Trouble) -> Result<(), Stuck> {
        if self.assigned {
            tracing::warn!(pipeline = self.shared.spec.name, lane = self.index, %error, "consumer error");
            return Ok(());
        }
        let reason = format!("source: {}", error.reason);
        if trouble == Trouble::Refused {
            return Err(Stuck::Failed(reason));
        }
        let says_less = trouble == Trouble::Unreached && self.unreached.is_some();
        if !says_less && self.unreached.as_ref() != Some(&reason) {
            tracing::warn!(pipeline = self.shared.spec.name, lane = self.index, reason, "the source does not answer");
            self.shared.set_trouble(self.index, Some((State::Stalled, reason.clone())));
            self.unreached = Some(reason);
        }
        Ok(())
    }

    /// Drains revoked partitions, commits, and gives them back to the group.
    fn give_up(&mut self, partitions: &[Assignment], lost: bool) -> Result<(), Stuck> {
        tracing::info!(pipeline = self.shared.spec.name, lane = self.index, partitions = ?names(partitions), lost, "revoked");
        if let Some(Held { work: Work::Batch(batch), .. }) = &self.held
            && partitions.iter().any(|assignment| assignment.epoch == batch.epoch)
        {
            self.held = None;
        }
        let epochs = || partitions.iter().map(|assignment| assignment.epoch);
        epochs().for_each(|epoch| self.ahead.forget(epoch));
        let deadline = Instant::now() + REVOKE_DEADLINE;
        while !lost && !self.flight.is_settled(epochs()) && Instant::now() < deadline {
            self.settle()?;
            self.shared.steering.wait(BUSY_WAIT);
        }
        if self.flight.in_transaction() && (lost || !self.flight.is_settled(epochs())) {
            // Its offsets are no longer ours to commit.
            return Err(Stuck::Restart("partitions were taken away within a transaction".into()));
        }
        if !lost
            && !partitions.is_empty()
            && let Err(stuck) = self.flight.commit(&self.source, true)
        {
            if self.flight.in_transaction() {
                return Err(stuck);
            }
            tracing::warn!(pipeline = self.shared.spec.name, ?stuck, "commit at revocation failed");
        }
        for epoch in epochs() {
            self.flight.forget(epoch);
            self.announced.remove(&epoch);
        }
        self.source.release(partitions).map_err(restart)
    }

    /// Delivers and commits what is in flight, and leaves the group. Answers what was still in flight at the deadline.
    fn finish(mut self, deadline: Instant) -> usize {
        while !self.flight.is_empty() && Instant::now() < deadline {
            if let Err(stuck) = self.serve_group().and_then(|()| self.settle()) {
                tracing::warn!(pipeline = self.shared.spec.name, ?stuck, "while stopping");
                break;
            }
            self.shared.steering.wait(BUSY_WAIT);
        }
        if let Err(stuck) = self.flight.commit(&self.source, true) {
            tracing::warn!(pipeline = self.shared.spec.name, ?stuck, "last commit failed");
        }
        self.reported_at = None;
        self.report();
        let left = self.flight.len();
        if let Wish::Stop(_) = self.shared.steering.wish() {
            // Behind this, clients are closed, which may take long.
            self.shared.steering.drained(self.index, left);
        }
        left
    }
}

fn restart(error: KafkaError) -> Stuck {
    Stuck::Restart(error.to_string())
}
