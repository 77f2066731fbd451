//! Between the author's [`Module`] and the contract: the generated bindings and the exports.

use std::{cell::RefCell, marker::PhantomData, sync::Once};

use crate::{Batch, Config, Error, Module, Output, log::Level};

/// Generated from the contract, `wit/transform.wit`.
#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "transform",
        pub_export_macro: true,
        default_bindings_module: "wasmill_sdk::bindings",
        export_macro_name: "export_contract",
    });
}

use bindings::exports::wasmill::transform::{columns, meta};

impl From<Error> for columns::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Retry(reason) => Self::Retry(reason),
            Error::Fatal(reason) => Self::Fatal(reason),
        }
    }
}

/// The exports of one module. An instance is called by one thread at a time: its state is a thread's own.
pub struct Exported<M>(PhantomData<M>);

thread_local! {
    static INSTANCE: RefCell<Option<Box<dyn AnyModule>>> = const { RefCell::new(None) };
}

trait AnyModule {
    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error>;
}

impl<M: Module> AnyModule for M {
    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        Module::transform(self, batch, out)
    }
}

impl<M: Module> meta::Guest for Exported<M> {
    fn describe() -> meta::Description {
        hook_panics();
        M::describe().raw
    }

    fn init(settings: Vec<(String, String)>) -> Result<meta::Plan, String> {
        hook_panics();
        let (module, plan) = M::init(&Config { settings })?;
        INSTANCE.with_borrow_mut(|instance| *instance = Some(Box::new(module)));
        Ok(meta::Plan { routes: plan.routes, reads: plan.reads.0 })
    }
}

impl<M: Module> columns::Guest for Exported<M> {
    fn transform(raw: columns::Batch) -> Result<columns::Output, columns::Error> {
        INSTANCE.with_borrow_mut(|instance| {
            let Some(module) = instance else {
                return Err(columns::Error::Fatal("transform was called before init".into()));
            };
            let batch = Batch::new(raw);
            let mut out = Output::new(&batch);
            module.transform(&batch, &mut out)?;
            out.into_raw(&batch).map_err(columns::Error::Fatal)
        })
    }
}

/// Without WASI there is no standard error for a panic's message: it goes out as a log line.
pub(crate) fn hook_panics() {
    static ONCE: Once = Once::new();
    if cfg!(all(target_family = "wasm", target_os = "unknown")) {
        ONCE.call_once(|| std::panic::set_hook(Box::new(|info| log(Level::Error, &info.to_string()))));
    }
}

#[cfg(target_family = "wasm")]
pub(crate) fn log(level: Level, message: &str) {
    use bindings::wasmill::transform::log;
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message);
}

#[cfg(target_family = "wasm")]
pub(crate) fn count(name: &str, by: u64) {
    bindings::wasmill::transform::metrics::count(name, by);
}

#[cfg(target_family = "wasm")]
pub(crate) fn observe(name: &str, value: f64) {
    bindings::wasmill::transform::metrics::observe(name, value);
}

#[cfg(not(target_family = "wasm"))]
#[allow(clippy::print_stderr, reason = "outside a host a test's standard error is where lines are looked for")]
pub(crate) fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn count(_name: &str, _by: u64) {}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn observe(_name: &str, _value: f64) {}

#[cfg(test)]
mod tests;
