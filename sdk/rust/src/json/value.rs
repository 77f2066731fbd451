//! A value as it is looked at: nothing of it is decoded or copied before it is asked for.

use std::borrow::Cow;

use super::{
    path::Path,
    scan::{Container, Scanner},
    text,
    tree::{Node, Span, Tree, unquoted},
};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, as text.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value of a document, as it is at the moment: what was changed within it is changed here.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    tree: &'a Tree,
    text: &'a [u8],
    node: Node,
}

impl<'a> Value<'a> {
    pub(super) fn new(tree: &'a Tree, text: &'a [u8], node: Node) -> Self {
        Self { tree, text, node }
    }

    /// The value where it stands; of a container that was looked into for a change, only its bracket says the truth.
    fn bytes(&self) -> &'a [u8] {
        match self.node {
            Node::Text(span) => self.tree.bytes(self.text, span),
            Node::Table(table) => match self.tree.container(table) {
                Container::Object => b"{",
                Container::Array => b"[",
            },
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// As JSON: as it stands in the document, where nothing in it was changed.
    pub fn raw(&self) -> Cow<'a, [u8]> {
        match self.node {
            Node::Text(span) => Cow::Borrowed(self.tree.bytes(self.text, span)),
            Node::Table(_) => {
                let mut out = Vec::new();
                self.tree.write(self.text, self.node, &mut out);
                Cow::Owned(out)
            }
        }
    }

    /// The text of a string. Copies only where there are escapes.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::Text).then(|| text::decode(unquoted(self.bytes())))
    }

    /// Whether it is a string of this text.
    pub fn is(&self, text: &str) -> bool {
        let string = unquoted(self.bytes());
        self.kind() == Kind::Text && text::is(string, string.contains(&b'\\'), text)
    }

    /// A number as it is written: `number()?.parse::<u64>().ok()`.
    pub fn number(&self) -> Option<&'a str> {
        if self.kind() == Kind::Number { std::str::from_utf8(self.bytes()).ok() } else { None }
    }

    /// A boolean.
    pub fn bool(&self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.bytes() == b"true")
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The value at the end of a path that begins here. Where several members have one name, the last of them counts.
    pub fn get(&self, path: impl Path) -> Option<Value<'a>> {
        path.steps().try_fold(*self, |value, step| value.step(step))
    }

    #[inline]
    fn step(self, step: &str) -> Option<Value<'a>> {
        if let Node::Table(table) = self.node {
            let member = self.tree.find(self.text, table, step)?;
            return Some(Self { node: self.tree.value(member)?, ..self });
        }
        match self.kind() {
            Kind::Array => self.items().nth(step.parse().ok()?),
            Kind::Object => self.walk().filter(|(name, _)| name.is(step)).last().map(|(_, value)| value),
            _ => None,
        }
    }

    /// The members of an object, in order; none of anything else.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + use<'a> {
        let walk = (self.kind() == Kind::Object).then(|| self.walk());
        walk.into_iter().flatten().map(|(name, value)| (name.decode(), value))
    }

    /// The items of an array, in order; none of anything else.
    pub fn items(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let walk = (self.kind() == Kind::Array).then(|| self.walk());
        walk.into_iter().flatten().map(|(_, value)| value)
    }

    fn walk(&self) -> Walk<'a> {
        let Self { tree, text, node } = *self;
        let at = match node {
            Node::Table(table) => At::Table { table, next: tree.first(table) },
            Node::Text(span) => {
                let scanner = Scanner::new(tree.bytes(text, span));
                let of = if self.kind() == Kind::Array { Container::Array } else { Container::Object };
                At::Text { scanner, of, span, at: 1 }
            }
        };
        Walk { tree, text, at }
    }
}

#[derive(Clone, Copy)]
struct Name<'a> {
    quoted: &'a [u8],
    escaped: bool,
}

impl<'a> Name<'a> {
    fn is(&self, name: &str) -> bool {
        text::is(unquoted(self.quoted), self.escaped, name)
    }

    fn decode(&self) -> Cow<'a, str> {
        text::decode(unquoted(self.quoted))
    }
}

/// Walks a container: by its table, or where there is none by reading it once more.
struct Walk<'a> {
    tree: &'a Tree,
    text: &'a [u8],
    at: At<'a>,
}

enum At<'a> {
    Table { table: u32, next: Option<u32> },
    Text { scanner: Scanner<'a>, of: Container, span: Span, at: usize },
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Name<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let Self { tree, text, at } = self;
        let (name, node) = match at {
            At::Table { table, next } => {
                let member = (*next)?;
                *next = tree.next(*table, member);
                let (quoted, escaped) = tree.name_of(text, member);
                (Name { quoted, escaped }, tree.value(member)?)
            }
            At::Text { scanner, of, span, at } => {
                let mut found = None;
                let behind = scanner.items(*of, *at, *at == 1, 1, |item| {
                    found = Some(item);
                    false
                });
                // It was judged before.
                *at = behind?.get();
                let item = found?;
                let quoted = tree.bytes(text, span.part(item.name));
                (Name { quoted, escaped: item.escaped }, Node::Text(span.part(item.value)))
            }
        };
        Some((name, Value { tree, text, node }))
    }
}
