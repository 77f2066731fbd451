//! Writes a document as it is now: what was not changed in as few stretches as there are.

use std::mem;

use super::{
    few,
    tree::{Node, Span, Tree},
};

impl Tree {
    /// Appends a value as it is now.
    pub(super) fn write(&self, text: &[u8], node: Node, out: &mut Vec<u8>) {
        match node {
            Node::Text(span) => few::append(out, self.bytes(text, span)),
            Node::Table(table) => self.write_table(text, table, out),
        }
    }

    fn write_table(&self, text: &[u8], table: u32, out: &mut Vec<u8>) {
        let Some(table) = self.table(table) else { return };
        let own = self.own(table);
        let bracket = table.span.begin + 1;
        // The first has no comma before it, wherever it stood; those that were added begin with theirs.
        let mut first =
            Some(own.first().map_or(Span { begin: bracket, end: bracket }, |first| Span {
                begin: first.lead,
                end: first.name.begin,
            }));
        let mut copier = Copier { tree: self, text, pending: Span { begin: table.span.begin, end: bracket }, out };
        for member in own.iter().chain(self.added(table).map(|(_, member)| member)) {
            if member.is_removed() {
                continue;
            }
            let change = self.changed(member);
            // The usual case: what is not changed follows on what is not changed.
            if change.is_none() && copier.pending.end == member.lead {
                copier.pending.end = member.value.end;
                first = None;
                continue;
            }
            copier.copy(mem::take(&mut first).unwrap_or(Span { begin: member.lead, end: member.name.begin }));
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
        let tail = own.last().map_or(bracket, |last| last.value.end);
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

    #[inline]
    fn flush(&mut self) {
        few::append(self.out, self.tree.bytes(self.text, self.pending));
        self.pending.begin = self.pending.end;
    }
}
