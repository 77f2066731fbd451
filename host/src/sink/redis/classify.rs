//! What an error of Redis means for a record, or for a whole request. Pure.
//!
//! As with Elasticsearch, the line is drawn by who can help: the server by itself, in time (send again); nobody (dead
//! letter); a person (stop).

use super::encode::tag;
use crate::{
    redis_client::{Meaning, meaning},
    sink::worker::Verdict,
};

/// An error as Redis words it: a code in capitals, and a text.
pub(super) fn error(code: &str, text: &str, record: u8) -> Verdict {
    let reason = if text.is_empty() { code.to_owned() } else { format!("{code} {text}") };
    match meaning(code, text) {
        Meaning::Passes => Verdict::Again(reason),
        Meaning::Stops => Verdict::Stop(reason),
        Meaning::Refuses if record == tag::ENTRY && text.contains("equal or smaller") => Verdict::Ignored,
        Meaning::Refuses => Verdict::Poison(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_end() {
        let table = [
            ("LOADING", "Redis is loading the dataset in memory", "Again"),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", "Again"),
            ("READONLY", "You can't write against a read only replica.", "Again"),
            ("BUSY", "Redis is busy running a script.", "Again"),
            ("MISCONF", "Redis is configured to save RDB snapshots", "Again"),
            ("NOREPLICAS", "Not enough good replicas to write.", "Again"),
            ("CLUSTERDOWN", "The cluster is down", "Again"),
            ("ERR", "max number of clients reached", "Again"),
            ("WRONGTYPE", "Operation against a key holding the wrong kind of value", "Poison"),
            ("ERR", "value is not an integer or out of range", "Poison"),
            ("NOSCRIPT", "No matching script", "Again"),
            ("NOAUTH", "Authentication required.", "Stop"),
            ("WRONGPASS", "invalid username-password pair", "Stop"),
            ("NOPERM", "this user has no permissions to run the 'set' command", "Stop"),
            ("MOVED", "3999 127.0.0.1:6381", "Stop"),
            ("ERR", "unknown command 'JSON.SET', with args beginning with: 'k'", "Stop"),
        ];
        for (code, text, expected) in table {
            let verdict = error(code, text, tag::WRITE);
            assert!(format!("{verdict:?}").starts_with(expected), "{code} {text}: {verdict:?}");
        }
    }

    #[test]
    fn an_entry_that_is_there_is_ignored_and_no_other_record_is() {
        let text = "The ID specified in XADD is equal or smaller than the target stream top item";
        assert_eq!(error("ERR", text, tag::ENTRY), Verdict::Ignored);
        assert!(matches!(error("ERR", text, tag::WRITE), Verdict::Poison(_)));
    }
}
