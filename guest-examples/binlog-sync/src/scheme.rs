//! Which table becomes what: read from the settings once.

use std::collections::BTreeMap;
use wasmill_sdk::Config;

pub(crate) struct Scheme {
    /// `database.table` to index or prefix.
    pub(crate) tables: BTreeMap<String, String>,
    /// `database.table` to the columns of a set's key and member.
    pub(crate) sets: BTreeMap<String, (String, String)>,
    pub(crate) drop: Vec<String>,
    pub(crate) separator: char,
    pub(crate) schema: bool,
}

impl Scheme {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let tables = pairs("tables", config.required("tables")?)?;
        let mut sets = BTreeMap::new();
        for (table, columns) in pairs("sets", config.get("sets").unwrap_or_default())? {
            let (key, member) = columns
                .split_once(':')
                .ok_or_else(|| format!("setting `sets`: `{table}={columns}` is not DATABASE.TABLE=COLUMN:COLUMN"))?;
            sets.insert(table.to_owned(), (key.trim().to_owned(), member.trim().to_owned()));
        }
        let schema = match config.get("schema").unwrap_or("drop") {
            "drop" => false,
            "route" => true,
            other => return Err(format!("setting `schema`: `{other}` is neither drop nor route")),
        };
        Ok(Self {
            tables: tables.into_iter().map(|(table, target)| (table.to_owned(), target.to_owned())).collect(),
            sets,
            drop: config.list("drop").into_iter().map(str::to_owned).collect(),
            separator: config.parse("separator", '|')?,
            schema,
        })
    }
}

/// `a.b=c;d.e=f`
pub(crate) fn pairs<'a>(setting: &str, text: &'a str) -> Result<Vec<(&'a str, &'a str)>, String> {
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &'a str| match entry.split_once('=') {
        Some((table, what)) if table.contains('.') && !what.trim().is_empty() => Ok((table.trim(), what.trim())),
        _ => Err(format!("setting `{setting}`: `{entry}` is not DATABASE.TABLE=…")),
    };
    entries.map(pair).collect()
}
