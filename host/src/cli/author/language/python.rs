//! Python: a package, built by componentize-py.

use include_dir::include_dir;

use super::{super::build::python, Kit, LICENSES, Language};

pub(super) const PYTHON: Language = Language {
    name: "python",
    title: "Python",
    marks: &["pyproject.toml"],
    build: python::build,
    templates: &include_dir!("$CARGO_MANIFEST_DIR/../sdk/python/template"),
    kits: &[
        Kit {
            word: "sdk",
            folder: "wasmill-sdk",
            template: None,
            manifest: None,
            files: LICENSES,
            folders: &[],
            checkout: ("src", "wasmill/__init__.py"),
        },
        // File by file: beside the sources lies what Python makes of them.
        Kit {
            word: "package",
            folder: "wasmill-sdk/wasmill",
            template: None,
            manifest: None,
            files: &[
                ("__init__.py", include_str!("../../../../../sdk/python/src/wasmill/__init__.py")),
                ("_batch.py", include_str!("../../../../../sdk/python/src/wasmill/_batch.py")),
                ("_config.py", include_str!("../../../../../sdk/python/src/wasmill/_config.py")),
                ("_json.py", include_str!("../../../../../sdk/python/src/wasmill/_json.py")),
                ("_module.py", include_str!("../../../../../sdk/python/src/wasmill/_module.py")),
                ("_output.py", include_str!("../../../../../sdk/python/src/wasmill/_output.py")),
                ("_raw.py", include_str!("../../../../../sdk/python/src/wasmill/_raw.py")),
                ("guest.py", include_str!("../../../../../sdk/python/src/wasmill/guest.py")),
                ("log.py", include_str!("../../../../../sdk/python/src/wasmill/log.py")),
                ("metrics.py", include_str!("../../../../../sdk/python/src/wasmill/metrics.py")),
                ("py.typed", include_str!("../../../../../sdk/python/src/wasmill/py.typed")),
                ("testing.py", include_str!("../../../../../sdk/python/src/wasmill/testing.py")),
            ],
            folders: &[("wit", include_dir!("$CARGO_MANIFEST_DIR/../sdk/python/src/wasmill/wit"))],
            checkout: ("src/wasmill", "__init__.py"),
        },
    ],
    taken: &[],
    source: "main.py",
    setup: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
};
