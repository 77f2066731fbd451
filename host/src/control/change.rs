//! What a change of a pipeline's text means for what runs, and changes by patch.
//!
//! | what differs | what it does |
//! |---|---|
//! | the controls of the trigger | taken up at the next batch; no release, no rebalance |
//! | `enabled` | the pipeline stops and leaves its group, or starts from what is committed |
//! | the module, its settings and limits, the routes | a release, which takes over at the next batch; no rebalance |
//! | anything else | a release, and the pipeline starts anew from what is committed |

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    ControlError,
    controller::Inner,
    releases::{Candidate, RESTART_DEADLINE, SWITCHED_OFF, by_digest},
    slot::Slot,
    store::{PipelineRow, ReleaseRow},
};
use crate::{
    config::{self, Errors, KafkaSource, Loaded, Pipeline, Problem},
    pipeline::{ModuleId, State, Status, check_timer},
};

/// What a change did to what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing: it says the same, or the pipeline is switched off.
    None,
    /// The lanes take it up at the next batch.
    Live,
    /// A release, which takes over at the next batch.
    Swap,
    /// The lanes started anew, from what is committed.
    Restart,
    Started,
    Stopped,
}

impl Effect {
    /// Of a start behind a stop, of which there was or is nothing.
    pub(super) fn of_start(ran: bool, runs: bool) -> Self {
        match (ran, runs) {
            (true, true) => Self::Restart,
            (true, false) => Self::Stopped,
            (false, true) => Self::Started,
            (false, false) => Self::None,
        }
    }
}

/// A pipeline after a change.
#[derive(Debug)]
pub struct Changed {
    pub status: Status,
    pub effect: Effect,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// How far apart two texts are; a later one includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    None,
    Controls,
    /// What a release is made of.
    Release,
    /// What lanes are made of.
    Parts,
}

/// The pipeline with the controls of another text.
pub(super) fn with_controls_of(spec: Pipeline, other: &Pipeline) -> Pipeline {
    let Pipeline { source, errors, .. } = spec;
    Pipeline {
        source: KafkaSource { start: other.source.start, batch: other.source.batch, ..source },
        errors: Errors { retries: other.errors.retries, backoff: other.errors.backoff, ..errors },
        timer: other.timer.clone(),
        enabled: other.enabled,
        ..spec
    }
}

pub(super) fn difference(before: &Pipeline, after: &Pipeline) -> Difference {
    if before == after {
        return Difference::None;
    }
    let same = with_controls_of(after.clone(), before);
    if same == *before {
        return Difference::Controls;
    }
    let same = Pipeline { module: before.module.clone(), routes: before.routes.clone(), ..same };
    if same == *before { Difference::Release } else { Difference::Parts }
}

impl Inner {
    /// Changes keys of a pipeline's text.
    pub(super) fn patch(&self, name: &str, patch: &Map<String, Value>) -> Result<Changed, ControlError> {
        let slot = self.slot(name)?;
        let _operation = slot.operation.lock();
        let (pipeline, live) = self.live(name)?;
        let before = self.spec_of(&pipeline, &live)?;
        let text = config::patch(&with_settings(&live)?, patch)?;
        let Loaded { pipeline: after, warnings } = self.read_patched(name, &text, &pipeline.base)?;
        let effect = match difference(&before, &after) {
            Difference::None => Effect::None,
            Difference::Controls => self.control(&slot, &pipeline, &live, &after, &text)?,
            difference => {
                // A module that was deployed since the text was given stays, unless the patch names another one.
                let named = before.module.reference != after.module.reference;
                let reference = if named { after.module.reference.clone() } else { by_digest(&live.module) };
                let (module, id) = self.resolve(&reference)?;
                let id = if named { id } else { ModuleId { version: live.module.version.clone(), ..id } };
                let row = self.row(name, id, &text, None)?;
                let candidate = Candidate { row, spec: after, base: pipeline.base, applied: None };
                let swap = difference == Difference::Release;
                self.take_over(&slot, candidate, &module, swap, pipeline.paused)?
            }
        };
        tracing::info!(pipeline = name, ?effect, "patched");
        Ok(Changed { status: slot.status(), effect, warnings })
    }

    fn read_patched(&self, name: &str, text: &str, base: &str) -> Result<Loaded, ControlError> {
        let loaded = config::load(text, &format!("{name}, patched"), Path::new(base), self.vars.as_ref())?;
        if loaded.pipeline.name != name {
            return Err(ControlError::BadRequest(format!(
                "a patch cannot rename pipeline `{name}`: put it under its new name, and delete it"
            )));
        }
        Ok(loaded)
    }

    /// Takes up controls: the store first, so that a kill leaves what was asked for.
    fn control(
        &self,
        slot: &Arc<Slot>,
        pipeline: &PipelineRow,
        live: &ReleaseRow,
        spec: &Pipeline,
        text: &str,
    ) -> Result<Effect, ControlError> {
        if spec.timer.is_some() {
            let checked = match slot.with(|pipeline| pipeline.release().check_timer()) {
                Some(checked) => checked,
                None => check_timer(&self.load(&live.module.digest)?, &live.module),
            };
            checked.map_err(|error| ControlError::Release { error, kept: String::new() })?;
        }
        self.store.lock().set_spec(&slot.name, text)?;
        let runs = slot.with(|_| ()).is_some();
        if runs && spec.enabled {
            slot.with(|pipeline| pipeline.control(spec));
            return Ok(Effect::Live);
        }
        if let Some(running) = slot.take(State::Stopped, Some(SWITCHED_OFF.into())) {
            running.stop(RESTART_DEADLINE);
        }
        if spec.enabled
            && let Err(error) = self.try_start_stored(pipeline, slot)
        {
            slot.set_idle(State::Failed, Some(error.to_string()), live.id, live.module.clone());
            return Err(error);
        }
        Ok(Effect::of_start(runs, spec.enabled))
    }
}

/// The text of a release with the settings that were given at its deployment in their place.
fn with_settings(release: &ReleaseRow) -> Result<String, ControlError> {
    let Some(config) = &release.config else { return Ok(release.spec.clone()) };
    // They were taken as they are: in a text, what looks like a variable would be one.
    let settings: Map<String, Value> =
        config.iter().map(|(name, value)| (name.clone(), value.replace("${", "$${").into())).collect();
    let mut text = release.spec.clone();
    for settings in [Value::Null, Value::Object(settings)] {
        if let Value::Object(patch) = json!({ "module": { "config": settings } }) {
            text = config::patch(&text, &patch)?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(patch: Value) -> Pipeline {
        let text = "pipeline: p\nsource: { kafka: { brokers: [k:1], topics: [t] } }\nmodule: { ref: m@1 }\n\
                    routes: { r: [o] }\nsinks: { o: { stdout: {} }, q: { stdout: {} } }\n";
        let Value::Object(patch) = patch else { panic!("an object") };
        let text = config::patch(text, &patch).expect("a text");
        let loaded = config::load(&text, "p", Path::new(""), &config::NoVariables);
        loaded.unwrap_or_else(|error| panic!("{error}")).pipeline
    }

    #[test]
    fn what_differs_says_what_a_change_does() {
        let kafka = |value: Value| json!({ "source": { "kafka": value } });
        let table = [
            (json!({}), Difference::None),
            (json!({ "errors": { "retries": 10_000 } }), Difference::None),
            (json!({ "errors": { "retries": 3 } }), Difference::Controls),
            (json!({ "errors": { "backoff": { "to": "1m" } } }), Difference::Controls),
            (json!({ "timer": { "every": "1m" } }), Difference::Controls),
            (json!({ "enabled": false }), Difference::Controls),
            (kafka(json!({ "batch": { "records": 5, "bytes": "1KiB", "linger": "1s" } })), Difference::Controls),
            (kafka(json!({ "start": "latest" })), Difference::Controls),
            (json!({ "module": { "limits": { "time": "1s" } } }), Difference::Release),
            (json!({ "module": { "config": { "a": "b" } }, "enabled": false }), Difference::Release),
            (json!({ "routes": { "r": ["q"] } }), Difference::Release),
            (kafka(json!({ "lanes": 2 })), Difference::Parts),
            (kafka(json!({ "group": "other" })), Difference::Parts),
            (kafka(json!({ "topics": ["t", "u"] })), Difference::Parts),
            (json!({ "errors": { "dead_letter": { "kafka": { "topic": "d" } } } }), Difference::Parts),
            (json!({ "sinks": { "q": null } }), Difference::Parts),
            (
                json!({ "delivery": "at-least-once", "sinks": { "q": { "stdout": null, "file": { "path": "x" } } } }),
                Difference::Parts,
            ),
        ];
        for (patch, expected) in table {
            assert_eq!(difference(&spec(json!({})), &spec(patch.clone())), expected, "{patch}");
        }
    }

    #[test]
    fn settings_of_a_deployment_stand_in_for_those_of_the_text() {
        let row = |config: &[(&str, &str)]| ReleaseRow {
            pipeline: "p".into(),
            id: 1,
            module: ModuleId { name: "m".into(), version: "1".into(), digest: "sha256:0".into() },
            spec: "module: {ref: m@1, config: {old: a}}".into(),
            config: Some(config.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
            state: super::super::store::ReleaseState::Live,
            reason: None,
            created_at: String::new(),
            began: Default::default(),
        };
        let text = with_settings(&row(&[("new", "${X}")])).expect("a text");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value, json!({ "module": { "ref": "m@1", "config": { "new": "$${X}" } } }));
    }
}
