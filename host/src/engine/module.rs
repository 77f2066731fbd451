//! A module: an admitted, compiled component that knows who it is.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, InstancePre};

use super::{
    admission::{self, Admitted, Import, Shape},
    componentize::componentize,
    error::{LoadError, StartError},
    guest::{GuestOutput, NoOutput},
    instance::{Grants, Instance, Wanted},
    runtime::Inner,
    state::State,
};
use crate::{batch::Reads, limits::Limits};

/// SHA-256 of an upload: the name of a module's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// 64 hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which world of the contract a module exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    Columns,
    Records,
}

/// A setting that a module's `init` understands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Setting {
    pub name: String,
    pub summary: String,
    pub default: Option<String>,
    pub required: bool,
}

/// Who a module says that it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub settings: Vec<Setting>,
}

/// What a started instance asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// 1 to 1024 names, each once.
    pub routes: Vec<String>,
    pub reads: Reads,
}

/// Routes that a plan may name.
pub(super) const ROUTES_MAX: usize = 1024;

impl Plan {
    pub(super) fn check(&self) -> Result<(), StartError> {
        let bad = |reason: String| Err(StartError::Plan(reason));
        if self.routes.is_empty() || self.routes.len() > ROUTES_MAX {
            return bad(format!("it names {} routes; 1 to {ROUTES_MAX} are allowed", self.routes.len()));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        for (index, route) in self.routes.iter().enumerate() {
            if !(1..=249).contains(&route.len()) || !route.bytes().all(allowed) {
                return bad(format!("route {route:?} is no name: 1 to 249 of a-z A-Z 0-9 . _ -"));
            }
            if self.routes.iter().take(index).any(|before| before == route) {
                return bad(format!("it names route `{route}` twice"));
            }
        }
        Ok(())
    }
}

/// An upload as a compiled component, of which nothing ran yet.
struct Compiled {
    digest: Digest,
    component: Component,
    code_bytes: usize,
    compiled_in: Option<Duration>,
}

impl Compiled {
    fn of(engine: &Inner, upload: &[u8]) -> Result<Self, LoadError> {
        let component = componentize(upload)?;
        let digest = Digest::of(upload);
        let started = Instant::now();
        if let Some((component, code_bytes)) = engine.artifacts.load(&engine.engine, &digest) {
            return Ok(Self { digest, component, code_bytes, compiled_in: None });
        }
        let code = engine.compiler.compile(&component)?;
        let component = engine
            .artifacts
            .store(&engine.engine, &digest, &code)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        Ok(Self { digest, component, code_bytes: code.len(), compiled_in: Some(started.elapsed()) })
    }
}

/// What an upload is, whether or not a host would take it.
pub struct Inspection {
    pub digest: Digest,
    /// Size of the compiled code, in bytes.
    pub code_bytes: usize,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    /// The module; or why a host would refuse it.
    pub module: Result<Module, LoadError>,
}

impl Inspection {
    pub(super) fn of(engine: &Arc<Inner>, upload: &[u8]) -> Result<Self, LoadError> {
        let compiled = Compiled::of(engine, upload)?;
        let shape = Shape::of(&engine.engine, &compiled.component);
        let Shape { imports, exports } = shape.clone();
        let (digest, code_bytes) = (compiled.digest, compiled.code_bytes);
        Ok(Self { digest, code_bytes, imports, exports, module: Module::admit(engine, compiled, shape) })
    }
}

/// Cheap to clone; its code goes with the last clone and the last instance.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Loaded>,
}

struct Loaded {
    engine: Arc<Inner>,
    pre: InstancePre<State>,
    digest: Digest,
    world: World,
    timer: Option<String>,
    imports: Vec<Import>,
    description: Description,
    compiled_in: Option<Duration>,
    code_bytes: usize,
}

impl Module {
    pub(super) fn load(engine: &Arc<Inner>, upload: &[u8]) -> Result<Self, LoadError> {
        let compiled = Compiled::of(engine, upload)?;
        let shape = Shape::of(&engine.engine, &compiled.component);
        Self::admit(engine, compiled, shape)
    }

    fn admit(engine: &Arc<Inner>, compiled: Compiled, shape: Shape) -> Result<Self, LoadError> {
        let Compiled { digest, component, code_bytes, compiled_in } = compiled;
        let Admitted { world, timer } = shape.admit()?;
        let pre = pre_instantiate(engine, &component)?;
        let mut module = Loaded {
            engine: Arc::clone(engine),
            pre,
            digest,
            world,
            timer,
            imports: shape.imports,
            description: Description {
                name: String::new(),
                version: String::new(),
                summary: String::new(),
                settings: vec![],
            },
            compiled_in,
            code_bytes,
        };
        module.description = describe(&module)?;
        Ok(Self { inner: Arc::new(module) })
    }

    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    pub fn world(&self) -> World {
        self.inner.world
    }

    /// Whether it has a timed trigger.
    pub fn has_timer(&self) -> bool {
        self.inner.timer.is_some()
    }

    /// The export that it would have to have for a timed trigger.
    pub fn timer_export(&self) -> String {
        admission::timer(self.inner.world)
    }

    /// Everything that the component imports, by its full name.
    pub fn imports(&self) -> Vec<String> {
        self.inner.imports.iter().map(|import| import.name.clone()).collect()
    }

    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// How long it took to compile; `None` where the artefact was there.
    pub fn compiled_in(&self) -> Option<Duration> {
        self.inner.compiled_in
    }

    /// Size of the compiled code.
    pub fn code_bytes(&self) -> usize {
        self.inner.code_bytes
    }

    /// Makes an instance that is granted nothing, and calls its `init`.
    ///
    /// # Errors
    /// As [`Self::instantiate_with`].
    pub fn instantiate(
        &self,
        limits: Limits,
        config: &[(String, String)],
        guest: Arc<dyn GuestOutput>,
    ) -> Result<Instance, StartError> {
        self.instantiate_with(limits, config, guest, &Grants::default())
    }

    /// Makes an instance with what its pipeline grants, and calls its `init`.
    ///
    /// # Errors
    /// The module wants what is not granted, refuses its config, fails, or answers a plan that cannot be used.
    pub fn instantiate_with(
        &self,
        limits: Limits,
        config: &[(String, String)],
        guest: Arc<dyn GuestOutput>,
        grants: &Grants,
    ) -> Result<Instance, StartError> {
        admission::check_grants(&self.inner.imports, grants)?;
        let mut instance = self.inner.instance(limits, config, guest, grants)?;
        instance.init(config)?;
        Ok(instance)
    }
}

impl Loaded {
    fn instance(
        &self,
        limits: Limits,
        config: &[(String, String)],
        guest: Arc<dyn GuestOutput>,
        grants: &Grants,
    ) -> Result<Instance, StartError> {
        let wanted = Wanted { world: self.world, timer: self.timer.as_deref() };
        Instance::new(&self.engine.engine, &self.pre, wanted, limits, config, guest, grants)
    }
}

fn pre_instantiate(engine: &Inner, component: &Component) -> Result<InstancePre<State>, LoadError> {
    engine.linker.instantiate_pre(component).map_err(|error| LoadError::Mismatch(format!("{error:#}")))
}

fn describe(module: &Loaded) -> Result<Description, LoadError> {
    // Who it is, it knows by itself: whatever it imports, it is given nothing here.
    let instance = module.instance(Limits::default(), &[], Arc::new(NoOutput), &Grants::default());
    let mut instance = instance.map_err(|error| match error {
        StartError::Call(error) => LoadError::Describe(error),
        error => LoadError::Mismatch(error.to_string()),
    })?;
    instance.describe().map_err(LoadError::Describe)
}
