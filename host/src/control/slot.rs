//! One pipeline in the host: what runs, or why nothing does.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::logs::Logs;
use crate::pipeline::{Counts, ModuleId, Partitions, Pipeline, State, Status};

/// A pipeline that the host knows. Operations on it are serialised by `operation`; status never waits for one.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) operation: Mutex<()>,
    pub(super) logs: Arc<Logs>,
    running: Mutex<Running>,
}

/// What a slot holds.
enum Running {
    Yes(Pipeline),
    /// Switched off, or it could not be started: with what is known of its live release.
    No {
        state: State,
        reason: Option<String>,
        release: u64,
        module: ModuleId,
    },
}

impl Slot {
    pub(super) fn new(name: &str) -> Self {
        let module = ModuleId { name: String::new(), version: String::new(), digest: String::new() };
        let running = Running::No { state: State::Stopped, reason: None, release: 0, module };
        Self {
            name: name.into(),
            operation: Mutex::new(()),
            logs: Arc::new(Logs::new(name)),
            running: Mutex::new(running),
        }
    }

    pub(super) fn set_running(&self, pipeline: Pipeline) {
        *self.running.lock() = Running::Yes(pipeline);
    }

    /// Takes the running pipeline out, to be stopped, and says what to show from now on.
    pub(super) fn take(&self, state: State, reason: Option<String>) -> Option<Pipeline> {
        let mut running = self.running.lock();
        let (release, module) = match &*running {
            Running::Yes(pipeline) => (pipeline.release().id, pipeline.release().module.clone()),
            Running::No { release, module, .. } => (*release, module.clone()),
        };
        match std::mem::replace(&mut *running, Running::No { state, reason, release, module }) {
            Running::Yes(pipeline) => Some(pipeline),
            Running::No { .. } => None,
        }
    }

    pub(super) fn set_idle(&self, state: State, reason: Option<String>, release: u64, module: ModuleId) {
        *self.running.lock() = Running::No { state, reason, release, module };
    }

    /// Calls with the running pipeline, where there is one.
    pub(super) fn with<T>(&self, call: impl FnOnce(&Pipeline) -> T) -> Option<T> {
        match &*self.running.lock() {
            Running::Yes(pipeline) => Some(call(pipeline)),
            Running::No { .. } => None,
        }
    }

    pub(super) fn status(&self) -> Status {
        match &*self.running.lock() {
            Running::Yes(pipeline) => pipeline.status(),
            Running::No { state, reason, release, module } => Status {
                pipeline: self.name.clone(),
                state: *state,
                reason: reason.clone(),
                release: *release,
                module: module.clone(),
                records: Counts::default(),
                lag: None,
                rebalances: 0,
                fires: 0,
                recycled: 0,
                swap_gaps: None,
                sinks: BTreeMap::new(),
                keyvalue: None,
                partitions: Partitions::new(),
                began: None,
                trigger: None,
            },
        }
    }
}
