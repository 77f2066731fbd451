//! The control plane: which modules and pipelines there are, which release is live, and how it came to be.
//!
//! It decides and never touches a record: it reaches the data plane by starting, swapping, pausing and stopping
//! [`crate::pipeline::Pipeline`]s, and hears from it through their status and where releases began. What it knows is in
//! the `store`, written before it is acted upon, so that a kill at any moment leaves a state that a restart goes on
//! from. A failure here never stops what is running.

mod controller;
mod error;
mod invoke;
mod logs;
mod modules;
mod releases;
mod slot;
mod store;

pub use controller::{Controller, Options};
pub use error::ControlError;
pub use invoke::{InvokeInput, InvokeRecord, InvokeResult, InvokedRecord, invoke};
pub use logs::{GuestMetric, LogLine};
pub use modules::ModuleInfo;
pub use releases::{ReleaseInfo, SwapRequest};
