//! What an [`Editor`](super::Editor) knows of a document: the members of the containers that were looked into, and what
//! was changed. The document itself stays where it lies.
//!
//! A container that is looked into has a [`Table`]: its members, each with the places of its name and value in the
//! text. What is set is put as JSON into a buffer of its own; a [`Span`] leads into either. The vectors are those of
//! the document before.

use std::{borrow::Cow, iter};

use super::{
    Error,
    scan::{Container, Item, Scanner},
    text,
};

/// From and to, in bytes: in the text, or behind its end in what was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) begin: u32,
    pub(super) end: u32,
}

impl Span {
    #[inline]
    fn of((begin, end): (usize, usize), base: usize) -> Self {
        Self { begin: (base + begin) as u32, end: (base + end) as u32 }
    }

    /// A part of it, of which the offsets begin with it.
    pub(super) fn part(self, part: (usize, usize)) -> Self {
        Self::of(part, self.begin as usize)
    }
}

/// A value: as it stands, or as a container that was looked into and may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(Span),
    Table(u32),
}

#[derive(Clone, Copy)]
pub(super) struct Member {
    /// Where what stands before its name begins.
    pub(super) lead: u32,
    /// With its quotes; empty for an item of an array.
    pub(super) name: Span,
    pub(super) value: Span,
    escaped: bool,
    /// [`SAME`], [`REMOVED`], or an index into the changes.
    change: u32,
}

const SAME: u32 = u32::MAX;
const REMOVED: u32 = u32::MAX - 1;

impl Member {
    #[inline]
    fn new(item: Item, base: usize) -> Self {
        let Item { lead, name, escaped, value } = item;
        let (name, value) = (Span::of(name, base), Span::of(value, base));
        Self { lead: (base + lead) as u32, name, value, escaped, change: SAME }
    }

    #[inline]
    pub(super) fn is_removed(&self) -> bool {
        self.change == REMOVED
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) name: Option<Span>,
    pub(super) value: Option<Node>,
}

/// A member that was not there before. Those of one table are a list, in their order.
#[derive(Clone, Copy)]
struct Added {
    /// With its quotes; empty for an item of an array.
    name: Span,
    value: Node,
    removed: bool,
    next: u32,
}

/// Ends a list.
const NONE: u32 = u32::MAX;

pub(super) struct Table {
    pub(super) of: Container,
    pub(super) span: Span,
    /// Its stretch of all members.
    first: u32,
    end: u32,
    first_added: u32,
    last_added: u32,
}

/// One member of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Own(u32),
    Added(u32),
}

#[derive(Default)]
pub(super) struct Tree {
    tables: Vec<Table>,
    members: Vec<Member>,
    changes: Vec<Change>,
    added: Vec<Added>,
    /// What was set, as JSON.
    made: Vec<u8>,
}

/// The table of the document itself.
pub(super) const ROOT: u32 = 0;

/// What stands between the quotes.
#[inline]
pub(super) fn unquoted(string: &[u8]) -> &[u8] {
    string.get(1..string.len().saturating_sub(1)).unwrap_or_default()
}

/// Reading.
impl Tree {
    /// Reads a document, which must be an object.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn read(&mut self, document: &[u8]) -> Result<(), Error> {
        let Self { tables, members, changes, added, made } = self;
        tables.clear();
        members.clear();
        changes.clear();
        added.clear();
        made.clear();
        let span = Scanner::object(document, |item| members.push(Member::new(item, 0)))?;
        self.end_table(Container::Object, Span::of(span, 0), 0);
        Ok(())
    }

    /// The table of a member's value, which is made where there is none yet. `None`: the value is no container.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn open(&mut self, text: &[u8], slot: Slot) -> Option<u32> {
        let span = match self.value(slot)? {
            Node::Table(table) => return Some(table),
            Node::Text(span) => span,
        };
        let Self { members, made, .. } = self;
        let (within, base) = if (span.begin as usize) < text.len() { (text, 0) } else { (&made[..], text.len()) };
        let begin = span.begin as usize - base;
        let of = match within.get(begin)? {
            b'{' => Container::Object,
            b'[' => Container::Array,
            _ => return None,
        };
        let first = members.len();
        // It was judged before.
        Scanner::new(within).items(of, begin + 1, true, 1, |item| {
            members.push(Member::new(item, base));
            true
        })?;
        let table = self.end_table(of, span, first);
        self.set_value(slot, Node::Table(table));
        Some(table)
    }

    /// A table of the members from `first` on.
    fn end_table(&mut self, of: Container, span: Span, first: usize) -> u32 {
        let (first, end) = (first as u32, self.members.len() as u32);
        self.tables.push(Table { of, span, first, end, first_added: NONE, last_added: NONE });
        self.tables.len() as u32 - 1
    }
}

/// Looking.
impl Tree {
    #[inline]
    pub(super) fn bytes<'a>(&'a self, text: &'a [u8], span: Span) -> &'a [u8] {
        let (begin, end) = (span.begin as usize, span.end as usize);
        let bytes = match begin.checked_sub(text.len()) {
            None => text.get(begin..end),
            Some(begin) => self.made.get(begin..end - text.len()),
        };
        bytes.unwrap_or_default()
    }

    pub(super) fn table(&self, table: u32) -> Option<&Table> {
        self.tables.get(table as usize)
    }

    pub(super) fn container(&self, table: u32) -> Container {
        self.table(table).map_or(Container::Object, |table| table.of)
    }

    /// The members that were read, also those that are removed.
    pub(super) fn own(&self, table: &Table) -> &[Member] {
        self.members.get(table.first as usize..table.end as usize).unwrap_or_default()
    }

    pub(super) fn change(&self, member: &Member) -> Option<&Change> {
        self.changes.get(member.change as usize)
    }

    /// The members that are there, in order.
    fn slots(&self, table: u32) -> impl Iterator<Item = Slot> + '_ {
        iter::successors(self.first(table), move |slot| self.next(table, *slot))
    }

    pub(super) fn first(&self, table: u32) -> Option<Slot> {
        let table = self.table(table)?;
        self.from(table, table.first)
    }

    /// The member behind this one, which may be removed itself.
    pub(super) fn next(&self, table: u32, slot: Slot) -> Option<Slot> {
        match slot {
            Slot::Own(member) => self.from(self.table(table)?, member + 1),
            Slot::Added(added) => self.from_added(self.added.get(added as usize)?.next),
        }
    }

    fn from(&self, table: &Table, member: u32) -> Option<Slot> {
        let ahead = self.members.get(member as usize..table.end as usize).unwrap_or_default();
        match ahead.iter().position(|member| !member.is_removed()) {
            Some(ahead) => Some(Slot::Own(member + ahead as u32)),
            None => self.from_added(table.first_added),
        }
    }

    fn from_added(&self, mut added: u32) -> Option<Slot> {
        loop {
            let this = self.added.get(added as usize)?;
            if !this.removed {
                return Some(Slot::Added(added));
            }
            added = this.next;
        }
    }

    /// The members that were added to a table and are there, in order.
    pub(super) fn added(&self, table: u32, of: &Table) -> impl Iterator<Item = Slot> + '_ {
        iter::successors(self.from_added(of.first_added), move |slot| self.next(table, *slot))
    }

    pub(super) fn value(&self, slot: Slot) -> Option<Node> {
        match slot {
            Slot::Added(added) => self.added.get(added as usize).map(|added| added.value),
            Slot::Own(member) => self
                .members
                .get(member as usize)
                .map(|member| self.change(member).and_then(|change| change.value).unwrap_or(Node::Text(member.value))),
        }
    }

    /// Name with its quotes, and whether it may have escapes.
    pub(super) fn name<'a>(&'a self, text: &'a [u8], slot: Slot) -> (&'a [u8], bool) {
        let named = match slot {
            Slot::Own(member) => self.members.get(member as usize).map(|member| self.named(member)),
            Slot::Added(added) => self.added.get(added as usize).map(|added| (added.name, true)),
        };
        named.map(|(name, escaped)| (self.bytes(text, name), escaped)).unwrap_or_default()
    }

    pub(super) fn decoded_name<'a>(&'a self, text: &'a [u8], slot: Slot) -> Cow<'a, str> {
        text::decode(unquoted(self.name(text, slot).0))
    }

    #[inline]
    fn named(&self, member: &Member) -> (Span, bool) {
        let name = self.change(member).and_then(|change| change.name);
        name.map_or((member.name, member.escaped), |name| (name, true))
    }

    #[inline]
    fn member_is(&self, text: &[u8], member: &Member, name: &str) -> bool {
        let (span, escaped) = self.named(member);
        // Most names are told apart by their length.
        (escaped || (span.end - span.begin) as usize == name.len() + 2)
            && !member.is_removed()
            && text::is(unquoted(self.bytes(text, span)), escaped, name)
    }

    fn added_is(&self, text: &[u8], slot: Slot, name: &str) -> bool {
        let (quoted, escaped) = self.name(text, slot);
        text::is(unquoted(quoted), escaped, name)
    }

    /// A member by name, the last of that name; or an item by number.
    pub(super) fn find(&self, text: &[u8], table: u32, step: &str) -> Option<Slot> {
        let of = self.table(table)?;
        if of.of == Container::Array {
            return self.slots(table).nth(step.parse().ok()?);
        }
        let added = self.added(table, of).filter(|slot| self.added_is(text, *slot, step)).last();
        let own = || self.own(of).iter().rposition(|member| self.member_is(text, member, step));
        added.or_else(|| own().map(|index| Slot::Own(of.first + index as u32)))
    }
}

/// Changing.
impl Tree {
    fn make(&mut self, text: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let begin = self.made.len();
        write(&mut self.made);
        Span::of((begin, self.made.len()), text.len())
    }

    fn changed(&mut self, member: u32) -> Option<&mut Change> {
        let member = self.members.get_mut(member as usize)?;
        if member.change == SAME {
            member.change = self.changes.len() as u32;
            self.changes.push(Change::default());
        }
        self.changes.get_mut(member.change as usize)
    }

    fn set_value(&mut self, slot: Slot, value: Node) {
        match slot {
            Slot::Own(member) => self.changed(member).into_iter().for_each(|change| change.value = Some(value)),
            Slot::Added(added) => self.added.get_mut(added as usize).into_iter().for_each(|added| added.value = value),
        }
    }

    fn set_name(&mut self, slot: Slot, name: Span) {
        match slot {
            Slot::Own(member) => self.changed(member).into_iter().for_each(|change| change.name = Some(name)),
            Slot::Added(added) => self.added.get_mut(added as usize).into_iter().for_each(|added| added.name = name),
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        match slot {
            Slot::Own(member) => {
                self.members.get_mut(member as usize).into_iter().for_each(|member| member.change = REMOVED);
            }
            Slot::Added(added) => {
                self.added.get_mut(added as usize).into_iter().for_each(|added| added.removed = true);
            }
        }
    }

    /// Removes every member of that name but `spared`, or the item of that number. True: there was one.
    pub(super) fn remove_all(&mut self, text: &[u8], table: u32, step: &str, spared: Option<Slot>) -> bool {
        if self.container(table) == Container::Array {
            let found = self.find(text, table, step);
            found.into_iter().for_each(|slot| self.remove(slot));
            return found.is_some();
        }
        let Some(&Table { first, end, first_added, .. }) = self.table(table) else { return false };
        let mut found = false;
        for index in first..end {
            let slot = Slot::Own(index);
            let is = self.members.get(index as usize).is_some_and(|member| self.member_is(text, member, step));
            if is && Some(slot) != spared {
                self.remove(slot);
                found = true;
            }
        }
        let mut added = self.from_added(first_added);
        while let Some(slot) = added {
            added = self.next(table, slot);
            if self.added_is(text, slot, step) && Some(slot) != spared {
                self.remove(slot);
                found = true;
            }
        }
        found
    }

    /// Gives a member another name. Other members of either name are removed.
    pub(super) fn rename(&mut self, text: &[u8], table: u32, from: &str, to: &str) -> bool {
        if self.container(table) == Container::Array {
            return false;
        }
        let Some(slot) = self.find(text, table, from) else { return false };
        self.remove_all(text, table, from, Some(slot));
        self.remove_all(text, table, to, Some(slot));
        let name = self.make(text, |out| text::encode(to, out));
        self.set_name(slot, name);
        true
    }

    /// Gives a member a value, or adds it behind the others; an item as well, where its number is the next. `None`: it
    /// is not.
    pub(super) fn set(
        &mut self,
        text: &[u8],
        table: u32,
        step: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Slot> {
        let of = self.container(table);
        let found = self.find(text, table, step);
        if found.is_none() && of == Container::Array && step.parse() != Ok(self.slots(table).count()) {
            return None;
        }
        let value = Node::Text(self.make(text, write));
        if let Some(slot) = found {
            if of == Container::Object {
                self.remove_all(text, table, step, Some(slot));
            }
            self.set_value(slot, value);
            return Some(slot);
        }
        let name = match of {
            Container::Object => self.make(text, |out| text::encode(step, out)),
            Container::Array => self.make(text, |_| ()),
        };
        let added = self.added.len() as u32;
        self.added.push(Added { name, value, removed: false, next: NONE });
        let table = self.tables.get_mut(table as usize)?;
        match self.added.get_mut(table.last_added as usize) {
            Some(last) => last.next = added,
            None => table.first_added = added,
        }
        table.last_added = added;
        Some(Slot::Added(added))
    }
}
