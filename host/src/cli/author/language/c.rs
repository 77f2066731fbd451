//! C: a header, built by zig or wasi-sdk.

use include_dir::include_dir;

use super::{super::build::c, Kit, LICENSES, Language};

pub(super) const C: Language = Language {
    name: "c",
    title: "C",
    marks: &["compile_flags.txt"],
    build: c::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/c/template"),
    kits: &[Kit {
        word: "sdk",
        folder: "wasmill-sdk",
        template: None,
        manifest: None,
        files: LICENSES,
        folders: &[("include", include_dir!("$CARGO_MANIFEST_DIR/../sdk/c/include"))],
        checkout: (".", "include/wasmill.h"),
    }],
    taken: &[],
    source: "src/main.c",
    setup: "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1",
};
