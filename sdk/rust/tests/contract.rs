//! The SDK is published with its own copy of the contract: it is the repository's, byte for byte.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Files below a folder, by name: the contract, and what a pipeline may grant beside it.
fn contract(folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut open) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "wit") {
                let name = path.strip_prefix(&root).expect("below it").to_path_buf();
                found.insert(name, fs::read(&path).expect("bytes"));
            }
        }
    }
    found
}

#[test]
fn the_sdks_contract_is_the_repositorys() {
    let (ours, repositorys) = (contract("wit"), contract("../../wit"));
    for name in ["transform.wit", "deps/keyvalue/store.wit"] {
        assert!(ours.contains_key(Path::new(name)), "sdk/rust/wit has no {name}");
    }
    // What the SDK has nothing for need not come with it.
    for (name, bytes) in &ours {
        let (same, name) = (repositorys.get(name) == Some(bytes), name.display());
        assert!(same, "sdk/rust/wit/{name} differs: cp wit/{name} sdk/rust/wit/{name}");
    }
}
