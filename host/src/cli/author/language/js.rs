//! JavaScript and TypeScript: one package for both.

use include_dir::include_dir;

use super::{super::build::js, Kit, LICENSES, Language};

pub(super) const JS: Language = Language {
    name: "js",
    title: "JavaScript",
    marks: &["package.json"],
    build: js::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/template/js"),
    kits: NPM,
    taken: NPM_TAKEN,
    source: "src/module.js",
    setup: "npm install",
};

pub(super) const TS: Language = Language {
    name: "ts",
    title: "TypeScript",
    marks: &["package.json", "tsconfig.json"],
    build: js::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/template/ts"),
    kits: NPM,
    taken: NPM_TAKEN,
    source: "src/module.ts",
    setup: "npm install",
};

/// The package of JavaScript and TypeScript. It has no build step: what is laid is what is published.
const NPM: &[Kit] = &[Kit {
    word: "sdk",
    folder: "wasmill-sdk",
    template: None,
    manifest: Some(("package.json", include_str!("../../../../../sdk/js/package.json"))),
    files: &[LICENSES[0], LICENSES[1], ("README.md", include_str!("../../../../../sdk/js/README.md"))],
    folders: &[
        ("guest", include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/guest")),
        ("src", include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/src")),
        ("tool", include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/tool")),
        ("types", include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/types")),
        ("wit", include_dir!("$CARGO_MANIFEST_DIR/../sdk/js/wit")),
    ],
    checkout: (".", "package.json"),
}];

/// npm refuses a package that is called as one of its own dependencies.
const NPM_TAKEN: &[&str] = &["componentize-qjs", "esbuild", "node-modules", "typescript"];
