//! One instance of a module: a store, its exports, and calls with a deadline.

use std::{sync::Arc, time::Instant};

use wasmtime::{
    Store, Trap, WasmBacktrace,
    component::{Instance as ComponentInstance, InstancePre},
};

use super::{
    bindings::{columns, records as records_world},
    error::{CallError, StartError},
    guest::{GuestOutput, Mouth},
    keyvalue::{KeyValue, Trouble},
    module::{Description, Plan, Setting, World},
    records,
    runtime::TICK,
    state::State,
    timer::{Fire, Timer},
};
use crate::{
    batch::{Columns, Reads},
    columns::{BytesColumn, HeaderColumn},
    limits::Limits,
    output::{EditedColumn, Op, Output, Reject},
};

use columns::exports::wasmill::transform::{columns as wit, meta};
use columns::wasmill::transform::types;

/// One call of `transform`.
pub struct Call<'a> {
    pub topic: &'a str,
    /// 0 or more.
    pub partition: i32,
    /// 0 at the first try, then one more for each retry of this batch.
    pub attempt: u32,
    pub columns: &'a Columns,
}

/// What a module may reach beyond its records. The default is nothing.
#[derive(Clone, Default)]
pub struct Grants {
    pub keyvalue: Option<Arc<dyn KeyValue>>,
}

enum Exports {
    Columns(columns::Transform),
    Records(records_world::TransformRecords),
}

/// What is looked for in a component once it is instantiated.
pub(super) struct Wanted<'a> {
    pub(super) world: World,
    /// The export of its timed trigger, where it has one.
    pub(super) timer: Option<&'a str>,
}

/// Belongs to one thread at a time. After an error that does not keep the instance, every call answers an error.
pub struct Instance {
    store: Store<State>,
    exports: Exports,
    timer: Option<Timer>,
    plan: Plan,
    limits: Limits,
    broken: bool,
}

impl Instance {
    pub(super) fn new(
        engine: &wasmtime::Engine,
        pre: &InstancePre<State>,
        wanted: Wanted<'_>,
        limits: Limits,
        config: &[(String, String)],
        guest: Arc<dyn GuestOutput>,
        grants: &Grants,
    ) -> Result<Self, StartError> {
        let state = State::new(limits.memory, Mouth::new(guest), config.to_vec(), grants.keyvalue.clone());
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.memory);
        // Bounds what the host allocates for an answer before it can be measured; headroom for its list structure.
        store.set_hostcall_fuel(limits.output.saturating_mul(2).saturating_add(1 << 20));
        arm(&mut store, limits);
        let Wanted { world, timer } = wanted;
        let made = pre.instantiate(&mut store).and_then(|made| {
            let timer = timer.map(|name| Timer::find(&mut store, &made, world, name)).transpose()?;
            Ok((exports(&mut store, &made, world)?, timer))
        });
        match made {
            Ok((exports, timer)) => Ok(Self { store, exports, timer, plan: Plan::default(), limits, broken: false }),
            Err(error) if is_guests(&error) || store.data().keyvalue.trouble.is_some() => {
                Err(StartError::Call(explain(&mut store, limits, &error)))
            }
            Err(error) => Err(StartError::Instantiate(format!("{error:#}"))),
        }
    }

    pub(super) fn describe(&mut self) -> Result<Description, CallError> {
        self.enter(|exports, store| match exports {
            Exports::Columns(exports) => exports.wasmill_transform_meta().call_describe(store).map(Into::into),
            Exports::Records(exports) => {
                exports.wasmill_transform_meta().call_describe(store).map(records::description)
            }
        })
    }

    pub(super) fn init(&mut self, config: &[(String, String)]) -> Result<(), StartError> {
        let config: Vec<(&str, &str)> = config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.enter(|exports, store| match exports {
            Exports::Columns(exports) => {
                exports.wasmill_transform_meta().call_init(store, &config).map(|answer| answer.map(Into::into))
            }
            Exports::Records(exports) => {
                exports.wasmill_transform_meta().call_init(store, &config).map(|answer| answer.map(records::plan))
            }
        });
        self.plan =
            answer.map_err(StartError::Call)?.map_err(|words| match self.store.data_mut().keyvalue.trouble {
                // Its words about a store that is away are no refusal.
                Some(Trouble::Away(_)) => StartError::Call(CallError::Store(words)),
                _ => StartError::Refused(words),
            })?;
        self.plan.check()
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Memories and tables, in bytes: they never shrink.
    pub fn memory_bytes(&self) -> usize {
        self.store.data().memory.used()
    }

    /// Calls the module with a batch of `call.columns.rows` rows.
    ///
    /// # Errors
    /// See [`CallError`]; it says whether the instance can be called again.
    pub fn transform(&mut self, call: &Call<'_>) -> Result<Output, CallError> {
        let answer = self.enter(|exports, store| match exports {
            Exports::Columns(exports) => {
                let answer = exports.wasmill_transform_columns().call_transform(store, lower(call))?;
                Ok(answer.map(Output::from))
            }
            Exports::Records(exports) => records::transform(exports, store, call),
        });
        self.checked(answer?, call.columns.rows)
    }

    /// Whether the module has a timed trigger.
    pub fn has_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// Calls the module's timed trigger. The answer is one for a batch of one row ([`Columns::of_fire`]).
    ///
    /// # Errors
    /// See [`CallError`]; a module without a timed trigger is fatal.
    pub fn fire(&mut self, fire: Fire) -> Result<Output, CallError> {
        let Some(timer) = self.timer else {
            return Err(CallError::Fatal("the module has no timed trigger".into()));
        };
        let answer = self.enter(|_, store| timer.call(store, fire))?;
        self.checked(answer, 1)
    }

    /// The gate for what the module answered.
    fn checked(&mut self, answer: Result<Output, types::Error>, rows: u32) -> Result<Output, CallError> {
        let output = answer.map_err(|error| match (error, &self.store.data().keyvalue.trouble) {
            // It takes for passing what is not.
            (types::Error::Retry(_), Some(Trouble::Broken(words))) => CallError::Fatal(words.clone()),
            (types::Error::Retry(reason), _) => CallError::Retry(reason),
            (types::Error::Fatal(reason), _) => CallError::Fatal(reason),
        })?;
        let Limits { output: bytes, output_records, .. } = self.limits;
        if let Err(bad) = output.check(rows, self.plan.routes.len(), output_records, bytes) {
            self.broken = true;
            return Err(bad.into());
        }
        Ok(output)
    }

    /// Enters the guest with a fresh deadline, and makes a [`CallError`] of what goes wrong in it.
    fn enter<T>(
        &mut self,
        call: impl FnOnce(&Exports, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        if self.broken {
            return Err(CallError::Fatal("the instance failed before and cannot be called again".into()));
        }
        arm(&mut self.store, self.limits);
        self.store.data().mouth.begin();
        let answer = call(&self.exports, &mut self.store);
        self.store.data().mouth.end();
        answer.map_err(|error| {
            self.broken = true;
            explain(&mut self.store, self.limits, &error)
        })
    }
}

fn exports(store: &mut Store<State>, made: &ComponentInstance, world: World) -> wasmtime::Result<Exports> {
    match world {
        World::Columns => columns::Transform::new(store, made).map(Exports::Columns),
        World::Records => records_world::TransformRecords::new(store, made).map(Exports::Records),
    }
}

fn arm(store: &mut Store<State>, limits: Limits) {
    let ticks = limits.time.as_millis().div_ceil(TICK.as_millis());
    // One more: the tick under way counts as a whole one.
    store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1));
    let keyvalue = &mut store.data_mut().keyvalue;
    (keyvalue.until, keyvalue.trouble) = (Instant::now() + limits.time, None);
}

fn is_guests(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<Trap>().is_some()
}

fn explain(store: &mut Store<State>, limits: Limits, error: &wasmtime::Error) -> CallError {
    let backtrace: Vec<String> = error
        .downcast_ref::<WasmBacktrace>()
        .map(|backtrace| backtrace.frames().iter().flat_map(frames).collect())
        .unwrap_or_default();
    let state = store.data_mut();
    state.mouth.end();
    let words = state.mouth.take_last_words();
    let refused = std::mem::take(&mut state.memory.refused);
    match state.keyvalue.trouble.take() {
        Some(Trouble::Away(words)) => return CallError::Store(words),
        Some(Trouble::Broken(words)) => return CallError::Fatal(words),
        None => {}
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => CallError::Deadline { limit: limits.time },
        _ if refused => CallError::Memory { limit: limits.memory, backtrace },
        // wasmtime keeps this error's type to itself.
        None if error.root_cause().to_string().contains("fuel allocated for hostcalls") => {
            CallError::TooMuchOutput { limit: limits.output }
        }
        trap => {
            let cause = trap.map_or_else(|| error.root_cause().to_string(), ToString::to_string);
            let message = if words.is_empty() { cause } else { format!("{words} ({cause})") };
            CallError::Trap { message, backtrace }
        }
    }
}

/// The function and where in the source, if the module carries that (a line for each function that was inlined);
/// otherwise where in its code.
fn frames(frame: &wasmtime::FrameInfo) -> Vec<String> {
    // Rust's mangled names are of no use to people; other languages' come as they are.
    let demangled = |name: Option<&str>| format!("{:#}", rustc_demangle::demangle(name.unwrap_or("<unknown>")));
    let symbols = frame.symbols().iter().filter_map(|symbol| {
        let name = demangled(symbol.name().or_else(|| frame.func_name()));
        let line = symbol.line().map_or_else(String::new, |line| format!(":{line}"));
        Some(format!("{name} at {}{line}", symbol.file()?))
    });
    let symbols: Vec<String> = symbols.collect();
    if !symbols.is_empty() {
        return symbols;
    }
    let name = demangled(frame.func_name());
    vec![frame.module_offset().map_or_else(|| name.clone(), |offset| format!("{name} at 0x{offset:x}"))]
}

fn lower<'a>(call: &Call<'a>) -> wit::Batch<'a> {
    let columns = call.columns;
    fn bytes(column: &BytesColumn) -> wit::BytesColumnParam<'_> {
        wit::BytesColumnParam { data: &column.data, ends: &column.ends, nulls: &column.nulls }
    }
    wit::Batch {
        topic: call.topic,
        partition: u32::try_from(call.partition).unwrap_or(0),
        rows: columns.rows,
        attempt: call.attempt,
        offsets: &columns.offsets,
        timestamps: &columns.timestamps,
        keys: bytes(&columns.keys),
        values: bytes(&columns.values),
        headers: wit::HeaderColumnParam {
            row_ends: &columns.headers.row_ends,
            names: bytes(&columns.headers.names),
            values: bytes(&columns.headers.values),
        },
    }
}

impl From<wit::Output> for Output {
    /// Moves the lists: nothing is copied.
    fn from(output: wit::Output) -> Self {
        let bytes =
            |column: wit::BytesColumnResult| BytesColumn { data: column.data, ends: column.ends, nulls: column.nulls };
        let edited = |column: wit::EditedColumn| EditedColumn {
            column: BytesColumn { data: column.data, ends: column.ends, nulls: column.nulls },
            kept: column.kept,
        };
        Self {
            rows: output.rows,
            routes: output.routes,
            keys: output.keys.map(edited),
            values: output.values.map(edited),
            headers: output.headers.map(|headers| HeaderColumn {
                row_ends: headers.row_ends,
                names: bytes(headers.names),
                values: bytes(headers.values),
            }),
            timestamps: output.timestamps,
            targets: output.targets.map(bytes),
            ops: output.ops.map(|ops| ops.into_iter().map(Op::from).collect()),
            versions: output.versions,
            rejects: output.rejects.into_iter().map(Reject::from).collect(),
        }
    }
}

impl From<types::Op> for Op {
    fn from(op: types::Op) -> Self {
        match op {
            types::Op::Put => Self::Put,
            types::Op::Create => Self::Create,
            types::Op::Merge => Self::Merge,
            types::Op::Delete => Self::Delete,
        }
    }
}

impl From<types::Reject> for Reject {
    fn from(reject: types::Reject) -> Self {
        Self { row: reject.row, reason: reject.reason }
    }
}

impl From<meta::Description> for Description {
    fn from(said: meta::Description) -> Self {
        let setting = |setting: meta::Setting| Setting {
            name: setting.name,
            summary: setting.summary,
            default: setting.default,
            required: setting.required,
        };
        let settings = said.settings.into_iter().map(setting).collect();
        Self { name: said.name, version: said.version, summary: said.summary, settings }
    }
}

impl From<meta::Plan> for Plan {
    fn from(plan: meta::Plan) -> Self {
        let reads = |flag| plan.reads.contains(flag);
        let reads = Reads {
            keys: reads(meta::Reads::KEYS),
            values: reads(meta::Reads::VALUES),
            headers: reads(meta::Reads::HEADERS),
            offsets: reads(meta::Reads::OFFSETS),
            timestamps: reads(meta::Reads::TIMESTAMPS),
        };
        Self { routes: plan.routes, reads }
    }
}
