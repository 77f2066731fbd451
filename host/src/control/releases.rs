//! Releases: how one comes to be live, and how the one before comes back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    ControlError,
    change::{Changed, Difference, Effect, difference},
    controller::Inner,
    slot::Slot,
    store::{PipelineRow, ReleaseRow, ReleaseState},
};
use crate::{
    config::{self, Loaded, ModuleRef},
    grants::{GrantError, Granted},
    pipeline::{Deps, ModuleId, Pipeline, PrepareError, Release, State, Status},
};

/// How long a pipeline may deliver what is in flight before it is started anew with another configuration.
pub(super) const RESTART_DEADLINE: Duration = Duration::from_secs(10);

/// Why a pipeline that is switched off does not run.
pub(super) const SWITCHED_OFF: &str = "`enabled` is false";

/// A release as people see it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ReleaseInfo {
    pub release: u64,
    pub module: ModuleId,
    /// The first record that it was given: topic, partition, offset.
    pub began: BTreeMap<String, BTreeMap<i32, i64>>,
    pub state: ReleaseState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// What a swap changes.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwapRequest {
    /// `name@version`, `name@sha256:...`; the live one where it is left out.
    pub module: Option<String>,
    /// Settings of the module, all of them; those that are live where it is left out.
    pub config: Option<BTreeMap<String, String>>,
}

pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// A release that is about to be tried.
pub(super) struct Candidate {
    pub(super) row: ReleaseRow,
    pub(super) spec: config::Pipeline,
    pub(super) base: String,
    /// The text as it was given, where it was.
    pub(super) applied: Option<String>,
}

impl Inner {
    /// Creates a pipeline or changes it. A change of its module, its routes and its controls alone is a swap; any other
    /// starts it anew, from what is committed. With `keep`, a text that is the one of the last time is that with all
    /// that was patched since.
    pub(super) fn put_pipeline(
        &self,
        name: &str,
        text: &str,
        base: &std::path::Path,
        keep: bool,
    ) -> Result<Changed, ControlError> {
        let known = self.store.lock().pipeline(name)?;
        let patched = known.filter(|known| keep && known.applied.as_deref() == Some(text)).map(|known| known.spec);
        let Loaded { pipeline: spec, warnings } = self.read_spec(name, patched.as_deref().unwrap_or(text), base)?;
        let slot = self.slot_or_new(name);
        let _operation = slot.operation.lock();
        let before = self.store.lock().pipeline(name)?;
        let known = before.is_some();
        let text = (patched.as_deref().unwrap_or(text), text);
        let done = self.put_spec(&slot, before, spec, text, base.display().to_string());
        if done.is_err() && !known {
            self.drop_slot(name);
        }
        Ok(Changed { effect: done?, status: slot.status(), warnings })
    }

    /// `text` is what is to hold, and what was given.
    fn put_spec(
        &self,
        slot: &Arc<Slot>,
        before: Option<PipelineRow>,
        spec: config::Pipeline,
        text: (&str, &str),
        base: String,
    ) -> Result<Effect, ControlError> {
        let (module, id) = self.resolve(&spec.module.reference)?;
        let row = self.row(&slot.name, id, text.0, None)?;
        let swap = before.as_ref().is_some_and(|before| self.is_swap(before, &spec));
        let paused = before.is_some_and(|before| before.paused);
        self.take_over(slot, Candidate { row, spec, base, applied: Some(text.1.into()) }, &module, swap, paused)
    }

    /// Swaps the module of a pipeline, or its settings, at the next batch boundary.
    pub(super) fn swap(&self, name: &str, request: SwapRequest) -> Result<Status, ControlError> {
        let slot = self.slot(name)?;
        let _operation = slot.operation.lock();
        let (pipeline, live) = self.live(name)?;
        let mut spec = self.spec_of(&pipeline, &live)?;
        let reference = match &request.module {
            Some(module) => {
                module.parse().map_err(|error| ControlError::BadRequest(format!("module `{module}`: {error}")))?
            }
            None => by_digest(&live.module),
        };
        let (module, id) = self.resolve(&reference)?;
        let config = request.config.or(live.config);
        spec.module.config = settings(&spec, config.as_ref());
        let row = self.row(name, id, &live.spec, config)?;
        let candidate = Candidate { row, spec, base: pipeline.base, applied: None };
        self.take_over(&slot, candidate, &module, true, pipeline.paused)?;
        Ok(slot.status())
    }

    /// Brings back the release that was live before, as a new one. The controls of the trigger stay as they are.
    pub(super) fn rollback(&self, name: &str) -> Result<Status, ControlError> {
        let slot = self.slot(name)?;
        let _operation = slot.operation.lock();
        let (pipeline, live) = self.live(name)?;
        let releases = self.store.lock().releases(name)?;
        let target = releases
            .into_iter()
            .find(|release| release.state == ReleaseState::Retired && release.id < live.id)
            .ok_or_else(|| ControlError::NoRollback(format!("pipeline `{name}` had no release before {}", live.id)))?;
        let (text, spec) = self.with_live_controls(&pipeline, &target, &live)?;
        let swap = self.is_swap(&pipeline, &spec);
        let (module, id) = self.resolve(&by_digest(&target.module))?;
        let id = ModuleId { version: target.module.version.clone(), ..id };
        let row = self.row(name, id, &text, target.config)?;
        let candidate = Candidate { row, spec, base: pipeline.base, applied: None };
        self.take_over(&slot, candidate, &module, swap, pipeline.paused)?;
        Ok(slot.status())
    }

    pub(super) fn releases(&self, name: &str) -> Result<Vec<ReleaseInfo>, ControlError> {
        self.slot(name)?;
        let rows = self.store.lock().releases(name)?;
        let info = |row: ReleaseRow| ReleaseInfo {
            release: row.id,
            module: row.module,
            began: row.began,
            state: row.state,
            reason: row.reason,
            created_at: row.created_at,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// Starts a pipeline that the store knows, with its live release. What keeps it from starting is its status.
    pub(super) fn start_stored(&self, pipeline: &PipelineRow) {
        let slot = self.slot_or_new(&pipeline.name);
        let _operation = slot.operation.lock();
        if let Err(error) = self.try_start_stored(pipeline, &slot) {
            tracing::error!(pipeline = pipeline.name, %error, "pipeline does not start");
            let (id, module) = match self.live(&pipeline.name) {
                Ok((_, live)) => (live.id, live.module),
                Err(_) => (0, ModuleId { name: String::new(), version: String::new(), digest: String::new() }),
            };
            slot.set_idle(State::Failed, Some(error.to_string()), id, module);
        }
    }

    pub(super) fn try_start_stored(&self, pipeline: &PipelineRow, slot: &Arc<Slot>) -> Result<(), ControlError> {
        let (_, live) = self.live(&pipeline.name)?;
        let spec = self.spec_of(pipeline, &live)?;
        let module = self.load(&live.module.digest)?;
        let guest = slot.logs.of_release(live.id);
        let granted = self.granted(slot, &spec).map_err(PrepareError::from);
        let release = granted
            .and_then(|granted| Release::prepare(live.id, &module, live.module, &spec, granted, guest))
            .map_err(|error| ControlError::Release { error, kept: String::new() })?;
        self.run(slot, spec, release, pipeline.paused)
    }

    /// Tries a candidate and makes it live: by a swap where that does and the pipeline runs, otherwise by starting the
    /// pipeline anew. Until everything that can fail has been done, what runs is not touched.
    pub(super) fn take_over(
        &self,
        slot: &Arc<Slot>,
        candidate: Candidate,
        module: &crate::engine::Module,
        swap: bool,
        paused: bool,
    ) -> Result<Effect, ControlError> {
        let Candidate { row, spec, base, applied } = candidate;
        let guest = slot.logs.of_release(row.id);
        let granted = self.granted(slot, &spec).map_err(PrepareError::from);
        let prepare = |granted| Release::prepare(row.id, module, row.module.clone(), &spec, granted, guest);
        let release = match granted.and_then(prepare) {
            Ok(release) => release,
            Err(error) => return Err(self.refuse(slot, row, error)),
        };
        let runs = slot.with(|_| ()).is_some();
        if swap && runs && spec.enabled {
            self.store.lock().go_live(&row, &base, applied.as_deref())?;
            slot.with(|pipeline| {
                pipeline.swap(release);
                pipeline.control(&spec);
            });
            tracing::info!(
                pipeline = slot.name,
                release = row.id,
                module = row.module.name,
                version = row.module.version,
                "swapped"
            );
            return Ok(Effect::Swap);
        }
        Pipeline::check(&spec, &self.deps())?;
        if let Some(running) = slot.take(State::Stopped, None) {
            running.stop(RESTART_DEADLINE);
        }
        self.store.lock().go_live(&row, &base, applied.as_deref())?;
        let effect = Effect::of_start(runs, spec.enabled);
        self.run(slot, spec, release, paused)?;
        Ok(effect)
    }

    /// What a release is granted: the very store of the live one, where it is granted the same.
    fn granted(&self, slot: &Slot, spec: &config::Pipeline) -> Result<Granted, GrantError> {
        let live = slot.with(Pipeline::release);
        Granted::open(&spec.module.grants, &self.runtime, live.as_ref().map(|live| live.granted()))
    }

    fn refuse(&self, slot: &Slot, mut row: ReleaseRow, error: PrepareError) -> ControlError {
        let kept = slot.with(|pipeline| pipeline.release().id);
        let kept = kept.map_or_else(String::new, |kept| format!("; release {kept} stays live"));
        (row.state, row.reason) = (ReleaseState::Failed, Some(error.to_string()));
        // A first release that fails leaves no pipeline that it could belong to.
        if self.store.lock().pipeline(&row.pipeline).is_ok_and(|known| known.is_some())
            && let Err(error) = self.store.lock().note_failed(&row)
        {
            tracing::warn!(%error, "a refused release was not noted");
        }
        ControlError::Release { error, kept }
    }

    fn run(
        &self,
        slot: &Arc<Slot>,
        spec: config::Pipeline,
        release: Arc<Release>,
        paused: bool,
    ) -> Result<(), ControlError> {
        if !spec.enabled {
            slot.set_idle(State::Stopped, Some(SWITCHED_OFF.into()), release.id, release.module.clone());
            return Ok(());
        }
        let (id, module) = (release.id, release.module.clone());
        match Pipeline::start(Arc::new(spec), release, self.deps(), paused) {
            Ok(pipeline) => slot.set_running(pipeline),
            Err(error) => {
                slot.set_idle(State::Failed, Some(error.to_string()), id, module);
                return Err(error.into());
            }
        }
        Ok(())
    }

    pub(super) fn deps(&self) -> Deps {
        let (began, instance) = (Arc::clone(&self.began), Arc::clone(&self.instance));
        Deps { runtime: self.runtime.clone(), began, instance }
    }

    pub(super) fn row(
        &self,
        pipeline: &str,
        module: ModuleId,
        spec: &str,
        config: Option<BTreeMap<String, String>>,
    ) -> Result<ReleaseRow, ControlError> {
        Ok(ReleaseRow {
            pipeline: pipeline.to_owned(),
            id: self.store.lock().next_release(pipeline)?,
            module,
            spec: spec.to_owned(),
            config,
            state: ReleaseState::Live,
            reason: None,
            created_at: now(),
            began: BTreeMap::new(),
        })
    }

    pub(super) fn live(&self, name: &str) -> Result<(PipelineRow, ReleaseRow), ControlError> {
        let store = self.store.lock();
        match (store.pipeline(name)?, store.live(name)?) {
            (Some(pipeline), Some(live)) => Ok((pipeline, live)),
            _ => Err(not_found(name)),
        }
    }

    pub(super) fn read_spec(&self, name: &str, text: &str, base: &std::path::Path) -> Result<Loaded, ControlError> {
        let loaded = config::load(text, name, base, self.vars.as_ref())?;
        if loaded.pipeline.name != name {
            let said = &loaded.pipeline.name;
            return Err(ControlError::BadRequest(format!(
                "the text is of pipeline `{said}`, but `{name}` was asked for"
            )));
        }
        Ok(loaded)
    }

    pub(super) fn spec_of(
        &self,
        pipeline: &PipelineRow,
        release: &ReleaseRow,
    ) -> Result<config::Pipeline, ControlError> {
        let base = std::path::Path::new(&pipeline.base);
        let mut spec = self.read_spec(&pipeline.name, &release.spec, base)?.pipeline;
        spec.module.config = settings(&spec, release.config.as_ref());
        Ok(spec)
    }

    /// Whether a text can take the place of another one without a new start.
    fn is_swap(&self, before: &PipelineRow, spec: &config::Pipeline) -> bool {
        let before = self.read_spec(&before.name, &before.spec, std::path::Path::new(&before.base));
        before.is_ok_and(|before| difference(&before.pipeline, spec) != Difference::Parts)
    }

    /// The text and meaning of an earlier release under the controls of the live one.
    fn with_live_controls(
        &self,
        pipeline: &PipelineRow,
        target: &ReleaseRow,
        live: &ReleaseRow,
    ) -> Result<(String, config::Pipeline), ControlError> {
        let (then, now) = (self.spec_of(pipeline, target)?, self.spec_of(pipeline, live)?);
        if super::change::with_controls_of(then.clone(), &now) == then {
            return Ok((target.spec.clone(), then));
        }
        let text = config::with_controls_of(&target.spec, &live.spec)?;
        let moved = ReleaseRow { spec: text.clone(), ..target.clone() };
        Ok((text, self.spec_of(pipeline, &moved)?))
    }
}

pub(super) fn not_found(name: &str) -> ControlError {
    ControlError::NotFound { what: "pipeline", name: name.to_owned(), hint: String::new() }
}

pub(super) fn by_digest(module: &ModuleId) -> ModuleRef {
    let digest = module.digest.trim_start_matches("sha256:").to_owned();
    ModuleRef::Digest { name: module.name.clone(), digest }
}

fn settings(spec: &config::Pipeline, over: Option<&BTreeMap<String, String>>) -> Vec<(String, String)> {
    match over {
        None => spec.module.config.clone(),
        Some(over) => over.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    }
}
