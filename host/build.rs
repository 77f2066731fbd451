//! Assembles the adapters for guests, which are kept as text so that they can be read, and has the program built anew
//! when a file joins a folder that it embeds: the compiler watches the files that it knows, and no folder.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "this is how a build script speaks and fails")]

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../sdk/template");
    for sdk in fs::read_dir("../sdk").expect("the SDKs") {
        let template = sdk.expect("an SDK").path().join("template");
        if Path::new(&template).is_dir() {
            println!("cargo::rerun-if-changed={}", template.display());
        }
    }
    assemble("src/engine/adapter/go.wat", "go-adapter.wasm");
}

/// WebAssembly text to a module in the folder of what is built.
fn assemble(source: &str, name: &str) {
    println!("cargo::rerun-if-changed={source}");
    let module = wat::parse_file(source).expect("WebAssembly text");
    let folder = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&folder).join(name), module).expect("the folder can be written to");
}
