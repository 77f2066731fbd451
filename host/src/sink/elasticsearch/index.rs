//! Names of indices, from a template and a record.
//!
//! Elasticsearch refuses an upper-case letter, so names are lowered: `logs-{topic}` works for any topic. What else it
//! refuses is refused here, record by record: replacing it could make one index of two tenants'.

use crate::{batch::Batch, config::Template, output::Record, sink::template::Place};

/// Longest name of an index, in bytes.
const BYTES_MAX: usize = 255;

/// Makes the names for one lane. Consecutive records mostly share theirs, which then costs a comparison.
#[derive(Debug)]
pub(super) struct IndexNames {
    place: Place,
    /// As filled in for this record and for the last one that was well.
    filled: Vec<u8>,
    last: Vec<u8>,
    /// What the last one became.
    name: String,
}

impl IndexNames {
    pub(super) fn new(template: &Template) -> Self {
        let place = Place::new("index", template);
        Self { place, filled: Vec::new(), last: Vec::new(), name: String::new() }
    }

    /// The index of a record: a valid name, without a character that JSON would have to escape.
    ///
    /// # Errors
    /// The record has no such name, for people.
    pub(super) fn name(&mut self, batch: &Batch, record: &Record<'_>) -> Result<&str, String> {
        self.filled.clear();
        self.place.render(batch, record, &mut self.filled).map_err(|missing| missing.to_string())?;
        if self.filled != self.last || self.name.is_empty() {
            self.name = index(&self.filled)?;
            std::mem::swap(&mut self.filled, &mut self.last);
        }
        Ok(&self.name)
    }
}

fn index(filled: &[u8]) -> Result<String, String> {
    let bad = |why: &str| {
        let shown: String = String::from_utf8_lossy(filled).chars().take(BYTES_MAX).collect();
        format!("{shown:?} is no name for an index: {why}")
    };
    let name = std::str::from_utf8(filled).map_err(|_| bad("it is not UTF-8"))?.to_lowercase();
    let forbidden = |character: char| {
        matches!(character, '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':')
            || character.is_control()
    };
    match name.as_str() {
        "" => Err(bad("it is empty")),
        "." | ".." => Err(bad("it is reserved")),
        _ if name.len() > BYTES_MAX => Err(bad("it is longer than 255 bytes")),
        _ if name.starts_with(['-', '_', '+']) => Err(bad("it begins with one of - _ +")),
        _ if name.contains(forbidden) => {
            Err(bad("it holds a blank, a control character or one of \\ / * ? \" < > | , # :"))
        }
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_anything_else_is_refused() {
        let longest = "a".repeat(BYTES_MAX);
        for (filled, name) in
            [("Nginx-2026.01.31", "nginx-2026.01.31"), ("ÄÖ-é", "äö-é"), (&longest, &longest), (".x", ".x")]
        {
            assert_eq!(index(filled.as_bytes()).as_deref(), Ok(name));
        }
        let too_long = "a".repeat(BYTES_MAX + 1);
        for filled in
            ["", ".", "..", "_a", "-a", "+a", "a b", "a/b", "a\"b", "a\\b", "a:b", "<a>", "a\nb", "a,b", &too_long]
        {
            let refused = index(filled.as_bytes()).expect_err(filled);
            assert!(refused.contains("is no name for an index"), "{refused}");
        }
        assert!(index(b"a\xff").is_err());
    }
}
