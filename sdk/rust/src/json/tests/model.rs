//! Random documents, edits and mutations, against `serde_json`.

use proptest::{prelude::*, sample};
use serde_json::{Map, Value};

use crate::json::{Editor, Object, Raw, find};

/// Names that meet each other often, some with what must be escaped.
const NAMES: [&str; 8] = ["a", "b", "name", "ü", "a\"b", "back\\", "0", "1"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        sample::select(vec!["\u{0}", "\n\t", "😀😀", "0123456789abcde\"", "0123456789abcdef\\"]).prop_map(String::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => sample::select(&NAMES[..]).prop_map(String::from), 1 => text()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Such as `serde_json` reads again as they are.
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name(), inner), 0..6).prop_map(|members| members.into_iter().collect())
}

/// Writes a value as people do: with blanks, needless escapes, and members that come twice.
struct Writer {
    dice: Vec<u8>,
    at: usize,
    out: String,
}

impl Writer {
    fn roll(&mut self, sides: u8) -> u8 {
        self.at += 1;
        self.dice[self.at % self.dice.len()] % sides
    }

    fn blanks(&mut self) {
        let blanks = ["", "", "", " ", "\n", "\t \r\n"][usize::from(self.roll(6))];
        self.out.push_str(blanks);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let must = character < ' ' || character == '"' || character == '\\';
            if must || self.roll(8) == 0 {
                let mut units = [0; 2];
                character.encode_utf16(&mut units).iter().for_each(|unit| self.out.push_str(&format!("\\u{unit:04X}")));
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }

    fn value(&mut self, value: &Value) {
        self.blanks();
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.out.push_str(if index > 0 { "," } else { "" });
                    self.value(item);
                }
                self.blanks();
                self.out.push(']');
            }
            Value::Object(members) => {
                self.out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    self.out.push_str(if index > 0 { "," } else { "" });
                    if self.roll(6) == 0 {
                        self.member(name, &Value::from("of no account"));
                        self.out.push(',');
                    }
                    self.member(name, value);
                }
                self.blanks();
                self.out.push('}');
            }
            plain => self.out.push_str(&plain.to_string()),
        }
        self.blanks();
    }

    fn member(&mut self, name: &str, value: &Value) {
        self.blanks();
        self.text(name);
        self.blanks();
        self.out.push(':');
        self.value(value);
    }
}

fn document() -> impl Strategy<Value = (Map<String, Value>, String)> {
    let dice = prop::collection::vec(any::<u8>(), 1..60);
    (object(value()), dice).prop_map(|(members, dice)| {
        let mut writer = Writer { dice, at: 0, out: String::new() };
        writer.value(&Value::Object(members.clone()));
        (members, writer.out)
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Remove(Vec<String>),
    Rename(Vec<String>, String),
    Set(Vec<String>, Value),
    Text(Vec<String>, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let path = || prop::collection::vec(name(), 1..4);
    prop_oneof![
        path().prop_map(Edit::Remove),
        (path(), name()).prop_map(|(path, name)| Edit::Rename(path, name)),
        (path(), value()).prop_map(|(path, value)| Edit::Set(path, value)),
        (path(), text()).prop_map(|(path, text)| Edit::Text(path, text)),
    ]
}

impl Edit {
    fn apply(&self, object: &mut Object<'_>) -> bool {
        match self {
            Self::Remove(path) => object.remove(&path[..]),
            Self::Rename(path, name) => object.rename(&path[..], name),
            Self::Set(path, value) => object.set(&path[..], Raw::new(&value.to_string()).expect("JSON")),
            Self::Text(path, text) => object.set(&path[..], text),
        }
    }

    /// The same to a tree of values.
    fn model(&self, members: &mut Map<String, Value>) -> bool {
        match self {
            Self::Remove(path) => with(members, path, false, |parent, step| match parent {
                Value::Object(members) => members.remove(step).is_some(),
                Value::Array(items) => index(step, items.len()).map(|index| items.remove(index)).is_some(),
                _ => false,
            }),
            Self::Rename(path, name) => with(members, path, false, |parent, step| {
                let value = parent.as_object_mut().and_then(|members| members.remove(step));
                let found = value.is_some();
                parent.as_object_mut().zip(value).map(|(members, value)| members.insert(name.clone(), value));
                found
            }),
            Self::Set(path, value) => with(members, path, true, |parent, step| put(parent, step, value.clone())),
            Self::Text(path, text) => with(members, path, true, |parent, step| put(parent, step, text.clone().into())),
        }
    }
}

fn index(step: &str, below: usize) -> Option<usize> {
    step.parse().ok().filter(|index| *index < below)
}

fn put(parent: &mut Value, step: &str, value: Value) -> bool {
    match parent {
        Value::Object(members) => drop(members.insert(step.to_owned(), value)),
        Value::Array(items) => match index(step, items.len() + 1) {
            Some(index) if index == items.len() => items.push(value),
            Some(index) => items[index] = value,
            None => return false,
        },
        _ => return false,
    }
    true
}

fn with(
    members: &mut Map<String, Value>,
    path: &[String],
    make: bool,
    edit: impl FnOnce(&mut Value, &str) -> bool,
) -> bool {
    let mut root = Value::Object(std::mem::take(members));
    let (last, way) = path.split_last().expect("a step");
    let mut parent = Some(&mut root);
    for step in way {
        parent = parent.and_then(|parent| {
            let is_missing = match parent {
                Value::Object(members) => !members.contains_key(step),
                Value::Array(items) => step.parse() == Ok(items.len()),
                _ => false,
            };
            if make && is_missing {
                put(parent, step, Value::Object(Map::new()));
            }
            match parent {
                Value::Object(members) => members.get_mut(step),
                Value::Array(items) => index(step, items.len()).and_then(|index| items.get_mut(index)),
                _ => None,
            }
        });
    }
    let done = parent.is_some_and(|parent| edit(parent, last));
    *members = std::mem::take(root.as_object_mut().expect("an object"));
    done
}

/// As the model sees it.
fn seen(object: &Object<'_>) -> Map<String, Value> {
    object.members().map(|(name, value)| (name.into_owned(), as_value(value))).collect()
}

fn as_value(value: crate::json::Value<'_>) -> Value {
    use crate::json::Kind;
    match value.kind() {
        Kind::Object => value.members().map(|(name, value)| (name.into_owned(), as_value(value))).collect(),
        Kind::Array => value.items().map(as_value).collect(),
        Kind::Text => value.text().expect("a text").into_owned().into(),
        _ => serde_json::from_slice(&value.raw()).expect("JSON"),
    }
}

/// Bytes that matter, and some that do not.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => sample::select(&b"{}[]\",:\\ue-+.0129tfn \n\x00\x1f\x7f\x80\xc3\xbc\xed\xa0\xff"[..]), 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn edits_do_what_they_do_to_a_tree((members, text) in document(), edits in prop::collection::vec(edit(), 0..8)) {
        let (mut model, mut editor) = (members, Editor::default());
        let mut object = editor.object(text.as_bytes()).expect("an object");
        prop_assert_eq!(&seen(&object), &model);
        for edit in &edits {
            prop_assert_eq!(edit.apply(&mut object), edit.model(&mut model), "{:?}", edit);
            prop_assert_eq!(&seen(&object), &model, "{:?}", edit);
        }
        let mut out = Vec::new();
        object.write(&mut out);
        let read: Map<String, Value> = serde_json::from_slice(&out).expect("JSON");
        prop_assert_eq!(&read, &model);
        prop_assert!(!edits.is_empty() || out == text.as_bytes().trim_ascii());
    }

    #[test]
    fn bytes_are_refused_where_serde_json_refuses_them(
        (_, text) in document(),
        mutations in prop::collection::vec((any::<sample::Index>(), 0..3_u8, byte()), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (index, how, byte) in mutations {
            let index = index.index(bytes.len());
            match how {
                0 => bytes[index] = byte,
                1 => bytes.insert(index, byte),
                _ => drop(bytes.remove(index)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let ours = Editor::default().object(&bytes).map(drop);
        let theirs = serde_json::from_slice::<Map<String, Value>>(&bytes);
        let is_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("number out of range"));
        prop_assert!(ours.is_ok() == theirs.is_ok() || is_large, "{:?}\n{:?}", ours, theirs);
        if let Err(error) = ours {
            prop_assert!(error.position() <= bytes.len());
        }
    }

    #[test]
    fn stretches_end_where_each_byte_looked_at_alone_says(
        bytes in prop::collection::vec(prop_oneof![20 => b' '..0x7f, 1 => any::<u8>()], 0..80),
        at in 0_usize..20,
    ) {
        let first = |ascii: bool| {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20) || (ascii && *byte >= 0x80);
            bytes.iter().skip(at).position(is_special).map_or(bytes.len(), |ahead| at + ahead)
        };
        if at <= bytes.len() {
            prop_assert_eq!(find::special(&bytes, at), first(true));
            prop_assert_eq!(find::end(&bytes, at), first(false));
        }
    }
}
