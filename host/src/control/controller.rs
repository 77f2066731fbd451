//! The door to the control plane. Methods block (they compile, write and wait): call them off the async workers.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};

use super::{
    BatchInfo, Changed, ControlError, Fired, InvokeInput, InvokeRequest, InvokeResult, LogLine, ModuleInfo,
    ReleaseInfo, SeekRequest, Sought, SwapRequest, logs::GuestMetric, releases::not_found, slot::Slot, store::Store,
};
use crate::{
    config::{Resolve, check_name},
    engine::Engine,
    pipeline::{Began, Counters, OnBegan, Pipeline, State, Status, Steer, Trigger, now},
};

/// Notes of where releases began that may wait to be written.
const BEGAN_MAX: usize = 4096;

/// What the control plane needs of its surroundings.
pub struct Options {
    pub data: PathBuf,
    pub engine: Engine,
    pub runtime: tokio::runtime::Handle,
    /// Answers the variables of pipelines.
    pub vars: Arc<dyn Resolve + Send + Sync>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) engine: Engine,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) vars: Arc<dyn Resolve + Send + Sync>,
    pub(super) began: OnBegan,
    pub(super) instance: Arc<str>,
    slots: RwLock<BTreeMap<String, Arc<Slot>>>,
    /// Pipelines that were told to stop with the host.
    stopping: Mutex<Vec<Steer>>,
}

impl Controller {
    /// Opens the data directory and starts the pipelines that it knows, each with its live release.
    ///
    /// # Errors
    /// The directory cannot be used. A pipeline that does not start is no error: its status says why.
    pub fn open(options: Options) -> Result<Self, ControlError> {
        let Options { data, engine, runtime, vars } = options;
        let store = Store::open(&data)?;
        let instance = Arc::clone(store.instance());
        let store = Arc::new(Mutex::new(store));
        let began = write_began(&store)?;
        let inner = Arc::new(Inner {
            store,
            engine,
            runtime,
            vars,
            began,
            instance,
            slots: RwLock::default(),
            stopping: Mutex::default(),
        });
        let pipelines = inner.store.lock().pipelines()?;
        pipelines.iter().for_each(|pipeline| inner.start_stored(pipeline));
        Ok(Self { inner })
    }

    /// Takes a module in under a name and a version.
    ///
    /// # Errors
    /// It is refused, or the version exists with other bytes.
    pub fn upload(&self, name: &str, version: &str, bytes: &[u8]) -> Result<ModuleInfo, ControlError> {
        self.inner.upload(name, version, bytes)
    }

    /// All modules, by name and age.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn modules(&self) -> Result<Vec<ModuleInfo>, ControlError> {
        self.inner.modules()
    }

    /// Creates a pipeline or changes it; relative paths of the text start at `base`.
    ///
    /// # Errors
    /// The text has mistakes, or its module is refused: what runs goes on.
    pub fn put_pipeline(&self, name: &str, text: &str, base: &std::path::Path) -> Result<Changed, ControlError> {
        check_name(name).map_err(|error| ControlError::BadName(format!("pipeline name `{name}`: {error}")))?;
        self.inner.put_pipeline(name, text, base, false)
    }

    /// The same for a text that is given with each start of a host: where it is the one of the last time, what was
    /// changed since by [`Self::patch_pipeline`] stays.
    ///
    /// # Errors
    /// As [`Self::put_pipeline`].
    pub fn put_pipeline_at_start(
        &self,
        name: &str,
        text: &str,
        base: &std::path::Path,
    ) -> Result<Changed, ControlError> {
        self.inner.put_pipeline(name, text, base, true)
    }

    /// Changes keys of a pipeline's text (RFC 7396). Controls of the trigger are taken up by what runs at the next batch,
    /// without a release; see [`Effect`](super::Effect) for the rest.
    ///
    /// # Errors
    /// There is no such pipeline, or what comes out has mistakes: what runs goes on.
    pub fn patch_pipeline(&self, name: &str, patch: &Map<String, Value>) -> Result<Changed, ControlError> {
        self.inner.patch(name, patch)
    }

    /// Moves the position of a pipeline's group, or says how it would move.
    ///
    /// # Errors
    /// Nothing was moved: others are in the group, or a place is not there.
    pub fn seek(&self, name: &str, request: &SeekRequest) -> Result<Sought, ControlError> {
        self.inner.seek(name, request)
    }

    /// Fires the timed trigger of the running lanes now, and waits for it.
    ///
    /// # Errors
    /// The module has none, or it is not this host that fires.
    pub fn fire(&self, name: &str) -> Result<Fired, ControlError> {
        self.inner.fire(name)
    }

    /// Keeps a batch for [`Self::invoke`].
    ///
    /// # Errors
    /// The pipeline is not there, the name is none, or there is no room.
    pub fn put_batch(&self, name: &str, batch: &str, input: &InvokeInput) -> Result<BatchInfo, ControlError> {
        self.inner.put_batch(name, batch, input)
    }

    /// # Errors
    /// The pipeline or the batch is not there.
    pub fn batch(&self, name: &str, batch: &str) -> Result<InvokeInput, ControlError> {
        self.inner.batch(name, batch)
    }

    /// Saved batches, by name.
    ///
    /// # Errors
    /// The pipeline is not there.
    pub fn batches(&self, name: &str) -> Result<Vec<BatchInfo>, ControlError> {
        self.inner.batches(name)
    }

    /// # Errors
    /// The pipeline or the batch is not there.
    pub fn delete_batch(&self, name: &str, batch: &str) -> Result<(), ControlError> {
        self.inner.delete_batch(name, batch)
    }

    /// Stops a pipeline and forgets it. Its group's offsets stay in Kafka.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_pipeline(&self, name: &str, deadline: Duration) -> Result<(), ControlError> {
        let slot = self.inner.slot(name)?;
        let _operation = slot.operation.lock();
        self.inner.store.lock().delete_pipeline(name)?;
        self.inner.slots.write().remove(name);
        if let Some(running) = slot.take(State::Stopped, None) {
            running.stop(deadline);
        }
        Ok(())
    }

    /// Makes another module, or other settings, live.
    ///
    /// # Errors
    /// They are refused: the release that is live stays.
    pub fn swap(&self, name: &str, request: SwapRequest) -> Result<Status, ControlError> {
        self.inner.swap(name, request)
    }

    /// Brings the release before back.
    ///
    /// # Errors
    /// There is none, or it no longer starts.
    pub fn rollback(&self, name: &str) -> Result<Status, ControlError> {
        self.inner.rollback(name)
    }

    /// Reads no more, until it is resumed; also after a restart.
    ///
    /// # Errors
    /// The pipeline is not there.
    pub fn pause(&self, name: &str) -> Result<Status, ControlError> {
        self.set_paused(name, true)
    }

    /// Goes on; a failed pipeline tries again.
    ///
    /// # Errors
    /// The pipeline is not there.
    pub fn resume(&self, name: &str) -> Result<Status, ControlError> {
        self.set_paused(name, false)
    }

    fn set_paused(&self, name: &str, paused: bool) -> Result<Status, ControlError> {
        let slot = self.inner.slot(name)?;
        let _operation = slot.operation.lock();
        self.inner.store.lock().set_paused(name, paused)?;
        let steered = slot.with(|pipeline| if paused { pipeline.pause() } else { pipeline.resume() });
        drop(_operation);
        if steered.is_none() && !paused {
            let pipeline = self.inner.store.lock().pipeline(name)?.ok_or_else(|| not_found(name))?;
            self.inner.start_stored(&pipeline);
        }
        Ok(slot.status())
    }

    /// Gives one batch to the live module by hand, in an instance of its own.
    ///
    /// # Errors
    /// The pipeline does not run, or the call fails.
    pub fn invoke(&self, name: &str, request: InvokeRequest) -> Result<InvokeResult, ControlError> {
        self.inner.invoke(name, request)
    }

    /// Releases, newest first.
    ///
    /// # Errors
    /// The pipeline is not there.
    pub fn releases(&self, name: &str) -> Result<Vec<ReleaseInfo>, ControlError> {
        self.inner.releases(name)
    }

    /// # Errors
    /// The pipeline is not there.
    pub fn status(&self, name: &str) -> Result<Status, ControlError> {
        let status = self.inner.slot(name)?.status();
        let Ok((pipeline, live)) = self.inner.live(name) else { return Ok(status) };
        let trigger = self.inner.spec_of(&pipeline, &live).ok().map(|spec| Trigger::of(&spec, now()));
        let began = Some(live).filter(|live| live.id == status.release).map(|live| live.began);
        Ok(Status { began, trigger, ..status })
    }

    /// All pipelines, by name.
    pub fn statuses(&self) -> Vec<Status> {
        self.inner.all().iter().map(|slot| slot.status()).collect()
    }

    /// What the modules of a pipeline said after line `seq`, oldest first.
    ///
    /// # Errors
    /// The pipeline is not there.
    pub fn logs(&self, name: &str, seq: u64, max: usize) -> Result<Vec<LogLine>, ControlError> {
        Ok(self.inner.slot(name)?.logs.after(seq, max))
    }

    /// Calls with the counters and the modules' own metrics of each running pipeline.
    pub fn for_each_counters(&self, mut call: impl FnMut(&str, &Counters, &BTreeMap<String, GuestMetric>)) {
        for slot in self.inner.all() {
            let metrics = slot.logs.metrics();
            slot.with(|pipeline| call(&slot.name, pipeline.counters(), &metrics));
        }
    }

    /// Instances alive.
    pub fn instances(&self) -> Option<u64> {
        self.inner.engine.instances()
    }

    /// What [`Self::shutdown`] is going to answer, once that is known: clients may take long to close behind it.
    pub fn left(&self) -> Option<usize> {
        self.inner.stopping.lock().iter().map(Steer::left).sum()
    }

    /// Stops all pipelines: what is in flight is delivered and committed, for at most `deadline`. Answers how many
    /// batches were left, to be delivered again later.
    pub fn shutdown(&self, deadline: Duration) -> usize {
        let running: Vec<Pipeline> =
            self.inner.all().iter().filter_map(|slot| slot.take(State::Stopped, None)).collect();
        *self.inner.stopping.lock() = running.iter().map(Pipeline::steer).collect();
        // All at once: each has the whole deadline.
        std::thread::scope(|scope| {
            let stopping: Vec<_> =
                running.into_iter().map(|pipeline| scope.spawn(move || pipeline.stop(deadline).left)).collect();
            stopping.into_iter().map(|stopping| stopping.join().unwrap_or(0)).sum()
        })
    }
}

impl Inner {
    pub(super) fn slot(&self, name: &str) -> Result<Arc<Slot>, ControlError> {
        self.slots.read().get(name).cloned().ok_or_else(|| {
            let known: Vec<String> = self.slots.read().keys().map(|name| format!("`{name}`")).collect();
            let hint = if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) };
            ControlError::NotFound { what: "pipeline", name: name.to_owned(), hint }
        })
    }

    pub(super) fn slot_or_new(&self, name: &str) -> Arc<Slot> {
        let mut slots = self.slots.write();
        Arc::clone(slots.entry(name.to_owned()).or_insert_with(|| Arc::new(Slot::new(name))))
    }

    /// Forgets a slot that never became a pipeline.
    pub(super) fn drop_slot(&self, name: &str) {
        self.slots.write().remove(name);
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.read().values().cloned().collect()
    }
}

/// Writes where releases began on a thread of its own: lanes do not wait for the disk.
fn write_began(store: &Arc<Mutex<Store>>) -> Result<OnBegan, ControlError> {
    let (sender, receiver) = crossbeam_channel::bounded::<Began>(BEGAN_MAX);
    let store = Arc::downgrade(store);
    let write = move || {
        for began in receiver {
            let Some(store) = store.upgrade() else { return };
            if let Err(error) = store.lock().began(&began) {
                tracing::warn!(?began, %error, "where a release began was not noted");
            }
        }
    };
    std::thread::Builder::new()
        .name("began".into())
        .spawn(write)
        .map_err(|error| ControlError::Internal(format!("no thread: {error}")))?;
    Ok(Arc::new(move |began| {
        if sender.send(began).is_err() {
            tracing::warn!("where a release began was not noted: its writer is gone");
        }
    }))
}
