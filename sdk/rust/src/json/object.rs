//! An object as it is edited.

use std::borrow::Cow;

use super::{
    path::Path,
    scan::Container,
    tree::{Node, ROOT, Tree},
    value::Value,
    write::ToJson,
};

/// An object of a document: the document itself, or one within it.
///
/// Where several members have one name, the last of them counts, as it does to most readers: it is what [`get`](Self::get)
/// finds and what is renamed or set, and those before it are then removed. [`remove`](Self::remove) removes them all.
/// Members that nobody names are left as they are.
pub struct Object<'e> {
    tree: &'e mut Tree,
    text: &'e [u8],
    table: u32,
}

impl<'e> Object<'e> {
    pub(super) fn root(tree: &'e mut Tree, text: &'e [u8]) -> Self {
        Self { tree, text, table: ROOT }
    }

    fn value(&self) -> Value<'_> {
        Value::new(self.tree, self.text, Node::Table(self.table))
    }

    /// The value at the end of a path.
    pub fn get(&self, path: impl Path) -> Option<Value<'_>> {
        self.value().get(path)
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
        self.value().members()
    }

    /// Removes a member, or an item of an array. True: there was one.
    pub fn remove(&mut self, path: impl Path) -> bool {
        match self.parent(&path) {
            Some((table, step)) => self.tree.remove_all(self.text, table, step, None),
            None => false,
        }
    }

    /// Gives a member another name, in its place and in its own object; a member that has this name already is removed.
    /// True: there was one to rename.
    pub fn rename(&mut self, path: impl Path, name: &str) -> bool {
        match self.parent(&path) {
            Some((table, step)) => self.tree.rename(self.text, table, step, name),
            None => false,
        }
    }

    /// Sets a value in its place, or behind the other members. Objects that are missing on the way are made. An item of
    /// an array is set by its number, or added by the number of its items.
    ///
    /// False, and nothing is changed: the path leads into a value that has no members, or beyond the end of an array.
    pub fn set(&mut self, path: impl Path, value: impl ToJson) -> bool {
        let mut steps = path.steps();
        let Some(mut step) = steps.next() else { return false };
        let mut table = self.table;
        for next in steps {
            let found = self.tree.find(self.text, table, step);
            // Once one is missing, so are all behind it: what is made is never in vain.
            let member = found.or_else(|| self.tree.set(self.text, table, step, |out| out.extend_from_slice(b"{}")));
            let Some(inner) = member.and_then(|member| self.tree.open(self.text, member)) else { return false };
            (table, step) = (inner, next);
        }
        self.tree.set(self.text, table, step, |out| value.write(out)).is_some()
    }

    /// Keeps the members for which `keep` says so, and removes the others.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, Value<'_>) -> bool) {
        let mut next = self.tree.first(self.table);
        while let Some(member) = next {
            next = self.tree.next(self.table, member);
            let keeps = self.tree.value(member).is_some_and(|node| {
                let name = self.tree.decoded_name(self.text, member);
                keep(&name, Value::new(self.tree, self.text, node))
            });
            if !keeps {
                self.tree.remove(member);
            }
        }
    }

    /// Calls with the object at the end of a path, or with each object of the array there.
    pub fn within(&mut self, path: impl Path, mut edit: impl FnMut(&mut Object<'_>)) {
        let Some(table) = self.parent(&path).and_then(|(table, step)| {
            let member = self.tree.find(self.text, table, step)?;
            self.tree.open(self.text, member)
        }) else {
            return;
        };
        if self.tree.container(table) == Container::Object {
            return edit(&mut Object { tree: self.tree, text: self.text, table });
        }
        let mut next = self.tree.first(table);
        while let Some(member) = next {
            next = self.tree.next(table, member);
            if let Some(table) = self.object(member) {
                edit(&mut Object { tree: self.tree, text: self.text, table });
            }
        }
    }

    fn object(&mut self, member: u32) -> Option<u32> {
        let value = Value::new(self.tree, self.text, self.tree.value(member)?);
        if value.kind() == super::Kind::Object { self.tree.open(self.text, member) } else { None }
    }

    /// Appends the object as JSON. [`Sent::json`](crate::Sent::json) makes a record's value of it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.text.len());
        self.tree.write(self.text, Node::Table(self.table), out);
    }

    /// The container of the last step, which is looked into for a change. `None`: there is none.
    fn parent<'p>(&mut self, path: &'p impl Path) -> Option<(u32, &'p str)> {
        let mut steps = path.steps();
        let (mut table, mut step) = (self.table, steps.next()?);
        for next in steps {
            let member = self.tree.find(self.text, table, step)?;
            table = self.tree.open(self.text, member)?;
            step = next;
        }
        Some((table, step))
    }
}
