//! The JSON Schema of the pipeline file, for editors and for `wasmill schema`.

use schemars::{Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

use super::raw::RawPipeline;

/// JSON Schema (2020-12) of a pipeline file.
///
/// It is a little wider than the loader, which also knows what values mean together; nothing that the loader takes is
/// wrong by the schema, but null for an absent key and numbers or booleans where a text is meant.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<RawPipeline>();
    schema.insert("title".to_owned(), "Wasmill pipeline".into());
    schema.to_value()
}

/// That a key may be left out is no reason to write null.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.insert(key, value);
        }
    }
}
