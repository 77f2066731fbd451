//! JSON that is edited where it lies: fields are looked up, removed, renamed and set without a tree of values being
//! built, and what nobody touches is copied as it stands.
//!
//! ```
//! use wasmill_sdk::json::{Editor, Error};
//!
//! let mut editor = Editor::default();
//! let mut fields = editor.object(br#"{"user":{"name":"jane","password":"x"},"n":1.50,"path":"/cart"}"#)?;
//! assert!(fields.get("path").is_some_and(|path| path.is("/cart")));
//! assert_eq!(fields.get("n").and_then(|n| n.number()), Some("1.50"));
//!
//! fields.remove("user.password");
//! fields.rename("path", "uri");
//! fields.set("env", "prod");
//!
//! let mut out = Vec::new();
//! fields.write(&mut out);
//! assert_eq!(out, br#"{"user":{"name":"jane"},"n":1.50,"uri":"/cart","env":"prod"}"#);
//! # Ok::<(), Error>(())
//! ```
//!
//! In a module, one editor serves all rows of a batch, and [`Sent::json`](crate::Sent::json) writes the value straight
//! into the column that crosses to the host:
//!
//! ```
//! # use wasmill_sdk::{json::Editor, *};
//! # fn transform(batch: &Batch, out: &mut Output) {
//! let mut editor = Editor::default();
//! for row in batch.rows() {
//!     match editor.object(row.value().unwrap_or_default()) {
//!         Ok(mut fields) => {
//!             fields.remove("password");
//!             out.keep(row).json(&fields);
//!         }
//!         Err(error) => out.reject(row, format!("not a JSON object: {error}")),
//!     }
//! }
//! # }
//! ```
//!
//! # What is promised
//! - A document is judged as a whole when it is opened: all of RFC 8259, strings as UTF-8, escapes of surrogates only in
//!   pairs, up to 127 levels of objects and arrays. What `serde_json` takes is taken, and what it refuses is refused,
//!   but for one thing: a number may have any size, since it stays text.
//! - What is not changed comes out byte for byte: order, numbers, escapes, blanks between members. Blanks around the
//!   document are left out.
//! - Nothing is allocated for a document once the editor has seen one as large, but by [`Value::text`] for a string with
//!   escapes and by [`Value::raw`] for a container that was changed.

mod copy;
mod few;
mod find;
mod object;
mod path;
mod scan;
mod text;
mod tree;
mod value;
mod write;

use std::fmt;

pub use object::Object;
pub use path::Path;
pub use value::{Kind, Value};
pub use write::{Raw, ToJson};

/// Opens documents one after the other, and keeps its memory between them.
#[derive(Default)]
pub struct Editor {
    tree: tree::Tree,
}

impl Editor {
    /// Opens a document, which must be an object. What was edited before is forgotten.
    ///
    /// # Errors
    /// The document is not JSON, or no object.
    pub fn object<'e>(&'e mut self, document: &'e [u8]) -> Result<Object<'e>, Error> {
        self.tree.read(document)?;
        Ok(Object::root(&mut self.tree, document))
    }

    /// Opens an object without members, to be filled.
    pub fn empty(&mut self) -> Object<'_> {
        const EMPTY: &[u8] = b"{}";
        let read = self.tree.read(EMPTY);
        debug_assert!(read.is_ok());
        Object::root(&mut self.tree, EMPTY)
    }
}

/// A document is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: &'static str,
    at: usize,
    is_end: bool,
}

impl Error {
    /// Where, in bytes from the begin of the document.
    pub fn position(&self) -> usize {
        self.at
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, at, is_end } = self;
        write!(f, "{what} at byte {at}{}", if *is_end { ", the end" } else { "" })
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
