//! Writes a document as it is now: what was not changed in as few stretches as there are.

use std::mem;

use super::{
    scan::Container,
    tree::{Member, Node, Span, Tree},
};

impl Tree {
    /// Appends a value as it is now.
    pub(super) fn write(&self, text: &[u8], node: Node, out: &mut Vec<u8>) {
        match node {
            Node::Text(span) => out.extend_from_slice(self.bytes(text, span)),
            Node::Table(table) => self.write_table(text, table, out),
        }
    }

    fn write_table(&self, text: &[u8], number: u32, out: &mut Vec<u8>) {
        let Some(table) = self.table(number) else { return };
        let members = self.own(table);
        let bracket = table.span.begin + 1;
        let mut copier = Copier { tree: self, text, pending: Span { begin: table.span.begin, end: bracket }, out };
        let mut is_first = true;
        for member in members.iter().filter(|member| !member.is_removed()) {
            let change = self.change(member);
            // The usual case: what is not changed follows on what is not changed.
            if change.is_none() && copier.pending.end == member.lead {
                copier.pending.end = member.value.end;
                is_first = false;
                continue;
            }
            // The first has no comma before it.
            let lead = if mem::take(&mut is_first) { members.first().unwrap_or(member) } else { member };
            copier.copy(Span { begin: lead.lead, end: lead.name.begin });
            copier.copy(change.and_then(|change| change.name).unwrap_or(member.name));
            copier.copy(Span { begin: member.name.end, end: member.value.begin });
            match change.and_then(|change| change.value).unwrap_or(Node::Text(member.value)) {
                Node::Text(span) => copier.copy(span),
                Node::Table(table) => {
                    copier.flush();
                    self.write_table(text, table, copier.out);
                }
            }
        }
        for slot in self.added(number, table) {
            copier.flush();
            let out = &mut *copier.out;
            if !mem::take(&mut is_first) {
                out.push(b',');
            }
            out.extend_from_slice(self.name(text, slot).0);
            if table.of == Container::Object {
                out.push(b':');
            }
            self.value(slot).into_iter().for_each(|value| self.write(text, value, out));
        }
        let tail = members.last().map_or(bracket, |member: &Member| member.value.end);
        copier.copy(Span { begin: tail, end: table.span.end });
        copier.flush();
    }
}

/// Copies stretches that follow each other at one go.
struct Copier<'a> {
    tree: &'a Tree,
    text: &'a [u8],
    pending: Span,
    out: &'a mut Vec<u8>,
}

impl Copier<'_> {
    #[inline]
    fn copy(&mut self, span: Span) {
        if span.begin != self.pending.end {
            self.flush();
            self.pending.begin = span.begin;
        }
        self.pending.end = span.end;
    }

    fn flush(&mut self) {
        self.out.extend_from_slice(self.tree.bytes(self.text, self.pending));
        self.pending.begin = self.pending.end;
    }
}
