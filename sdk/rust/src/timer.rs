//! The timed trigger: a trait of its own, and the exports of a module that has it.

use std::{cell::RefCell, marker::PhantomData};

use crate::{
    Batch, Config, Error, Module, Output, Row,
    bindings::exports::wasmill::transform::{columns as raw, meta},
    glue::{Exported, hook_panics},
};

mod world;
pub use world::WORLD;

/// A module that is called at the times that its pipeline plans, between two batches.
///
/// ```
/// use wasmill_sdk::{testing::{Record, start}, *};
///
/// /// Counts records, and says how many with every fire.
/// #[derive(Default)]
/// struct Count(u64);
///
/// impl Module for Count {
///     fn describe() -> Describe {
///         Describe::new("count", "1.0.0")
///     }
///
///     fn init(_: &Config) -> Result<(Self, Plan), String> {
///         Ok((Self::default(), Plan::route("counts").reads(Reads::NONE)))
///     }
///
///     fn transform(&mut self, batch: &Batch, _: &mut Output) -> Result<(), Error> {
///         self.0 += batch.len() as u64;
///         Ok(())
///     }
/// }
///
/// impl Timer for Count {
///     fn fire(&mut self, tick: &Tick, out: &mut Output) -> Result<(), Error> {
///         out.keep(tick.row()).value(std::mem::take(&mut self.0).to_string().as_bytes());
///         Ok(())
///     }
/// }
///
/// wasmill_sdk::export!(Count, timer);
///
/// let mut count = start::<Count>(&[]).unwrap();
/// count.batch(&[Record::value("a"), Record::value("b")]).unwrap();
/// assert_eq!(count.fire(60_000).unwrap().records[0].value.as_deref(), Some(&b"2"[..]));
/// assert_eq!(count.fire(120_000).unwrap().records[0].value.as_deref(), Some(&b"0"[..]));
/// ```
///
/// The instance that fires is the one that gets the batches of its lane: what it gathered is at hand. It is gone with the
/// instance, which a swap, a panic or a restart replaces, while the records that it came from are done with: what has to
/// survive does not belong there.
pub trait Timer: Module {
    /// Called at a planned time. Records are made of the tick's own row, as often as wanted.
    ///
    /// # Errors
    /// [`Error::Retry`] asks for the same fire again, later; [`Error::Fatal`] stops the pipeline.
    fn fire(&mut self, tick: &Tick, out: &mut Output) -> Result<(), Error>;
}

/// One call of a timer. Times are milliseconds since the Unix epoch.
pub struct Tick {
    at: i64,
    now: i64,
    attempt: u32,
    batch: Batch,
}

impl Tick {
    pub(crate) fn new(at: i64, now: i64, attempt: u32) -> Self {
        let null = || raw::BytesColumn { data: vec![], ends: vec![0], nulls: vec![0] };
        let none = || raw::BytesColumn { data: vec![], ends: vec![], nulls: vec![] };
        let batch = Batch::new(raw::Batch {
            topic: String::new(),
            partition: 0,
            rows: 1,
            attempt,
            offsets: vec![u64::try_from(at).unwrap_or(0)],
            timestamps: vec![at],
            keys: null(),
            values: null(),
            headers: raw::HeaderColumn { row_ends: vec![0], names: none(), values: none() },
        });
        Self { at, now, attempt, batch }
    }

    /// The planned time.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// The host's clock: later than planned where the instance was busy.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// 0 at the first try, then one more for each retry of this fire.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What records are made of: a row that nobody sent, with key and value null, no headers, and the planned time as
    /// its timestamp.
    pub fn row(&self) -> Row<'_> {
        self.batch.row(0)
    }

    pub(crate) fn give<M: Timer>(&self, module: &mut M) -> Result<raw::Output, Error> {
        let mut out = Output::new(&self.batch);
        module.fire(self, &mut out)?;
        out.into_raw(&self.batch).map_err(Error::Fatal)
    }
}

/// Generated from the contract: the timer alone, as a world of its own. The columns that it answers with are those of the
/// module's other exports.
#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package wasmill:sdk;
            world timer-alone { export wasmill:transform/timer@0.1.0; }
        ",
        world: "wasmill:sdk/timer-alone",
        pub_export_macro: true,
        default_bindings_module: "wasmill_sdk::timer_bindings",
        export_macro_name: "export_timer_alone",
        with: {
            "wasmill:transform/types@0.1.0": crate::bindings::wasmill::transform::types,
            "wasmill:transform/columns@0.1.0": crate::bindings::exports::wasmill::transform::columns,
        },
    });
}

use bindings::exports::wasmill::transform::timer;

/// The exports of one module with a timer.
pub struct ExportedTimer<M>(PhantomData<M>);

trait AnyTimer {
    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error>;
    fn fire(&mut self, tick: &Tick) -> Result<raw::Output, Error>;
}

impl<M: Timer> AnyTimer for M {
    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        Module::transform(self, batch, out)
    }

    fn fire(&mut self, tick: &Tick) -> Result<raw::Output, Error> {
        tick.give(self)
    }
}

thread_local! {
    static INSTANCE: RefCell<Option<Box<dyn AnyTimer>>> = const { RefCell::new(None) };
}

fn with_instance(
    call: impl FnOnce(&mut dyn AnyTimer) -> Result<raw::Output, Error>,
) -> Result<raw::Output, raw::Error> {
    INSTANCE.with_borrow_mut(|instance| match instance {
        Some(module) => Ok(call(module.as_mut())?),
        None => Err(raw::Error::Fatal("the module was called before init".into())),
    })
}

impl<M: Timer> meta::Guest for ExportedTimer<M> {
    fn describe() -> meta::Description {
        <Exported<M> as meta::Guest>::describe()
    }

    fn init(settings: Vec<(String, String)>) -> Result<meta::Plan, String> {
        hook_panics();
        let (module, plan) = M::init(&Config { settings })?;
        INSTANCE.with_borrow_mut(|instance| *instance = Some(Box::new(module)));
        Ok(meta::Plan { routes: plan.routes, reads: plan.reads.0 })
    }
}

impl<M: Timer> raw::Guest for ExportedTimer<M> {
    fn transform(batch: raw::Batch) -> Result<raw::Output, raw::Error> {
        with_instance(|module| {
            let batch = Batch::new(batch);
            let mut out = Output::new(&batch);
            module.transform(&batch, &mut out)?;
            out.into_raw(&batch).map_err(Error::Fatal)
        })
    }
}

impl<M: Timer> timer::Guest for ExportedTimer<M> {
    fn fire(at: i64, now: i64, attempt: u32) -> Result<timer::Output, timer::Error> {
        with_instance(|module| module.fire(&Tick::new(at, now, attempt)))
    }
}
