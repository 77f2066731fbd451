//! A release: one module with its config and limits, ready to take over a pipeline. Immutable.
//!
//! [`Release::prepare`] does everything that can fail before the live release is touched: it starts an instance for
//! every lane, runs each once on an empty batch, and checks that every route that the module plans leads to a sink. The
//! swap itself is then a pointer and a lane that picks up its instance at the next batch boundary.

use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::{
    batch::{Columns, Reads},
    config,
    engine::{Call, CallError, GuestOutput, Instance, LogLevel, Module, StartError},
    grants::{Contents, GrantError, Granted},
    limits::Limits,
    router::{RouteError, Router},
};

/// Which module a release runs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct ModuleId {
    pub name: String,
    pub version: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

/// Why a release was refused; the one before stays live.
#[derive(Debug, Error)]
pub enum PrepareError {
    #[error("module {module} does not start: {source}")]
    Start { module: String, source: StartError },
    #[error("module {module} fails its smoke call on an empty batch: {source}")]
    Smoke { module: String, source: CallError },
    #[error(
        "the pipeline has a `timer`, and module {module} has none: it would have to export `{export}` (in Rust: \
         `export!(NAME, timer)`). Take `timer` out of the pipeline, or deploy a module that has one"
    )]
    NoTimer { module: String, export: String },
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl PrepareError {
    /// Stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start { source: StartError::NotGranted { .. }, .. } => "not-granted",
            Self::Start { .. } => "module-does-not-start",
            Self::Smoke { .. } => "smoke-call-failed",
            Self::NoTimer { .. } => "no-timer",
            Self::Grant(_) => "grant-not-available",
            Self::Route(_) => "routes-do-not-fit",
        }
    }
}

/// See the module's documentation.
pub struct Release {
    /// Counts up within a pipeline, from 1.
    pub id: u64,
    pub module: ModuleId,
    /// The module's plan: its routes, in its order.
    pub routes: Vec<String>,
    pub reads: Reads,
    pub limits: Limits,
    pub(crate) router: Router,
    code: Module,
    config: Vec<(String, String)>,
    granted: Granted,
    guest: Arc<dyn GuestOutput>,
    /// Instances that were started by `prepare` and wait for their lane.
    warm: Mutex<Vec<Instance>>,
}

impl Release {
    /// Starts and tries the module for every lane of the pipeline. Takes as long as the module's `init`; compiles
    /// nothing.
    ///
    /// # Errors
    /// The module wants what is not granted, refuses its config, traps, runs too long, or plans a route that leads
    /// nowhere.
    pub fn prepare(
        id: u64,
        code: &Module,
        module: ModuleId,
        spec: &config::Pipeline,
        granted: Granted,
        guest: Arc<dyn GuestOutput>,
    ) -> Result<Arc<Self>, PrepareError> {
        let limits = spec.module.limits;
        let config = spec.module.config.clone();
        let name = || format!("{}@{}", module.name, module.version);
        if spec.timer.is_some() {
            check_timer(code, &module)?;
        }
        let (mut warm, mut plan) = (Vec::new(), None);
        for _ in 0..spec.source.lanes {
            let mut instance = code
                .instantiate_with(limits, &config, Arc::clone(&guest), &granted.for_engine())
                .map_err(|source| PrepareError::Start { module: name(), source })?;
            let keep = smoke(&mut instance).map_err(|source| PrepareError::Smoke { module: name(), source })?;
            plan.get_or_insert_with(|| instance.plan().clone());
            warm.extend(keep.then_some(instance));
        }
        let plan = plan.unwrap_or_default();
        let sinks: Vec<String> = spec.sinks.keys().cloned().collect();
        let router = Router::new(&plan.routes, &spec.routes, &sinks)?;
        let (routes, reads) = (plan.routes, plan.reads);
        let (code, warm) = (code.clone(), Mutex::new(warm));
        Ok(Arc::new(Self { id, module, routes, reads, limits, router, code, config, granted, guest, warm }))
    }

    /// A started instance: one that `prepare` left, or a new one.
    ///
    /// # Errors
    /// The module no longer starts as it did in `prepare`.
    pub(crate) fn instance(&self) -> Result<Instance, StartError> {
        match self.warm.lock().pop() {
            Some(instance) => Ok(instance),
            None => self.start(&self.granted),
        }
    }

    /// An instance to be tried by hand: what is granted to it is in memory, begins with `contents`, and is nobody
    /// else's.
    ///
    /// # Errors
    /// `contents` does not fit what is granted, or the module does not start.
    pub(crate) fn on_trial(&self, contents: &Contents) -> Result<Instance, PrepareError> {
        let granted = Granted::on_trial(self.granted.settings(), contents)?;
        let name = || format!("{}@{}", self.module.name, self.module.version);
        self.start(&granted).map_err(|source| PrepareError::Start { module: name(), source })
    }

    /// An instance for one batch by hand that is delivered: it has what the lanes' have.
    ///
    /// # Errors
    /// As [`Self::on_trial`].
    pub(crate) fn afresh(&self) -> Result<Instance, PrepareError> {
        let name = || format!("{}@{}", self.module.name, self.module.version);
        self.start(&self.granted).map_err(|source| PrepareError::Start { module: name(), source })
    }

    fn start(&self, granted: &Granted) -> Result<Instance, StartError> {
        self.code.instantiate_with(self.limits, &self.config, Arc::clone(&self.guest), &granted.for_engine())
    }

    /// What the module may reach.
    pub(crate) fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Says something about the module where the module itself is heard: `wasmill logs`.
    pub(crate) fn say(&self, level: LogLevel, message: &str) {
        self.guest.log(level, message);
    }

    /// Whether the module can be called by a timer.
    ///
    /// # Errors
    /// It has no timed trigger.
    pub fn check_timer(&self) -> Result<(), PrepareError> {
        check_timer(&self.code, &self.module)
    }

    /// Lets go of the instances that no lane came for, once another release is live.
    pub(crate) fn retire(&self) {
        self.warm.lock().clear();
    }
}

/// Whether a module can be called by a timer.
///
/// # Errors
/// It has no timed trigger.
pub fn check_timer(code: &Module, module: &ModuleId) -> Result<(), PrepareError> {
    let name = format!("{}@{}", module.name, module.version);
    if code.has_timer() { Ok(()) } else { Err(PrepareError::NoTimer { module: name, export: code.timer_export() }) }
}

/// An empty batch: every module must bear it, and it touches no data. Answers whether the instance can be called again.
fn smoke(instance: &mut Instance) -> Result<bool, CallError> {
    let columns = Columns::default();
    let call = Call { topic: "wasmill.smoke", partition: 0, attempt: 0, columns: &columns };
    match instance.transform(&call) {
        // A module that cannot work right now (a lookup that is away) is no bad module.
        Ok(_) | Err(CallError::Retry(_)) => Ok(true),
        Err(CallError::Store(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
