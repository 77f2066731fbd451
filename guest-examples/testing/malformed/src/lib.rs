//! Answers what the contract forbids: built on the raw bindings, because the SDK would not let it.

wit_bindgen::generate!({ path: "../../../wit", world: "transform" });

use std::cell::RefCell;

use exports::wasmill::transform::{
    columns::{self, Batch, EditedColumn, Error, Output},
    meta::{self, Description, Plan, Reads, Setting},
};

struct Malformed;

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl meta::Guest for Malformed {
    fn describe() -> Description {
        let mode = Setting { name: "mode".into(), summary: "what to answer".into(), default: None, required: true };
        Description {
            name: "malformed".into(),
            version: "0.1.0".into(),
            summary: "Answers what the contract forbids.".into(),
            settings: vec![mode],
        }
    }

    fn init(config: Vec<(String, String)>) -> Result<Plan, String> {
        let mode = config.into_iter().find(|(name, _)| name == "mode").map(|(_, mode)| mode).unwrap_or_default();
        let routes = match mode.as_str() {
            "no-routes" => vec![],
            "twice" => vec!["a".into(), "a".into()],
            "bad-name" => vec!["a b".into()],
            _ => vec!["out".into()],
        };
        MODE.with_borrow_mut(|own| *own = mode);
        Ok(Plan { routes, reads: Reads::all() })
    }
}

impl columns::Guest for Malformed {
    fn transform(batch: Batch) -> Result<Output, Error> {
        let mut output = Output {
            rows: (0..batch.rows).collect(),
            routes: vec![],
            keys: None,
            values: None,
            headers: None,
            timestamps: None,
            targets: None,
            ops: None,
            versions: None,
            rejects: vec![],
        };
        if batch.rows == 0 {
            return Ok(output);
        }
        match MODE.with_borrow(Clone::clone).as_str() {
            "descend" => output.rows.reverse(),
            "row" => output.rows = vec![batch.rows],
            "route" => output.routes = vec![7; batch.rows as usize],
            "ends" => {
                let ends = vec![u32::MAX; batch.rows as usize];
                output.values = Some(EditedColumn { data: vec![], ends, nulls: vec![], kept: vec![] });
            }
            "length" => output.timestamps = Some(vec![]),
            _ => {}
        }
        Ok(output)
    }
}

export!(Malformed);
