//! The contract in Rust, generated from `wit/transform.wit`. Columns are lowered from borrowed slices: a batch crosses
//! without a copy on our side.

pub(super) mod columns {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "transform",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(super) mod records {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "transform-records",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "wasmill:transform/log": super::columns::wasmill::transform::log,
            "wasmill:transform/metrics": super::columns::wasmill::transform::metrics,
            "wasmill:transform/types": super::columns::wasmill::transform::types,
        },
    });
}

/// Always granted: see `standard`.
pub(super) mod config {
    wasmtime::component::bindgen!({ path: "../wit/deps/config", world: "imports" });
}

/// Always granted: see `standard`.
pub(super) mod logging {
    wasmtime::component::bindgen!({ path: "../wit/deps/logging", world: "imports" });
}

/// The store is an import that a pipeline may grant: see `keyvalue`.
pub(super) mod keyvalue {
    wasmtime::component::bindgen!({
        path: "../wit/deps/keyvalue",
        world: "imports",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": crate::engine::keyvalue::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::engine::keyvalue::StoreError },
    });
}
