//! Reads its settings and writes its log by WASI's own interfaces. Its routes are its settings.

wit_bindgen::generate!({ path: "wit", world: "example:standard/module", generate_all });

use exports::wasmill::transform::{
    columns::{self, Batch, Error, Output},
    meta::{self, Description, Plan, Reads},
};
use wasi::{
    config::store,
    logging::logging::{Level, log},
};

struct Standard;

impl meta::Guest for Standard {
    fn describe() -> Description {
        let summary = "Reads its settings and writes its log by WASI's own interfaces.".into();
        Description { name: "standard".into(), version: "0.1.0".into(), summary, settings: vec![] }
    }

    fn init(_: Vec<(String, String)>) -> Result<Plan, String> {
        let all = store::get_all().map_err(|error| format!("{error:?}"))?;
        let one = store::get("first").map_err(|error| format!("{error:?}"))?;
        let none = store::get("nothing").map_err(|error| format!("{error:?}"))?;
        log(Level::Critical, "init", &format!("{one:?} {none:?}"));
        log(Level::Debug, "", "no context");
        Ok(Plan {
            routes: all.into_iter().map(|(name, value)| format!("{name}-{value}")).collect(),
            reads: Reads::empty(),
        })
    }
}

impl columns::Guest for Standard {
    fn transform(_: Batch) -> Result<Output, Error> {
        Err(Error::Fatal("never called".into()))
    }
}

export!(Standard);
