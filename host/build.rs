//! Has the program built anew when a file joins a folder that it embeds: the compiler watches the files that it knows,
//! and no folder.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "this is how a build script speaks and fails")]

use std::{fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../sdk/template");
    for sdk in fs::read_dir("../sdk").expect("the SDKs") {
        let template = sdk.expect("an SDK").path().join("template");
        if Path::new(&template).is_dir() {
            println!("cargo::rerun-if-changed={}", template.display());
        }
    }
}
