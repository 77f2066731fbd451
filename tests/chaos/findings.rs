//! What the check says of one kind of thing.

use serde::Serialize;

/// What was found of one kind of thing. All but the first three have to be zero.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) what: &'static str,
    pub(crate) expected: u64,
    pub(crate) found: u64,
    pub(crate) lost: u64,
    /// More often than once; counted for all, allowed for some.
    pub(crate) doubled: u64,
    pub(crate) doubled_allowed: bool,
    /// Behind a later one of its partition.
    pub(crate) misplaced: u64,
    /// Not as it should be, or not to be there at all.
    pub(crate) wrong: u64,
    /// The first few that are wrong, in words.
    pub(crate) examples: Vec<String>,
}

impl Findings {
    pub(crate) fn good(&self) -> bool {
        self.lost == 0 && self.misplaced == 0 && self.wrong == 0 && (self.doubled_allowed || self.doubled == 0)
    }

    pub(crate) fn wrong(&mut self, example: impl FnOnce() -> String) {
        self.wrong += 1;
        self.note(example);
    }

    pub(crate) fn note(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < 5 {
            self.examples.push(example());
        }
    }
}
