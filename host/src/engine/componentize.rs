//! From an upload to a component: recognises what it is, and wraps a core module in the component that its own
//! `component-type` section describes, so that authors need no other tool than their compiler.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::error::LoadError;

/// The contract, for core modules that do not carry their world.
const WIT: &str = include_str!("../../../wit/transform.wit");

/// Largest upload. Python's components have 18 MB.
pub(super) const UPLOAD_MAX: usize = 64 << 20;

/// Makes a component of a core module that was built against the contract; a component is answered as it is. Neither is
/// validated: that is done when it is compiled.
///
/// # Errors
/// It is too large, no wasm, compiled already, or does not fit the world that it was built against.
pub fn componentize(upload: &[u8]) -> Result<Vec<u8>, LoadError> {
    if upload.len() > UPLOAD_MAX {
        return Err(LoadError::TooLarge { bytes: upload.len(), max: UPLOAD_MAX });
    }
    if wasmtime::Engine::detect_precompiled(upload).is_some() {
        return Err(LoadError::Precompiled);
    }
    if Parser::is_component(upload) {
        return Ok(upload.to_vec());
    }
    if !Parser::is_core_wasm(upload) {
        return Err(LoadError::NotWasm { found: guess(upload) });
    }
    wrap(upload)
}

fn wrap(core: &[u8]) -> Result<Vec<u8>, LoadError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        LoadError::Componentize(format!(
            "the core module cannot be made a component: {what}: {error}. Build it against world `transform` of \
             wasmill:transform@0.1.0"
        ))
    };
    let has = |test: &dyn Fn(&Payload<'_>) -> bool| {
        Parser::new(0).parse_all(core).any(|payload| payload.is_ok_and(|payload| test(&payload)))
    };
    let section = |name: &'static str| move |payload: &Payload<'_>| matches!(payload, Payload::CustomSection(section) if section.name().starts_with(name));
    if has(&section("go:buildid")) {
        return Err(LoadError::Componentize(
            "modules built by the Go compiler are not taken yet: its runtime does not bear the WASI adapter of this \
             version"
                .into(),
        ));
    }
    let mut core = core.to_vec();
    if !has(&section("component-type")) {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("transform.wit", WIT).map_err(|error| failed("its world", &error))?;
        let world = resolve.select_world(&[package], Some("transform")).map_err(|error| failed("its world", &error))?;
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| failed("its world", &error))?;
    }
    let preview1 = has(&|payload| match payload {
        Payload::ImportSection(imports) => {
            imports.clone().into_imports().any(|import| import.is_ok_and(|import| import.module == PREVIEW1))
        }
        _ => false,
    });
    let mut encoder = ComponentEncoder::default()
        .module(&core)
        .map_err(|error| failed("it does not fit its world", &format!("{error:#}")))?;
    if preview1 {
        encoder = encoder.adapter(PREVIEW1, REACTOR).map_err(|error| failed("the WASI adapter", &error))?;
    }
    encoder.encode().map_err(|error| failed("encoding", &format!("{error:#}")))
}

/// What an upload looks like, for people who took the wrong file.
fn guess(bytes: &[u8]) -> String {
    let known: [(&[u8], &str); 6] = [
        (b"\x7fELF", "it is a native program (ELF)"),
        (b"\x1f\x8b", "it is compressed with gzip"),
        (b"PK\x03\x04", "it is a zip archive"),
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd"),
        (b"(module", "it is WebAssembly text"),
        (b"(component", "it is WebAssembly text"),
    ];
    if bytes.is_empty() {
        return "it is empty".into();
    }
    if let Some((_, what)) = known.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return (*what).into();
    }
    if bytes.starts_with(b"\0asm") {
        return "it begins like WebAssembly, but its version is not known".into();
    }
    match std::str::from_utf8(bytes.get(..bytes.len().min(32)).unwrap_or_default()) {
        Ok(text) => format!("it is text that begins with {text:?}"),
        Err(_) => format!("its first bytes are {}", hex::encode(bytes.get(..bytes.len().min(8)).unwrap_or_default())),
    }
}
