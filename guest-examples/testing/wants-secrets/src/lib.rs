//! A module that is fine but for what it imports: an interface that no host of Wasmill provides.

wit_bindgen::generate!({ path: "wit", world: "example:secrets/wanting", generate_all });

use exports::wasmill::transform::{
    columns::{self, Batch, Error, Output},
    meta::{self, Description, Plan, Reads},
};

struct Wanting;

impl meta::Guest for Wanting {
    fn describe() -> Description {
        let summary = example::secrets::store::get("summary").unwrap_or_default();
        Description { name: "wants-secrets".into(), version: "0.1.0".into(), summary, settings: vec![] }
    }

    fn init(_: Vec<(String, String)>) -> Result<Plan, String> {
        Ok(Plan { routes: vec!["out".into()], reads: Reads::empty() })
    }
}

impl columns::Guest for Wanting {
    fn transform(_: Batch) -> Result<Output, Error> {
        Err(Error::Fatal("never called".into()))
    }
}

export!(Wanting);
