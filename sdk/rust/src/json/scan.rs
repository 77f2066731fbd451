//! Reads JSON and judges it: all of RFC 8259, and strings as UTF-8. What it passes over without an error needs no
//! second look.
//!
//! A step takes a position and answers the next one, which is never 0: [`Next`] is one number in a register, and so is
//! most of what is known while a document is read. Why a step answered nothing is noted aside.

use std::num::NonZeroUsize;

use super::{Error, find, text};

/// Levels of objects and arrays within each other, as `serde_json` has it: reading is recursive.
const DEPTH_MAX: u32 = 127;

/// Documents are shorter, so that a span has room for what is set as well.
const LEN_MAX: usize = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

impl Container {
    #[inline]
    fn end(self) -> u8 {
        match self {
            Self::Object => b'}',
            Self::Array => b']',
        }
    }
}

/// A member of an object, or an item of an array, which has an empty name. Offsets in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Where what stands before it begins: behind the bracket, or behind the item before.
    pub(super) lead: usize,
    /// With its quotes.
    pub(super) name: (usize, usize),
    /// The name may have escapes.
    pub(super) escaped: bool,
    pub(super) value: (usize, usize),
}

/// Position behind what was passed over. `None`: it is not JSON, and the scanner has noted why.
type Next = Option<NonZeroUsize>;

#[inline]
fn next(at: usize) -> Next {
    NonZeroUsize::new(at)
}

#[derive(Clone)]
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    failed: Option<Error>,
    /// A string had something else in it than plain characters.
    unusual: bool,
}

impl<'t> Scanner<'t> {
    #[inline]
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, failed: None, unusual: false }
    }

    /// Reads a document that is an object, and hands its members to `each`. Answers where the object begins and ends.
    ///
    /// # Errors
    /// It is not JSON, or no object.
    #[inline]
    pub(super) fn object(text: &'t [u8], mut each: impl FnMut(Item)) -> Result<(usize, usize), Error> {
        let mut scanner = Self::new(text);
        let span = scanner.whole(|scanner, at| {
            let at = scanner.take(at, b'{', "expected `{`")?.get();
            scanner.items(Container::Object, at, true, 1, |item| {
                each(item);
                true
            })
        });
        span.ok_or_else(|| scanner.error())
    }

    /// Reads a value of any kind. Answers where it begins and ends.
    ///
    /// # Errors
    /// It is not JSON.
    pub(super) fn any(text: &'t [u8]) -> Result<(usize, usize), Error> {
        let mut scanner = Self::new(text);
        let span = scanner.whole(|scanner, at| scanner.value(at, 0));
        span.ok_or_else(|| scanner.error())
    }

    #[inline]
    fn whole(&mut self, read: impl FnOnce(&mut Self, usize) -> Next) -> Option<(usize, usize)> {
        if self.text.len() > LEN_MAX {
            self.fail(0, "more than 1 GiB")?;
        }
        let begin = self.blanks(0);
        let end = read(self, begin)?.get();
        let rest = self.blanks(end);
        if rest < self.text.len() {
            self.fail(rest, "expected nothing more")?;
        }
        Some((begin, end))
    }

    #[cold]
    fn fail(&mut self, at: usize, what: &'static str) -> Next {
        self.failed = Some(Error { what, at, is_end: at >= self.text.len() });
        None
    }

    #[cold]
    fn error(&mut self) -> Error {
        self.failed.take().unwrap_or(Error { what: "no JSON", at: 0, is_end: false })
    }

    #[inline]
    fn peek(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    #[inline]
    fn blanks(&self, at: usize) -> usize {
        // Mostly there are none.
        if let Some(..=b' ') = self.peek(at) { self.many_blanks(at) } else { at }
    }

    #[inline(never)]
    fn many_blanks(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek(at) {
            at += 1;
        }
        at
    }

    #[inline]
    fn take(&mut self, at: usize, byte: u8, expected: &'static str) -> Next {
        if self.peek(at) == Some(byte) { next(at + 1) } else { self.fail(at, expected) }
    }

    /// Hands the items of a container to `each`, from behind its bracket (`first`) or behind another item, until it is
    /// passed over or `each` has enough.
    #[inline]
    pub(super) fn items(
        &mut self,
        of: Container,
        mut at: usize,
        mut first: bool,
        depth: u32,
        mut each: impl FnMut(Item) -> bool,
    ) -> Next {
        loop {
            let lead = at;
            at = self.blanks(at);
            match self.peek(at) {
                Some(byte) if byte == of.end() => return next(at + 1),
                _ if first => first = false,
                Some(b',') => at = self.blanks(at + 1),
                _ if of == Container::Object => return self.fail(at, "expected `,` or `}`"),
                _ => return self.fail(at, "expected `,` or `]`"),
            }
            let mut item = Item { lead, name: (at, at), escaped: false, value: (at, at) };
            if of == Container::Object {
                self.unusual = false;
                at = self.take(at, b'"', "expected a name in quotes")?.get();
                at = self.string(at)?.get();
                (item.name.1, item.escaped) = (at, self.unusual);
                at = self.blanks(at);
                at = self.take(at, b':', "expected `:`")?.get();
                at = self.blanks(at);
                item.value.0 = at;
            }
            at = if self.peek(at) == Some(b'"') { self.string(at + 1) } else { self.value(at, depth) }?.get();
            item.value.1 = at;
            if !each(item) {
                return next(at);
            }
        }
    }

    /// Passes over a value that has `depth` containers around it.
    fn value(&mut self, at: usize, depth: u32) -> Next {
        let of = match self.peek(at) {
            Some(b'-' | b'0'..=b'9') => return self.number(at),
            Some(b'"') => return self.string(at + 1),
            Some(b't') => return self.word(at, b"true"),
            Some(b'f') => return self.word(at, b"false"),
            Some(b'n') => return self.word(at, b"null"),
            Some(b'{') => Container::Object,
            Some(b'[') => Container::Array,
            _ => return self.fail(at, "expected a value"),
        };
        if depth >= DEPTH_MAX {
            return self.fail(at, "more than 127 levels of objects and arrays");
        }
        self.items(of, at + 1, true, depth + 1, |_| true)
    }

    #[inline]
    fn word(&mut self, at: usize, word: &[u8]) -> Next {
        let end = at + word.len();
        if self.text.get(at..end) == Some(word) { next(end) } else { self.fail(at, "expected a value") }
    }

    #[inline]
    fn number(&mut self, mut at: usize) -> Next {
        if self.peek(at) == Some(b'-') {
            at += 1;
        }
        // A zero stands alone: what follows it is then found to be no comma.
        at = if self.peek(at) == Some(b'0') { at + 1 } else { self.digits(at)?.get() };
        if self.peek(at) == Some(b'.') {
            at = self.digits(at + 1)?.get();
        }
        if let Some(b'e' | b'E') = self.peek(at) {
            at += 1;
            if let Some(b'+' | b'-') = self.peek(at) {
                at += 1;
            }
            at = self.digits(at)?.get();
        }
        next(at)
    }

    #[inline]
    fn digits(&mut self, begin: usize) -> Next {
        let mut at = begin;
        while let Some(b'0'..=b'9') = self.peek(at) {
            at += 1;
        }
        if at == begin { self.fail(at, "expected a digit") } else { next(at) }
    }

    /// Passes over a string from behind its opening quote.
    #[inline(always)]
    fn string(&mut self, begin: usize) -> Next {
        let at = find::special(self.text, begin);
        if self.peek(at) == Some(b'"') { next(at + 1) } else { self.unusual_string(begin, at) }
    }

    /// As [`Self::string`], from the first byte on that is not a plain character.
    #[inline(never)]
    fn unusual_string(&mut self, begin: usize, mut at: usize) -> Next {
        self.unusual = true;
        loop {
            match self.peek(at) {
                Some(b'"') => break,
                Some(b'\\') => match text::escape(self.text.get(at..).unwrap_or_default()) {
                    Ok((_, len)) => at += len,
                    Err((offset, what)) => return self.fail(at + offset, what),
                },
                Some(0x80..) => {}
                Some(_) => return self.fail(at, "a control character that is not escaped"),
                None => return self.fail(at, "a string without its closing quote"),
            }
            at = find::end(self.text, at);
        }
        if let Err(error) = std::str::from_utf8(self.text.get(begin..at).unwrap_or_default()) {
            return self.fail(begin + error.valid_up_to(), "a string that is not UTF-8");
        }
        next(at + 1)
    }
}
