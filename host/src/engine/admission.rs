//! Whether a component may be a module: what it exports, and what it wants of the host. Looked at before anything of
//! it runs, and said by name.

use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

use super::{
    error::{LoadError, StartError},
    instance::Grants,
    module::World,
    standard::STANDARD,
};

const PACKAGE: &str = "wasmill:transform";
const VERSION: &str = "0.1.0";

/// Imports of the contract that need nothing of the host, or what it always grants.
const GRANTED: [&str; 5] = ["types", "log", "metrics", "columns", "records"];

/// Packages of WASI 0.2 that are linked, with nothing behind them but clocks, randomness and our log.
const WASI: [&str; 6] = ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];

/// What a pipeline may grant.
const KEYVALUE: [&str; 3] =
    ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft", "wasi:keyvalue/batch@0.2.0-draft"];

const GRANT_KEYVALUE: &str = "add `grants: { keyvalue: { redis: { url: ... } } }` to `module`, or `memory: {}` in place \
                              of `redis` (docs/grants.md), or deploy a module that does without";

/// Whether what a module imports is granted to it.
///
/// # Errors
/// Names the first import that is not, and says how to grant it.
pub(super) fn granted(imports: &[String], grants: &Grants) -> Result<(), StartError> {
    let wanted = imports.iter().find(|import| KEYVALUE.contains(&import.as_str()));
    match wanted {
        Some(import) if grants.keyvalue.is_none() => {
            Err(StartError::NotGranted { import: import.clone(), help: GRANT_KEYVALUE })
        }
        _ => Ok(()),
    }
}

/// Checks exports and imports; answers the world and the names of the imports.
pub(super) fn admit(engine: &Engine, component: &Component) -> Result<(World, Vec<String>), LoadError> {
    let component_type = component.component_type();
    let exports: Vec<String> = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports: Vec<String> = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let world = world(&exports)?;
    for (name, item) in component_type.imports(engine) {
        // An import of types alone asks for nothing.
        let types_only = match &item.ty {
            ComponentItem::ComponentInstance(instance) => {
                instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
            }
            _ => false,
        };
        if !types_only && !is_granted(name) && !KEYVALUE.contains(&name) {
            return Err(LoadError::UnknownImport { import: name.to_owned() });
        }
    }
    Ok((world, imports))
}

fn world(exports: &[String]) -> Result<World, LoadError> {
    let item = |interface: &str| format!("{PACKAGE}/{interface}@{VERSION}");
    let has = |interface: &str| exports.contains(&item(interface));
    let wrong = |missing: String| {
        let found = if exports.is_empty() { "nothing".into() } else { exports.join(", ") };
        LoadError::WrongWorld { missing, found }
    };
    match (has("meta"), has("columns"), has("records")) {
        (true, true, _) => Ok(World::Columns),
        (true, false, true) => Ok(World::Records),
        (false, ..) => Err(wrong(item("meta"))),
        (true, false, false) => Err(wrong(item("columns"))),
    }
}

fn is_granted(import: &str) -> bool {
    if WASI.iter().any(|package| import.starts_with(package)) || STANDARD.contains(&import) {
        return true;
    }
    let Some(rest) = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    GRANTED.contains(&interface) && version == VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_the_contract_and_wasi_and_nothing_else() {
        for import in [
            "wasi:io/streams@0.2.9",
            "wasmill:transform/log@0.1.0",
            "wasi:sockets/tcp@0.2.0",
            "wasi:config/store@0.2.0-rc.1",
        ] {
            assert!(is_granted(import), "{import}");
        }
        for import in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasmill:transform/log@0.2.0",
            "wasmill:transform/secrets@0.1.0",
            "example:store/kv",
            "wasi:clix/x",
            "wasi:keyvalue/store@0.2.0-draft",
        ] {
            assert!(!is_granted(import), "{import}");
        }
    }

    #[test]
    fn what_is_not_granted_is_named_with_the_way_to_grant_it() {
        let imports = ["wasi:io/streams@0.2.9", "wasi:keyvalue/batch@0.2.0-draft"].map(str::to_owned);
        assert!(granted(&imports[..1], &Grants::default()).is_ok());
        let said = granted(&imports, &Grants::default()).expect_err("not granted").to_string();
        assert!(said.contains("`wasi:keyvalue/batch@0.2.0-draft`") && said.contains("grants: { keyvalue:"), "{said}");
    }

    #[test]
    fn names_the_export_that_is_missing() {
        let said = |exports: &[&str]| {
            let exports: Vec<String> = exports.iter().map(ToString::to_string).collect();
            world(&exports).expect_err("must be refused").to_string()
        };
        assert!(said(&["greet"]).contains("does not export `wasmill:transform/meta@0.1.0`"));
        assert!(said(&["greet"]).contains("it exports greet"));
        assert!(said(&["wasmill:transform/meta@0.1.0"]).contains("`wasmill:transform/columns@0.1.0`"));
    }
}
