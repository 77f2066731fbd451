//! The SDK is published with its own copy of the contract: it is the repository's, byte for byte.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

/// Files of the contract below a folder of the repository, by name.
fn contract(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "wit"))
        .map(|path| (path.file_name().expect("a name").display().to_string(), fs::read(&path).expect("bytes")))
        .collect()
}

#[test]
fn the_sdks_contract_is_the_repositorys() {
    let (ours, repositorys) = (contract("wit"), contract("../../wit"));
    assert!(repositorys.contains_key("transform.wit"));
    assert!(ours.keys().eq(repositorys.keys()), "sdk/rust/wit and wit/ have other files");
    for (name, bytes) in &repositorys {
        assert!(ours[name] == *bytes, "sdk/rust/wit/{name} differs: cp wit/{name} sdk/rust/wit/{name}");
    }
}
