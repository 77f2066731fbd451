//! From an upload to a component: recognises what it is, and wraps a core module in the component that its own
//! `component-type` section describes, so that authors need no other tool than their compiler.

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{
    adapter::{self, PREVIEW1},
    error::LoadError,
};

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

/// What a core module says of itself.
#[derive(Default)]
struct Core {
    /// It carries the world that it was built for: wit-bindgen's guests do.
    has_world: bool,
    /// The Go compiler built it: its linker says so.
    go: bool,
    /// Modules that it imports from.
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Core {
    /// What can be read; a module that is damaged is refused by those who read all of it.
    fn of(module: &[u8]) -> Self {
        let mut core = Self::default();
        for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
            match payload {
                Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                    core.has_world = true;
                }
                Payload::CustomSection(section) if section.name() == "go:buildid" => core.go = true,
                Payload::ImportSection(imports) => {
                    let imports = imports.into_imports().map_while(Result::ok);
                    core.imports.extend(imports.map(|import| import.module.to_owned()));
                }
                Payload::ExportSection(exports) => {
                    core.exports.extend(exports.into_iter().map_while(Result::ok).map(|export| export.name.to_owned()));
                }
                _ => {}
            }
        }
        core
    }

    fn imports(&self, module: &str) -> bool {
        self.imports.iter().any(|import| import == module)
    }

    fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// The world that it exports, where it does not carry one.
    fn world(&self) -> &'static str {
        if self.exports("wasmill:transform/records@0.1.0#transform") { "transform-records" } else { "transform" }
    }

    /// A program of Go that was built in a way that makes no module of it.
    fn go_mistake(&self) -> Option<&'static str> {
        if self.imports("gojs") {
            return Some("it was built for web browsers (GOOS=js)");
        }
        if self.exports("_start") {
            return Some("it was built as a command, which ends when it has started");
        }
        (!self.exports("wasmill:transform/meta@0.1.0#describe")).then_some("it does not use the SDK")
    }
}

fn wrap(upload: &[u8]) -> Result<Vec<u8>, LoadError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        LoadError::Componentize(format!(
            "the core module cannot be made a component: {what}: {error}. Build it against world `transform` of \
             wasmill:transform@0.1.0"
        ))
    };
    let core = Core::of(upload);
    if core.go
        && let Some(mistake) = core.go_mistake()
    {
        return Err(LoadError::Componentize(format!(
            "this program of Go is no module: {mistake}. `wasmill new go NAME` gives a project that is one, and \
             `wasmill build` builds it: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared"
        )));
    }
    let mut module = upload.to_vec();
    if !core.has_world {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("transform.wit", WIT).map_err(|error| failed("its world", &error))?;
        let world =
            resolve.select_world(&[package], Some(core.world())).map_err(|error| failed("its world", &error))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| failed("its world", &error))?;
    }
    let mut encoder = ComponentEncoder::default()
        .module(&module)
        .map_err(|error| failed("it does not fit its world", &format!("{error:#}")))?;
    if core.imports(PREVIEW1) {
        let adapter = if core.go { adapter::go() } else { Ok(adapter::stock()) };
        encoder = adapter
            .and_then(|adapter| encoder.adapter(PREVIEW1, &adapter))
            .map_err(|error| failed("the WASI adapter", &format!("{error:#}")))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let module = wat::parse_str(text).expect("WebAssembly text");
        componentize(&module).expect_err("it must be refused").to_string()
    }

    #[test]
    fn a_program_of_go_that_is_no_module_says_why() {
        let cases = [
            (r#"(import "gojs" "runtime.wasmExit" (func))"#, "it was built for web browsers (GOOS=js)"),
            (r#"(func (export "_start"))"#, "it was built as a command"),
            (r#"(func (export "_initialize"))"#, "it does not use the SDK"),
        ];
        for (parts, words) in cases {
            let said = refused(&format!(r#"(module (@custom "go:buildid" "x") {parts})"#));
            assert!(said.contains(words) && said.contains("-buildmode=c-shared"), "{said}");
        }
    }

    #[test]
    fn the_world_of_a_core_module_is_what_it_exports() {
        let world = |export: &str| {
            let module = wat::parse_str(format!(r#"(module (func (export "{export}")))"#)).expect("WebAssembly text");
            Core::of(&module).world()
        };
        assert_eq!(world("wasmill:transform/records@0.1.0#transform"), "transform-records");
        assert_eq!(world("wasmill:transform/columns@0.1.0#transform"), "transform");
    }

    #[test]
    fn what_an_adapter_lacks_is_named() {
        let said = refused(
            r#"(module (@custom "go:buildid" "x")
                 (import "wasi_snapshot_preview1" "path_teleport" (func))
                 (memory (export "memory") 1)
                 (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                 (func (export "wasmill:transform/meta@0.1.0#describe") (result i32) i32.const 0)
                 (func (export "wasmill:transform/meta@0.1.0#init") (param i32 i32) (result i32) i32.const 0)
                 (func (export "wasmill:transform/columns@0.1.0#transform") (param i32) (result i32) i32.const 0))"#,
        );
        assert!(said.contains("path_teleport"), "{said}");
    }
}
