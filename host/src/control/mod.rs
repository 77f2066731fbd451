//! The control plane: which modules and pipelines there are, which release is live, and how it came to be.
//!
//! It decides and never touches a record: it reaches the data plane by starting, swapping, pausing and stopping
//! [`crate::pipeline::Pipeline`]s, and hears from it through their status and where releases began. What it knows is in
//! the `store`, written before it is acted upon, so that a kill at any moment leaves a state that a restart goes on
//! from. A failure here never stops what is running.

mod batches;
mod change;
mod controller;
mod error;
mod invoke;
mod logs;
mod modules;
mod releases;
mod seek;
mod slot;
mod store;

pub use batches::BatchInfo;
pub use change::{Changed, Effect};
pub use controller::{Controller, Options};
pub use error::ControlError;
pub use invoke::{InvokeInput, InvokeRecord, InvokeRequest, InvokeResult, InvokedRecord, fire_line, invoke};
pub use logs::{GuestMetric, LogLine};
pub use modules::ModuleInfo;
pub use releases::{ReleaseInfo, SwapRequest};
pub use seek::{Fired, SeekRequest, SeekTarget, Sought};
