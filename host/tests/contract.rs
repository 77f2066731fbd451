//! What SDKs have of the contract beside its text: made of it, and kept.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path};

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

/// Bytes of a line.
const LINE: usize = 100;

const HEAD: &str = "\
//! World `transform-timer` of the contract as `wit-component` encodes it: the custom section by which a module says that
//! it has a timer. Written by the test `the_world_with_a_timer_is_that_of_the_contract` of the host.

/// The section's content.
#[rustfmt::skip]
";

/// A byte string over many lines: a line ends with a backslash, and so must not begin with a blank.
fn literal(bytes: &[u8]) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for byte in bytes {
        let plain = (byte.is_ascii_graphic() && !b"\"\\".contains(byte)) || (*byte == b' ' && !line.is_empty());
        let shown = if plain { char::from(*byte).to_string() } else { format!("\\x{byte:02x}") };
        if line.len() + shown.len() > LINE {
            writeln!(text, "{line}\\").expect("text");
            line.clear();
        }
        line.push_str(if line.is_empty() && *byte == b' ' { "\\x20" } else { &shown });
    }
    format!("{text}{line}\\\n")
}

#[test]
fn the_world_with_a_timer_is_that_of_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut resolve = Resolve::new();
    let (package, _) = resolve.push_path(root.join("wit")).expect("the contract");
    let world = resolve.select_world(&[package], Some("transform-timer")).expect("the world");
    let bytes = metadata::encode(&resolve, world, StringEncoding::UTF8, None).expect("encoded");
    let actual = format!("{HEAD}pub const WORLD: &[u8; {}] = b\"\\\n{}\";\n", bytes.len(), literal(&bytes));
    let path = root.join("sdk/rust/src/timer/world.rs");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &actual).expect("written");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|text| text == actual), "{} is stale: `just golden`", path.display());
}
