//! Indices of a test's own, looked at through the search API.

use std::{collections::BTreeMap, sync::LazyLock};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{services, unique};

/// Documents of one page.
const PAGE: usize = 10_000;

/// Indices that begin with a name that no other test knows.
pub struct Index {
    pub name: String,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

impl Index {
    pub fn new(name: &str) -> Self {
        Self { name: unique(name) }
    }

    /// A request to the server; panics where it is not answered with success or 404.
    #[track_caller]
    pub fn call(method: Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/{path}", services().elasticsearch);
        let (status, answer) = RUNTIME.block_on(async {
            let request = Client::new().request(method, &url);
            let request = if let Some(body) = body { request.json(body) } else { request };
            let response = request.send().await.expect("an answer");
            (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
        });
        assert!(matches!(status, 200 | 201 | 404), "{url}: {status}: {answer}");
        answer
    }

    /// Makes the index with this mapping.
    pub fn create(&self, mapping: &Value) {
        Self::call(Method::PUT, &self.name, Some(&json!({ "mappings": mapping })));
    }

    /// How many documents can be found.
    pub fn count(&self) -> usize {
        Self::call(Method::POST, &format!("{}*/_refresh", self.name), None);
        let count = Self::call(Method::GET, &format!("{}*/_count", self.name), None);
        count["count"].as_u64().expect("a number") as usize
    }

    /// All documents with the index and the id of each.
    pub fn documents(&self) -> BTreeMap<String, (String, Value)> {
        Self::call(Method::POST, &format!("{}*/_refresh", self.name), None);
        let first = json!({ "size": PAGE, "sort": ["_doc"] });
        let mut page = Self::call(Method::POST, &format!("{}*/_search?scroll=1m", self.name), Some(&first));
        let mut documents = BTreeMap::new();
        loop {
            let hits = page["hits"]["hits"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if hits.is_empty() {
                return documents;
            }
            for mut hit in hits {
                let text = |name: &str| hit[name].as_str().expect("a text").to_owned();
                let (id, index) = (text("_id"), text("_index"));
                documents.insert(id, (index, hit["_source"].take()));
            }
            let next = json!({ "scroll": "1m", "scroll_id": page["_scroll_id"] });
            page = Self::call(Method::POST, "_search/scroll", Some(&next));
        }
    }
}
