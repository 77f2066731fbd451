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
};

const PACKAGE: &str = "wasmill:transform";
const VERSION: &str = "0.1.0";

/// Imports of the contract, and what is behind each.
const GRANTED: [(&str, &str); 5] = [
    ("types", "types alone"),
    ("log", "lines for `wasmill logs`, at most 1000 a second"),
    ("metrics", "counters and observations, at most 64 names"),
    ("columns", "types alone"),
    ("records", "types alone"),
];

/// Packages of WASI 0.2 that are linked, and what is behind each.
const WASI: [(&str, &str); 6] = [
    ("wasi:cli/", "no arguments, no environment, no input; what is printed goes to `wasmill logs`"),
    ("wasi:io/", "streams of what else is granted"),
    ("wasi:clocks/", "the time"),
    ("wasi:random/", "random numbers"),
    ("wasi:filesystem/", "linked, with no file behind it"),
    ("wasi:sockets/", "linked, with no network behind it: every call is refused"),
];

/// Interfaces of WASI that are always granted, since they reach nothing (`standard`).
const STANDARD: [(&str, &str); 2] = [
    ("wasi:config/store@0.2.0-rc.1", "the settings of the module"),
    ("wasi:logging/logging@0.1.0-draft", "lines for `wasmill logs`, at most 1000 a second"),
];

/// What a pipeline may grant (`keyvalue`).
const KEYVALUE: [&str; 3] =
    ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft", "wasi:keyvalue/batch@0.2.0-draft"];

const GRANT_KEYVALUE: &str = "add `grants: { keyvalue: { redis: { url: ... } } }` to `module`, or `memory: {}` in place \
                              of `redis` (docs/grants.md), or deploy a module that does without";

/// Whether what a module imports is granted to it by its pipeline.
///
/// # Errors
/// Names the first import that is not, and says how to grant it.
pub(super) fn check_grants(imports: &[Import], grants: &Grants) -> Result<(), StartError> {
    let wanted = imports.iter().find(|import| KEYVALUE.contains(&import.name.as_str()));
    match wanted {
        Some(Import { name, .. }) if grants.keyvalue.is_none() => {
            Err(StartError::NotGranted { import: name.clone(), help: GRANT_KEYVALUE })
        }
        _ => Ok(()),
    }
}

/// An import of a component, and what this host makes of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Import {
    /// Its full name.
    pub name: String,
    /// A module with an import that is not granted is refused; one that a pipeline may grant, by those that do not.
    pub granted: bool,
    /// What is behind it; or why there is nothing.
    pub what: &'static str,
}

/// What a component imports and exports, before anything of it runs.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<String>,
}

/// What a module is that was admitted.
pub(super) struct Admitted {
    pub(super) world: World,
    /// Full name of the interface of its timed trigger, where it exports one.
    pub(super) timer: Option<String>,
}

impl Shape {
    pub(super) fn of(engine: &Engine, component: &Component) -> Self {
        let component_type = component.component_type();
        let imports = component_type.imports(engine).map(|(name, item)| {
            let types_only = match &item.ty {
                ComponentItem::ComponentInstance(instance) => {
                    instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
                }
                _ => false,
            };
            import(name, types_only)
        });
        let exports = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Self { imports: imports.collect(), exports }
    }

    /// Whether it may be a module; answers its world, and whether it has a timed trigger.
    pub(super) fn admit(&self) -> Result<Admitted, LoadError> {
        let world = world(&self.exports)?;
        let timer = timer(world);
        match self.imports.iter().find(|import| !import.granted) {
            Some(import) => Err(LoadError::UnknownImport { import: import.name.clone() }),
            None => Ok(Admitted { world, timer: self.exports.contains(&timer).then_some(timer) }),
        }
    }
}

/// An import of types alone asks for nothing.
fn import(name: &str, types_only: bool) -> Import {
    let what = granted(name).or(types_only.then_some("types alone"));
    let (granted, what) = (what.is_some(), what.unwrap_or("this host provides no such thing to modules"));
    Import { name: name.to_owned(), granted, what }
}

fn item(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{VERSION}")
}

/// The optional export that makes a module of this world one with a timed trigger.
pub(super) fn timer(world: World) -> String {
    match world {
        World::Columns => item("timer"),
        World::Records => item("timer-records"),
    }
}

fn world(exports: &[String]) -> Result<World, LoadError> {
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

fn granted(import: &str) -> Option<&'static str> {
    if let Some((_, what)) = WASI.iter().find(|(package, _)| import.starts_with(package)) {
        return Some(what);
    }
    if let Some((_, what)) = STANDARD.iter().find(|(name, _)| *name == import) {
        return Some(what);
    }
    if KEYVALUE.contains(&import) {
        return Some("a key-value store, where the pipeline grants one (`module.grants.keyvalue`)");
    }
    let rest = import.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    let (_, what) = GRANTED.iter().find(|(granted, _)| *granted == interface)?;
    (version == VERSION).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_the_contract_and_wasi_and_nothing_else() {
        for import_name in [
            "wasi:io/streams@0.2.9",
            "wasmill:transform/log@0.1.0",
            "wasi:sockets/tcp@0.2.0",
            "wasi:config/store@0.2.0-rc.1",
        ] {
            assert!(import(import_name, false).granted, "{import_name}");
        }
        assert!(import("example:store/kv", true).granted, "types ask for nothing");
        for import_name in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasmill:transform/log@0.2.0",
            "wasmill:transform/secrets@0.1.0",
            "example:store/kv",
            "wasi:clix/x",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:config/store@0.2.0",
        ] {
            assert!(!import(import_name, false).granted, "{import_name}");
        }
    }

    #[test]
    fn what_is_not_granted_is_named_with_the_way_to_grant_it() {
        let imports = ["wasi:io/streams@0.2.9", "wasi:keyvalue/batch@0.2.0-draft"].map(|name| import(name, false));
        assert!(imports[1].granted, "nobody refuses its upload");
        assert!(check_grants(&imports[..1], &Grants::default()).is_ok());
        let said = check_grants(&imports, &Grants::default()).expect_err("not granted").to_string();
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
