//! Which changes are wanted: by table, kind and values of columns.

use wasmill_cdc::Change;
use wasmill_sdk::Config;

const TYPES: [&str; 7] = ["insert", "update", "delete", "snapshot", "truncate", "schema", "marker"];

pub(crate) struct Filter {
    tables: Vec<String>,
    ignore: Vec<String>,
    types: Vec<String>,
    conditions: Vec<Condition>,
}

struct Condition {
    column: String,
    value: String,
    equal: bool,
}

impl Filter {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let list = |name, default: &str| {
            let given: Vec<String> = config.list(name).into_iter().map(str::to_owned).collect();
            if given.is_empty() {
                default.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect()
            } else {
                given
            }
        };
        let types: Vec<String> = list("types", "insert,update,delete,snapshot");
        if let Some(unknown) = types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
            return Err(format!("setting `types`: `{unknown}` is none of {}", TYPES.join(", ")));
        }
        let conditions = config.list("where").into_iter().map(condition).collect::<Result<_, _>>()?;
        Ok(Self { tables: list("tables", "*"), ignore: list("ignore", ""), types, conditions })
    }

    pub(crate) fn keeps(&self, change: &Change) -> bool {
        let table = format!("{}.{}", change.database, change.table);
        let any = |globs: &[String]| globs.iter().any(|glob| matches(glob.as_bytes(), table.as_bytes()));
        let holds = |condition: &Condition| {
            let found = change.row.text(&condition.column);
            (found.as_deref() == Some(condition.value.as_str())) == condition.equal
        };
        self.types.iter().any(|kind| kind == change.op.name())
            && any(&self.tables)
            && !any(&self.ignore)
            && (!change.op.is_row() || self.conditions.iter().all(holds))
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    let (column, value, equal) = match (text.split_once("!="), text.split_once('=')) {
        (Some((column, value)), _) => (column, value, false),
        (None, Some((column, value))) => (column, value, true),
        _ => return Err(format!("setting `where`: `{text}` is not COLUMN=VALUE or COLUMN!=VALUE")),
    };
    Ok(Condition { column: column.trim().to_owned(), value: value.trim().to_owned(), equal })
}

/// `*` stands for any text. Steps back to the last star only, so it never takes more than the product of the lengths.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(byte) if *byte == text[t] => (g, t) = (g + 1, t + 1),
            _ => {
                let Some((at, begin)) = star else { return false };
                star = Some((at, begin + 1));
                (g, t) = (at + 1, begin + 1);
            }
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}
