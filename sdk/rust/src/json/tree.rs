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

    #[inline]
    fn len(self) -> u32 {
        self.end - self.begin
    }
}

/// A value: as it stands, or as a container that was looked into and may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(Span),
    Table(u32),
}

/// A member of an object, or an item of an array, which has an empty name.
#[derive(Clone, Copy)]
pub(super) struct Member {
    /// Where what stands before its name begins.
    pub(super) lead: u32,
    /// With its quotes.
    pub(super) name: Span,
    pub(super) value: Span,
    /// Length of the name with its quotes, where it is plain text; [`LOOK`] or [`REMOVED`].
    tag: u32,
    /// Index of its change, or [`NONE`].
    change: u32,
    /// Of those that were added to a table: the one behind it, or [`NONE`].
    next: u32,
}

/// The name has escapes, or is another one by now.
const LOOK: u32 = u32::MAX;
const REMOVED: u32 = u32::MAX - 1;
const NONE: u32 = u32::MAX;

impl Member {
    #[inline]
    fn new(item: Item, base: usize) -> Self {
        let Item { lead, name, escaped, value } = item;
        let (name, value) = (Span::of(name, base), Span::of(value, base));
        let tag = if escaped { LOOK } else { name.len() };
        Self { lead: (base + lead) as u32, name, value, tag, change: NONE, next: NONE }
    }

    #[inline]
    pub(super) fn is_removed(&self) -> bool {
        self.tag == REMOVED
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) name: Option<Span>,
    pub(super) value: Option<Node>,
}

pub(super) struct Table {
    pub(super) of: Container,
    pub(super) span: Span,
    /// The stretch of all members that it was read as.
    first: u32,
    end: u32,
    /// List of the members that were added.
    first_added: u32,
    last_added: u32,
}

#[derive(Default)]
pub(super) struct Tree {
    tables: Vec<Table>,
    members: Vec<Member>,
    changes: Vec<Change>,
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
    pub(super) fn read(&mut self, document: &[u8]) -> Result<(), Error> {
        let Self { tables, members, changes, made } = self;
        tables.clear();
        members.clear();
        changes.clear();
        made.clear();
        let span = Scanner::object(document, |item| members.push(Member::new(item, 0)))?;
        self.end_table(Container::Object, Span::of(span, 0), 0);
        Ok(())
    }

    /// The table of a member's value, which is made where there is none yet. `None`: the value is no container.
    pub(super) fn open(&mut self, text: &[u8], member: u32) -> Option<u32> {
        let span = match self.value(member)? {
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
        self.change(member)?.value = Some(Node::Table(table));
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
    #[inline]
    pub(super) fn own(&self, table: &Table) -> &[Member] {
        self.members.get(table.first as usize..table.end as usize).unwrap_or_default()
    }

    /// The members that were added, also those that are removed.
    pub(super) fn added(&self, table: &Table) -> impl Iterator<Item = (u32, &Member)> {
        let member = |index: u32| Some((index, self.members.get(index as usize)?));
        iter::successors(member(table.first_added), move |(_, before)| member(before.next))
    }

    /// The members that are there, in order.
    fn live(&self, table: u32) -> impl Iterator<Item = u32> + '_ {
        iter::successors(self.first(table), move |member| self.next(table, *member))
    }

    pub(super) fn first(&self, table: u32) -> Option<u32> {
        let of = self.table(table)?;
        self.from(of, if of.first < of.end { of.first } else { of.first_added })
    }

    /// The member behind this one, which may be removed itself.
    pub(super) fn next(&self, table: u32, member: u32) -> Option<u32> {
        let of = self.table(table)?;
        self.from(of, self.behind(of, member)?)
    }

    fn behind(&self, table: &Table, member: u32) -> Option<u32> {
        if !(table.first..table.end).contains(&member) {
            return self.members.get(member as usize).map(|member| member.next);
        }
        Some(if member + 1 < table.end { member + 1 } else { table.first_added })
    }

    /// The first that is there, from this one on.
    fn from(&self, table: &Table, mut member: u32) -> Option<u32> {
        while self.members.get(member as usize)?.is_removed() {
            member = self.behind(table, member)?;
        }
        Some(member)
    }

    #[inline]
    pub(super) fn changed(&self, member: &Member) -> Option<&Change> {
        self.changes.get(member.change as usize)
    }

    pub(super) fn value(&self, member: u32) -> Option<Node> {
        let member = self.members.get(member as usize)?;
        Some(self.changed(member).and_then(|change| change.value).unwrap_or(Node::Text(member.value)))
    }

    /// Name with its quotes, and whether it may have escapes.
    pub(super) fn name<'a>(&'a self, text: &'a [u8], member: &Member) -> (&'a [u8], bool) {
        let name = self.changed(member).and_then(|change| change.name);
        (self.bytes(text, name.unwrap_or(member.name)), member.tag == LOOK)
    }

    pub(super) fn name_of<'a>(&'a self, text: &'a [u8], member: u32) -> (&'a [u8], bool) {
        self.members.get(member as usize).map(|member| self.name(text, member)).unwrap_or_default()
    }

    pub(super) fn decoded_name<'a>(&'a self, text: &'a [u8], member: u32) -> Cow<'a, str> {
        text::decode(unquoted(self.name_of(text, member).0))
    }

    /// Most names are told apart by their length. One that is removed has none.
    #[inline(always)]
    fn is(&self, text: &[u8], member: &Member, name: &str) -> bool {
        let may_be = member.tag as usize == name.len() + 2 || member.tag == LOOK;
        may_be && self.is_indeed(text, member, name)
    }

    #[inline(never)]
    fn is_indeed(&self, text: &[u8], member: &Member, name: &str) -> bool {
        let (quoted, escaped) = self.name(text, member);
        text::is(unquoted(quoted), escaped, name)
    }

    /// A member by name, the last of that name; or an item by number.
    pub(super) fn find(&self, text: &[u8], table: u32, step: &str) -> Option<u32> {
        let of = self.table(table)?;
        if of.of == Container::Array {
            return self.item(table, step);
        }
        if of.first_added != NONE
            && let Some(added) = self.find_added(text, of, step)
        {
            return Some(added);
        }
        let own = self.own(of).iter().rposition(|member| self.is(text, member, step));
        own.map(|index| of.first + index as u32)
    }

    #[inline(never)]
    fn find_added(&self, text: &[u8], table: &Table, step: &str) -> Option<u32> {
        self.added(table).filter(|(_, member)| self.is(text, member, step)).last().map(|(index, _)| index)
    }

    #[inline(never)]
    fn item(&self, table: u32, step: &str) -> Option<u32> {
        self.live(table).nth(step.parse().ok()?)
    }
}

/// Changing.
impl Tree {
    fn change(&mut self, member: u32) -> Option<&mut Change> {
        let member = self.members.get_mut(member as usize)?;
        if member.change == NONE {
            member.change = self.changes.len() as u32;
            self.changes.push(Change::default());
        }
        self.changes.get_mut(member.change as usize)
    }

    pub(super) fn remove(&mut self, member: u32) {
        if let Some(member) = self.members.get_mut(member as usize) {
            member.tag = REMOVED;
        }
    }

    /// Removes every member of that name but `spared`, or the item of that number. True: there was one.
    pub(super) fn remove_all(&mut self, text: &[u8], table: u32, step: &str, spared: Option<u32>) -> bool {
        let Some(of) = self.table(table) else { return false };
        if of.of == Container::Array {
            let found = self.item(table, step);
            found.into_iter().for_each(|item| self.remove(item));
            return found.is_some();
        }
        let (first, mut added) = (of.first, of.first_added);
        let (mut ahead, mut found) = (self.own(of), false);
        while let Some(index) = ahead.iter().rposition(|member| self.is(text, member, step)) {
            let member = first + index as u32;
            if Some(member) != spared {
                self.remove(member);
                found = true;
            }
            ahead = self.members.get(first as usize..member as usize).unwrap_or_default();
        }
        while let Some(member) = self.members.get(added as usize) {
            let (this, is) = (added, self.is(text, member, step));
            added = member.next;
            if is && Some(this) != spared {
                self.remove(this);
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
        let Some(member) = self.find(text, table, from) else { return false };
        self.remove_all(text, table, from, Some(member));
        self.remove_all(text, table, to, Some(member));
        let begin = self.made.len();
        text::encode(to, &mut self.made);
        let name = Span::of((begin, self.made.len()), text.len());
        self.change(member).into_iter().for_each(|change| change.name = Some(name));
        self.members.get_mut(member as usize).into_iter().for_each(|member| member.tag = LOOK);
        true
    }

    /// Gives a member a value, or adds it behind the others; an item as well, where its number is the next. `None`: it
    /// is not.
    #[inline]
    pub(super) fn set(&mut self, text: &[u8], table: u32, step: &str, write: impl FnOnce(&mut Vec<u8>)) -> Option<u32> {
        let Some(member) = self.find(text, table, step) else {
            let (lead, name) = self.lead(text, table, step)?;
            return self.add(text, table, lead, name, write);
        };
        if self.container(table) == Container::Object {
            self.remove_all(text, table, step, Some(member));
        }
        let begin = self.made.len();
        write(&mut self.made);
        let value = Span::of((begin, self.made.len()), text.len());
        self.change(member)?.value = Some(Node::Text(value));
        Some(member)
    }

    /// Begins a member behind the others as it will be written: a comma and the name. Answers where both begin.
    fn lead(&mut self, text: &[u8], table: u32, step: &str) -> Option<(usize, usize)> {
        let of = self.container(table);
        if of == Container::Array && step.parse() != Ok(self.live(table).count()) {
            return None;
        }
        let begin = self.made.len();
        self.made.push(b',');
        if of == Container::Object {
            text::encode(step, &mut self.made);
        }
        Some((text.len() + begin, text.len() + begin + 1))
    }

    #[inline]
    fn add(
        &mut self,
        text: &[u8],
        table: u32,
        lead: usize,
        name: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<u32> {
        let name = (name, text.len() + self.made.len());
        if name.0 < name.1 {
            self.made.push(b':');
        }
        let begin = text.len() + self.made.len();
        write(&mut self.made);
        let item = Item { lead, name, escaped: true, value: (begin, text.len() + self.made.len()) };
        let member = self.members.len() as u32;
        self.members.push(Member::new(item, 0));
        let table = self.tables.get_mut(table as usize)?;
        match self.members.get_mut(table.last_added as usize) {
            Some(last) => last.next = member,
            None => table.first_added = member,
        }
        table.last_added = member;
        Some(member)
    }
}
