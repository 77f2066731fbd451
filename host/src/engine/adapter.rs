//! Adapters from WASI preview 1, which compilers know, to WASI 0.2, which components import: wasmtime's own, and ours
//! for programs of the Go compiler. Why Go needs another one is said in `adapter/go.wat`.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The module that preview 1 is imported from.
pub(super) const PREVIEW1: &str = WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;

/// `adapter/go.wat`, assembled by `build.rs`.
const GO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/go-adapter.wasm"));

/// What it imports.
const GO_WIT: &str = include_str!("adapter/go.wit");

/// The stock adapter, for all but Go.
pub(super) fn stock() -> Vec<u8> {
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER.to_vec()
}

/// The adapter for modules that the Go compiler built.
///
/// # Errors
/// The adapter and its world do not fit each other: a fault of this program.
pub(super) fn go() -> anyhow::Result<Vec<u8>> {
    let mut adapter = GO.to_vec();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("go.wit", GO_WIT)?;
    let world = resolve.select_world(&[package], Some("adapter"))?;
    embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8)?;
    Ok(adapter)
}
