//! An event as JSON, and which of its members say what.

use std::io::{self, Write};

use serde_json::{Map, Value};
use wasmill_sdk::Config;

/// Names of members.
pub(crate) struct Fields {
    id: String,
    user: String,
    item: String,
    action: String,
}

pub(crate) struct Event<'a> {
    /// As it came.
    json: &'a [u8],
    members: Map<String, Value>,
    pub(crate) id: String,
    pub(crate) user: Option<String>,
    pub(crate) item: String,
    pub(crate) action: String,
}

impl Fields {
    pub(crate) fn new(config: &Config) -> Self {
        let name = |setting: &str, default: &str| config.get(setting).unwrap_or(default).to_owned();
        Self {
            id: name("id", "id"),
            user: name("user", "user"),
            item: name("item", "item"),
            action: name("action", "action"),
        }
    }

    /// Reads an event.
    ///
    /// # Errors
    /// Why it is none, for the dead letters.
    pub(crate) fn read<'a>(&self, value: Option<&'a [u8]>) -> Result<Event<'a>, String> {
        let json = value.ok_or("there is no event: the record has no value")?;
        let members = match serde_json::from_slice(json) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err("not a JSON object".into()),
            Err(error) => return Err(format!("not a JSON object: {error}")),
        };
        let required = |name: &String| text(&members, name).ok_or_else(|| format!("the event has no `{name}`"));
        let (id, item, action) = (required(&self.id)?, required(&self.item)?, required(&self.action)?);
        let user = text(&members, &self.user);
        Ok(Event { json, members, id, user, item, action })
    }
}

impl Event<'_> {
    /// Writes the event with one more member, given as JSON. Everything else stays as it was written, digit for digit.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write_with(&self, name: &str, value: &[u8], out: &mut impl Write) -> io::Result<()> {
        let open = self.json.trim_ascii_end().strip_suffix(b"}");
        match open {
            Some(open) if !self.members.contains_key(name) => {
                out.write_all(open)?;
                out.write_all(b",")?;
                serde_json::to_writer(&mut *out, name)?;
                out.write_all(b":")?;
                out.write_all(value)?;
                out.write_all(b"}")
            }
            // The name is taken.
            _ => {
                let mut members = self.members.clone();
                members.insert(name.to_owned(), serde_json::from_slice(value)?);
                Ok(serde_json::to_writer(out, &members)?)
            }
        }
    }
}

/// A text that is not empty, or a number as it is written.
fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    match members.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
