//! What a comparison found.

use serde::Serialize;

/// Where a record lies in one of the topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In `from` alone.
    Missing,
    /// In `to` alone.
    Extra,
    /// In both, and not the same.
    Different,
    /// Behind a record that it should be in front of.
    Reordered,
}

/// One difference. Ordered by the place in `from`, or where it is not there, in `to`; by key, by the lower of both where
/// one record stands for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    #[serde(skip)]
    pub(super) at: Place,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Place>,
    /// The parts that differ: `key`, `value`, `headers`, `timestamp`, `partition`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub what: Vec<&'static str>,
    /// Where the record came from, by its lineage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub came_from: Option<CameFrom>,
}

/// A place in a topic that both logs were made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CameFrom {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

impl Difference {
    pub(super) fn new(kind: Kind, from: Option<Place>, to: Option<Place>) -> Self {
        let at = from.or(to).unwrap_or(Place { partition: 0, offset: 0 });
        Self { at, kind, from, to, what: Vec::new(), came_from: None }
    }
}

/// What was read of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SideReport {
    pub topic: String,
    pub partitions: usize,
    pub records: u64,
    /// Records that are there once more.
    pub duplicates: u64,
    /// Records without lineage headers.
    pub unmarked: u64,
}

/// The end of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Nothing is missing, extra, different or reordered, nor where that was asked for there twice.
    pub equal: bool,
    pub by: &'static str,
    pub from: SideReport,
    pub to: SideReport,
    /// Records that are the same on both sides; here and below, one that is there several times counts once.
    pub same: u64,
    pub missing: u64,
    pub extra: u64,
    pub different: u64,
    pub reordered: u64,
    /// Records that are there once more, of both sides.
    pub duplicates: u64,
    /// Records that were not compared, because the other side is not as far yet, or has removed their time.
    pub outside: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
    pub seconds: f64,
}

impl Report {
    /// Records that one side at least has, and that were compared.
    pub(super) fn compared(&self) -> u64 {
        self.same + self.missing + self.extra + self.different
    }
}
