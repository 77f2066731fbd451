//! The timed trigger: an export that a module may have or not, so it is looked up by name instead of by a world.

use wasmtime::{
    Store,
    component::{ComponentNamedList, Instance, Lift, TypedFunc},
};

use super::{
    bindings::{
        columns::{exports::wasmill::transform::columns as columns_wit, wasmill::transform::types},
        records::exports::wasmill::transform::records as records_wit,
    },
    module::World,
    records,
    state::State,
};
use crate::{batch::Columns, output::Output};

const FUNCTION: &str = "fire";

/// One call of the timed trigger. Times in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fire {
    /// The planned time.
    pub at: i64,
    /// The host's clock.
    pub now: i64,
    /// 0 at the first try, then one more for each retry of this fire.
    pub attempt: u32,
}

type Params = (i64, i64, u32);
type Answer<T> = (Result<T, types::Error>,);

#[derive(Clone, Copy)]
pub(super) enum Timer {
    Columns(TypedFunc<Params, Answer<columns_wit::Output>>),
    Records(TypedFunc<Params, Answer<records_wit::Output>>),
}

impl Timer {
    /// Finds the function in the interface of this name.
    pub(super) fn find(
        store: &mut Store<State>,
        instance: &Instance,
        world: World,
        interface: &str,
    ) -> wasmtime::Result<Self> {
        match world {
            World::Columns => function(store, instance, interface).map(Self::Columns),
            World::Records => function(store, instance, interface).map(Self::Records),
        }
    }

    pub(super) fn call(self, store: &mut Store<State>, fire: Fire) -> wasmtime::Result<Result<Output, types::Error>> {
        let params = (fire.at, fire.now, fire.attempt);
        match self {
            Self::Columns(function) => Ok(function.call(&mut *store, params)?.0.map(Output::from)),
            Self::Records(function) => {
                let (answer,) = function.call(&mut *store, params)?;
                Ok(answer.map(|output| records::collect(output, &Columns::of_fire(fire.at))))
            }
        }
    }
}

fn function<T>(
    store: &mut Store<State>,
    instance: &Instance,
    interface: &str,
) -> wasmtime::Result<TypedFunc<Params, Answer<T>>>
where
    T: Lift + Send + Sync + 'static,
    Answer<T>: ComponentNamedList,
{
    let missing = || wasmtime::Error::msg(format!("`{interface}` has no function `{FUNCTION}`"));
    let interface = instance.get_export_index(&mut *store, None, interface).ok_or_else(missing)?;
    let function = instance.get_export_index(&mut *store, Some(&interface), FUNCTION).ok_or_else(missing)?;
    instance.get_typed_func::<Params, Answer<T>>(&mut *store, &function)
}
