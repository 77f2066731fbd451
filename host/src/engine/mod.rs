//! The engine: modules are taken apart, compiled, started and called here. The only folder that names wasmtime.
//!
//! ```text
//! bytes -> component (componentise) -> admission (world, imports) -> artefact (child process, cache)
//!       -> Module -> Instance (one per lane) -> transform(columns) -> checked Output
//! ```
//!
//! Invariants
//! - A guest can only end its own call: a trap, a deadline or a limit is a [`CallError`], never a panic.
//! - Nothing but our own compiler's output is ever loaded as code: an artefact is authenticated before it is used, and
//!   an upload that is one is refused (`artifact.rs` holds the one `unsafe`).
//! - WASI is linked whole, because libc-based guests import all of it, and granted nothing: no files, no network, no
//!   environment, no arguments.
//! - What else a module imports is refused unless its pipeline grants it ([`Grants`]).
//! - An answer that left this folder has passed [`crate::output::Output::check`].

mod adapter;
mod admission;
mod artifact;
mod bindings;
mod compile;
mod componentize;
mod error;
mod guest;
mod instance;
mod keyvalue;
mod module;
mod records;
mod runtime;
mod standard;
mod state;
mod timer;

pub use admission::Import;
pub use compile::{CompileLimits, compile_worker};
pub use componentize::componentize;
pub use error::{CallError, EngineError, LoadError, StartError, stack};
pub use guest::{GuestOutput, LogLevel, NoOutput};
pub use instance::{Call, Grants, Instance};
pub use keyvalue::{Asked, KeyValue, Keys, StoreError};
pub use module::{Description, Digest, Inspection, Module, Plan, Setting, World};
pub use runtime::{Engine, EngineOptions};
pub use timer::Fire;
