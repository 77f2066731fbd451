//! Write a module for Wasmill: one function over a batch of Kafka records, and a description of itself.
//!
//! ```
//! use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};
//!
//! /// Keeps the records whose value contains a word.
//! struct Filter {
//!     word: Vec<u8>,
//! }
//!
//! impl Module for Filter {
//!     fn describe() -> Describe {
//!         Describe::new("filter", "1.0.0")
//!             .summary("Keeps the records whose value contains a word.")
//!             .required("word", "the word to look for")
//!     }
//!
//!     fn init(config: &Config) -> Result<(Self, Plan), String> {
//!         let word = config.required("word")?.as_bytes().to_vec();
//!         Ok((Self { word }, Plan::route("kept").reads(Reads::VALUES)))
//!     }
//!
//!     fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
//!         for row in batch.rows() {
//!             let value = row.value().unwrap_or_default();
//!             if value.windows(self.word.len()).any(|window| window == self.word) {
//!                 out.keep(row);
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! wasmill_sdk::export!(Filter);
//!
//! // Try it without a host:
//! use wasmill_sdk::testing::{Record, run};
//! let done = run::<Filter>(&[("word", "b")], &[Record::value("abc"), Record::value("xyz")]).unwrap();
//! assert_eq!(done.records.len(), 1);
//! assert_eq!(done.records[0].value.as_deref(), Some(&b"abc"[..]));
//! ```
//!
//! # What becomes of a row
//! - [`Output::keep`] sends it on: to the first route of the [`Plan`], unless [`Sent::route`] names another. What is
//!   not set on it (key, value, headers, timestamp) stays the row's own, and is not copied out of the module.
//! - A row that is not kept is dropped on purpose.
//! - [`Output::reject`] sends it to the pipeline's dead letters, with a reason.
//! - [`Error::Retry`] asks for the whole batch again, later. [`Error::Fatal`] stops the pipeline.
//! - A panic is a trap: the host finds the row that causes it, sends it to the dead letters and goes on with the rest.
//!
//! Rows are to be kept in the order of the batch: acknowledgement and order hang on it. One row may be kept several
//! times. A batch may be given to the module more than once.
//!
//! # On a timer
//! A module that implements [`Timer`] too and is exported with `export!(Filter, timer)` is called at the times that its
//! pipeline plans (`timer: { every: 30s }`), between two batches.
//!
//! # JSON
//! [`json`] edits it where it lies: several times faster than a tree of values.
//!
//! # What a module may do
//! Compute, [`log`] and count [`metrics`]. It has no files, no network and no environment. What its pipeline grants
//! comes on top: a key-value store (`kv`, feature `keyvalue`). An instance is called by one thread at a time, keeps its
//! state from batch to batch, and may be replaced at any time.
#![deny(missing_docs)]

mod batch;
mod describe;
mod glue;
pub mod json;
#[cfg(feature = "keyvalue")]
pub mod kv;
pub mod log;
pub mod metrics;
mod output;
pub mod testing;
mod timer;

pub use batch::{Batch, Header, Headers, Row, Rows};
pub use describe::{Config, Describe, Plan, Reads};
#[doc(hidden)]
pub use glue::{Exported, bindings};
pub use output::{Op, Output, Sent};
#[doc(hidden)]
pub use timer::{ExportedTimer, WORLD as TIMER_WORLD, bindings as timer_bindings};
pub use timer::{Tick, Timer};

/// A transform. See the [crate's documentation](crate) for an example; [`export!`] makes it a module.
pub trait Module: Sized + 'static {
    /// Who the module is, and what it can be told. Callable at any time, and always the same answer.
    fn describe() -> Describe;

    /// Makes an instance. The plan says which routes it will use and which columns it reads.
    ///
    /// # Errors
    /// Words for the person who deploys the module: the release is refused with them.
    fn init(config: &Config) -> Result<(Self, Plan), String>;

    /// Transforms a batch: rows of one topic-partition in offset order.
    ///
    /// # Errors
    /// What concerns the whole batch. For a single row, see [`Output::reject`].
    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error>;
}

/// Why a whole batch was not transformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Call again with the same batch after a back-off, within the pipeline's limit of retries.
    Retry(String),
    /// Stop the pipeline: a person has to look.
    Fatal(String),
}

impl Error {
    /// A retry, with its reason.
    pub fn retry(reason: impl ToString) -> Self {
        Self::Retry(reason.to_string())
    }

    /// A full stop, with its reason.
    pub fn fatal(reason: impl ToString) -> Self {
        Self::Fatal(reason.to_string())
    }
}

/// Makes a type that implements [`Module`] the module of this crate, which must be a `cdylib`; with `timer` behind it,
/// one that implements [`Timer`] as well.
#[macro_export]
macro_rules! export {
    ($module:ty, timer) => {
        #[allow(unsafe_code, reason = "the exports of a component are C functions")]
        const _: () = {
            type Exported = $crate::ExportedTimer<$module>;
            $crate::bindings::exports::wasmill::transform::meta::__export_wasmill_transform_meta_0_1_0_cabi!(
                Exported with_types_in $crate::bindings::exports::wasmill::transform::meta
            );
            $crate::bindings::exports::wasmill::transform::columns::__export_wasmill_transform_columns_0_1_0_cabi!(
                Exported with_types_in $crate::bindings::exports::wasmill::transform::columns
            );
            $crate::timer_bindings::exports::wasmill::transform::timer::__export_wasmill_transform_timer_0_1_0_cabi!(
                Exported with_types_in $crate::timer_bindings::exports::wasmill::transform::timer
            );
            #[cfg(target_family = "wasm")]
            #[unsafe(link_section = "component-type:wasmill:transform@0.1.0:transform-timer")]
            #[used]
            static WORLD: [u8; $crate::TIMER_WORLD.len()] = *$crate::TIMER_WORLD;
        };
    };
    ($module:ty) => {
        #[allow(unsafe_code, reason = "the exports of a component are C functions")]
        const _: () = {
            type Exported = $crate::Exported<$module>;
    $crate::bindings::export_contract!(Exported with_types_in $crate::bindings);
        };
    };
}
