//! What an answer of Elasticsearch or OpenSearch means for a record, or for a whole request. Pure.
//!
//! The line is drawn by who can help: the server by itself, in time (send again); nobody (dead letter); a person
//! (stop). A dead letter for what a person could put right would throw away every record from then on.

use serde::Deserialize;

use super::encode::Asked;
use crate::{
    output::Op,
    sink::worker::{Answer, Verdict},
};

/// The parts of an answer to a bulk request that are asked for with [`FILTER`].
#[derive(Debug, Deserialize)]
pub(super) struct Bulk {
    pub(super) items: Vec<Line>,
}

pub(super) const FILTER: &str = "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason,\
                                 error.type,error.reason";

/// The answer for one record, named after its action.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(alias = "create", alias = "update", alias = "delete")]
    pub(super) index: Item,
}

#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) error: Option<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Trouble {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) caused_by: Option<Box<Cause>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cause {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// The answer to a request that was refused as a whole.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) error: Option<Trouble>,
}

/// Kinds of trouble that pass, or that hold for all records alike until somebody makes room.
const PASSES: [&str; 7] = [
    "es_rejected_execution_exception",
    "rejected_execution_exception",
    "circuit_breaking_exception",
    // A full disk, or an index set read-only. Its status depends on the version: 403 or 429.
    "cluster_block_exception",
    "unavailable_shards_exception",
    "process_cluster_event_timeout_exception",
    // Too many shards in the cluster: the day's new index cannot be made. It comes as status 400.
    "validation_exception",
];

/// Kinds of trouble that are about the index, not about the record.
const STOPS: [&str; 3] = ["index_not_found_exception", "index_closed_exception", "security_exception"];

pub(super) fn item(asked: Asked, item: Item) -> Verdict {
    let Item { status, error } = item;
    let trouble = error.unwrap_or_default();
    let kind = trouble.kind.as_str();
    let is_version_conflict = kind.contains("version_conflict");
    match (status, asked.op) {
        (200..300, _) => Verdict::Delivered,
        // What is to be gone is gone, with its index or without.
        (404, Op::Delete) => Verdict::Delivered,
        (409, Op::Create) if is_version_conflict => Verdict::Ignored,
        (409, _) if is_version_conflict && asked.versioned => Verdict::Ignored,
        (409, _) if is_version_conflict => Verdict::Again(trouble.say(status)),
        _ if PASSES.contains(&kind) => Verdict::Again(trouble.say(status)),
        _ if STOPS.contains(&kind) || trouble.wants_create() => Verdict::Stop(trouble.say(status)),
        (401 | 403, _) => Verdict::Stop(trouble.say(status)),
        (408 | 429 | 500.., _) => Verdict::Again(trouble.say(status)),
        _ => Verdict::Poison(trouble.say(status)),
    }
}

/// A request that was not answered record by record.
pub(super) fn whole(status: u16, body: &[u8]) -> Answer {
    let error = serde_json::from_slice::<Refusal>(body).ok().and_then(|refusal| refusal.error);
    let is_elasticsearch = error.is_some();
    let trouble = error.unwrap_or_default();
    let reason = trouble.say(status);
    match status {
        408 | 429 | 500.. => Answer::Again { reason, pause: None },
        _ if PASSES.contains(&trouble.kind.as_str()) => Answer::Again { reason, pause: None },
        413 => Answer::Split { reason, too_large: true },
        // Something in it cannot be read at all. Anything but Elasticsearch that says so is not to be fed record by
        // record.
        400 if is_elasticsearch => Answer::Split { reason, too_large: false },
        401 | 403 => Answer::Stop(format!("{reason}: check the credentials and what they allow")),
        _ => Answer::Stop(format!("{reason}: check that the address is one of Elasticsearch")),
    }
}

impl Trouble {
    /// A data stream takes nothing but `create`.
    fn wants_create(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.contains("op_type of create"))
    }

    fn say(&self, status: u16) -> String {
        let cause = self.caused_by.as_ref().and_then(|cause| cause.reason.as_deref());
        let mut said = format!("status {status}");
        for part in [Some(self.kind.as_str()), self.reason.as_deref(), cause].into_iter().flatten() {
            if !part.is_empty() {
                said.push_str(": ");
                said.push_str(part);
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn asked(op: Op, versioned: bool) -> Asked {
        Asked { op, versioned }
    }

    const PUT: Asked = asked(Op::Put, false);
    const VERSIONED: Asked = asked(Op::Put, true);
    const CREATE: Asked = asked(Op::Create, false);
    const MERGE: Asked = asked(Op::Merge, false);
    const DELETE: Asked = asked(Op::Delete, false);

    fn judge(asked: Asked, status: u16, kind: &str) -> &'static str {
        let error = (!kind.is_empty()).then(|| Trouble { kind: kind.into(), ..Trouble::default() });
        match item(asked, Item { status, error }) {
            Verdict::Delivered => "delivered",
            Verdict::Ignored => "ignored",
            Verdict::Again(_) => "again",
            Verdict::Poison(_) => "poison",
            Verdict::Stop(_) => "stop",
        }
    }

    #[test]
    fn every_kind_of_answer_for_a_record_has_its_end() {
        let table = [
            (PUT, 201, "", "delivered"),
            (PUT, 200, "", "delivered"),
            (DELETE, 404, "", "delivered"),
            (DELETE, 404, "index_not_found_exception", "delivered"),
            (VERSIONED, 409, "version_conflict_engine_exception", "ignored"),
            (asked(Op::Delete, true), 409, "version_conflict_engine_exception", "ignored"),
            (CREATE, 409, "version_conflict_engine_exception", "ignored"),
            (MERGE, 409, "version_conflict_engine_exception", "again"),
            (PUT, 409, "version_conflict_engine_exception", "again"),
            (PUT, 429, "es_rejected_execution_exception", "again"),
            (PUT, 429, "circuit_breaking_exception", "again"),
            (PUT, 403, "cluster_block_exception", "again"),
            (PUT, 429, "cluster_block_exception", "again"),
            (PUT, 503, "unavailable_shards_exception", "again"),
            (PUT, 503, "", "again"),
            (PUT, 500, "null_pointer_exception", "again"),
            (PUT, 400, "validation_exception", "again"),
            (PUT, 400, "mapper_parsing_exception", "poison"),
            (PUT, 400, "document_parsing_exception", "poison"),
            (PUT, 400, "strict_dynamic_mapping_exception", "poison"),
            (PUT, 400, "illegal_argument_exception", "poison"),
            (PUT, 400, "action_request_validation_exception", "poison"),
            (PUT, 400, "invalid_index_name_exception", "poison"),
            (PUT, 413, "", "poison"),
            (MERGE, 404, "document_missing_exception", "poison"),
            (PUT, 404, "index_not_found_exception", "stop"),
            (PUT, 400, "index_closed_exception", "stop"),
            (PUT, 403, "security_exception", "stop"),
            (PUT, 401, "", "stop"),
        ];
        for (asked, status, kind, expected) in table {
            assert_eq!(judge(asked, status, kind), expected, "{asked:?} {status} {kind}");
        }
        let reason = Some("only write ops with an op_type of create are allowed in data streams".into());
        let error = Some(Trouble { kind: "illegal_argument_exception".into(), reason, caused_by: None });
        assert!(matches!(item(PUT, Item { status: 400, error }), Verdict::Stop(_)), "a data stream");
    }

    #[test]
    fn a_whole_request_is_refused_for_one_of_its_records_or_for_all() {
        let error = br#"{"error":{"type":"parse_exception","reason":"no"},"status":400}"#;
        let block = br#"{"error":{"type":"cluster_block_exception"}}"#;
        let table: [(u16, &[u8], &str); 10] = [
            (429, b"", "Again"),
            (503, b"<html>", "Again"),
            (502, error, "Again"),
            (403, block, "Again"),
            (413, b"<html>", "Split { reason: \"status 413\", too_large: true"),
            (400, error, "Split { reason: \"status 400: parse_exception: no\", too_large: false"),
            (400, b"<html>", "Stop"),
            (401, error, "Stop"),
            (404, b"", "Stop"),
            (302, b"", "Stop"),
        ];
        for (status, body, expected) in table {
            let answer = format!("{:?}", whole(status, body));
            assert!(answer.starts_with(expected), "{status}: {answer}");
        }
    }

    #[test]
    fn reasons_are_the_servers_words() {
        let body = br#"{"items":[{"update":{"status":400,"error":{"type":"document_parsing_exception",
            "reason":"[1:6] failed to parse field [n]","caused_by":{"reason":"For input string: \"x\""}}}}]}"#;
        let bulk: Bulk = serde_json::from_slice(body).expect("an answer");
        let verdicts: Vec<_> = bulk.items.into_iter().map(|line| item(MERGE, line.index)).collect();
        let reason = "status 400: document_parsing_exception: [1:6] failed to parse field [n]: For input string: \"x\"";
        assert_eq!(verdicts, [Verdict::Poison(reason.into())]);
    }
}
