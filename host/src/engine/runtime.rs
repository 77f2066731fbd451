//! One wasmtime engine for the process: its configuration, its ticker, and the way from an upload to a [`Module`].

use std::{path::PathBuf, sync::Arc, time::Duration};

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
    component::{HasSelf, Linker},
};

use super::{
    artifact::Artifacts,
    bindings::{columns::Transform, config as wasi_config, keyvalue, logging},
    compile::{CompileLimits, Compiler},
    error::{EngineError, LoadError},
    module::{Inspection, Module},
    state::State,
};
use crate::limits::MEMORY_MAX;

/// Resolution of deadlines: how often running guests look at the clock.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What the engine needs of its surroundings.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Folder of compiled artefacts; made where it is missing, for this user alone.
    pub cache: PathBuf,
    /// A program that understands `compile-worker`: this one.
    pub compiler: PathBuf,
    /// Instances alive at a time: lanes of all pipelines, twice during a swap.
    pub instances: u32,
    pub compile: CompileLimits,
}

/// One per process; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: wasmtime::Engine,
    pub(super) linker: Linker<State>,
    pub(super) artifacts: Artifacts,
    pub(super) compiler: Compiler,
}

impl Engine {
    /// # Errors
    /// The cache folder cannot be used, or this machine cannot run WebAssembly.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        let engine = match wasmtime::Engine::new(&pooled(options.instances)) {
            Ok(engine) => engine,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "no address space for the instance pool (ulimit -v?): instances are made one by one, slower"
                );
                wasmtime::Engine::new(&config()).map_err(setup)?
            }
        };
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(setup)?;
        Transform::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(setup)?;
        wasi_config::Imports::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(setup)?;
        logging::Imports::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(setup)?;
        keyvalue::Imports::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(setup)?;
        start_ticker(&engine)?;
        let artifacts = Artifacts::open(&options.cache, &engine)?;
        let compiler = Compiler { program: options.compiler, limits: options.compile };
        Ok(Self { inner: Arc::new(Inner { engine, linker, artifacts, compiler }) })
    }

    /// Makes a module of an upload: a component, or a core module built against the contract. Blocks while it
    /// compiles, in another process, unless the cache has its artefact.
    ///
    /// # Errors
    /// See [`LoadError`]: every refusal names the item and says what to do.
    pub fn load(&self, upload: &[u8]) -> Result<Module, LoadError> {
        Module::load(&self.inner, upload)
    }

    /// Takes an upload apart as [`Self::load`] does, and says what it is also where it would be refused.
    ///
    /// # Errors
    /// It is no WebAssembly, or cannot be compiled.
    pub fn inspect(&self, upload: &[u8]) -> Result<Inspection, LoadError> {
        Inspection::of(&self.inner, upload)
    }

    /// Component instances alive, for tests and metrics; `None` without a pool.
    pub fn instances(&self) -> Option<u64> {
        self.inner.engine.pooling_allocator_metrics().map(|metrics| metrics.component_instances())
    }
}

/// The configuration that compiled code depends on: the same for the child that compiles and for the engine that runs.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        // Synchronous guests only: the machinery for concurrent ones costs on every crossing.
        .concurrency_support(false)
        .wasm_component_model(true)
        // JS and Python guests recurse deeply.
        .max_wasm_stack(1 << 20)
        .async_stack_size(4 << 20)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
        // Files and lines, where a module carries them: a choice of its author, who pays for it with size.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        // Only native debuggers want it, and registering it is slow where modules come and go.
        .native_unwind_info(false)
        // Python's snapshot is 16 MB: mapped, not copied, at each instantiation.
        .memory_guaranteed_dense_image_size(64 << 20);
    config
}

/// The pool's numbers follow from the instances asked for; per component they fit Python's, which has the most parts.
fn pooled(instances: u32) -> Config {
    let instances = instances.max(4);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(16))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(16))
        .total_stacks(instances)
        .max_core_instances_per_component(200)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .table_elements(100_000)
        .max_memory_size(MEMORY_MAX)
        // What a small guest touches stays mapped from one instance to the next.
        .linear_memory_keep_resident(1 << 20)
        .pagemap_scan(Enabled::Auto);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Advances the clock of deadlines until the engine is gone: the thread holds it weakly.
fn start_ticker(engine: &wasmtime::Engine) -> Result<(), EngineError> {
    let weak = engine.weak();
    let tick = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("epoch".into())
        .spawn(tick)
        .map(drop)
        .map_err(|error| EngineError::Setup(format!("no thread for the epoch: {error}")))
}
