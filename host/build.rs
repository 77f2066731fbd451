//! Makes the adapters for guests of their WebAssembly text, so that what is in the repository can be read.
#![allow(clippy::expect_used, reason = "a build that cannot go on fails by panicking")]

use std::{env, fs, path::Path};

fn main() {
    let source = "src/engine/adapter/go.wat";
    println!("cargo::rerun-if-changed={source}");
    let adapter = wat::parse_file(source).expect("the adapter is WebAssembly text");
    let folder = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&folder).join("go-adapter.wasm"), adapter).expect("the folder can be written to");
}
