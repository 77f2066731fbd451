use std::{rc::Rc, time::Duration};

use super::*;
use crate::{
    batch::MemoryRows,
    columns::BytesColumn,
    config::{BulkPolicy, ElasticsearchSink},
    output::{Output, View},
    sink::{
        Rejected,
        delivery::{self, Desk},
    },
};

fn sink(id: Option<&str>, op: Option<Op>) -> ElasticsearchSink {
    ElasticsearchSink {
        urls: vec!["http://127.0.0.1:9200".into()],
        index: "Logs-{time:%Y.%m.%d}".parse().expect("a template"),
        auth: None,
        id: id.map(|id| id.parse().expect("a template")),
        op,
        versions: Versions::Module,
        batch: BulkPolicy::default(),
        workers: 1,
        ca: None,
        timeout: Duration::from_secs(1),
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    key: &'a [u8],
    value: &'a [u8],
    op: Op,
    version: u64,
    target: Option<&'a str>,
}

const ROW: Row<'_> = Row { key: b"k", value: b"{}", op: Op::Put, version: 7, target: None };

/// The lines of one record for each row, each with its tag, and what was rejected.
fn encode(sink: &ElasticsearchSink, rows: &[Row<'_>], versions: bool) -> (Vec<String>, Vec<Rejected>) {
    let (mut memory, mut targets) = (MemoryRows::default(), BytesColumn::default());
    for (index, row) in rows.iter().enumerate() {
        memory.push(40 + index as i64, 1_700_000_000_000, Some(row.key), Some(row.value), &[]);
        targets.push(row.target.map(str::as_bytes));
    }
    let batch = Batch { topic: "t.x".into(), partition: 3, epoch: 1, bytes: 0, rows: Rc::new(memory) };
    let output = Output {
        rows: (0..rows.len() as u32).collect(),
        ops: Some(rows.iter().map(|row| row.op).collect()),
        targets: Some(targets),
        versions: versions.then(|| rows.iter().map(|row| row.version).collect()),
        ..Output::default()
    };
    lines(sink, &batch, &output)
}

fn lines(sink: &ElasticsearchSink, batch: &Batch, output: &Output) -> (Vec<String>, Vec<Rejected>) {
    let desk = Desk::new("es", std::sync::Arc::default());
    let mut encoder = Encoder::new(sink);
    let view = View { batch, base: 0, output };
    let (payload, rejected) = delivery::encode(&desk, &mut encoder, batch, &mut view.records());
    let text = |index| String::from_utf8_lossy(payload.bytes(index)).into_owned();
    ((0..payload.len()).map(text).collect(), rejected)
}

#[test]
fn each_op_has_its_action_and_only_some_take_versions() {
    let rows = [Op::Put, Op::Create, Op::Merge, Op::Delete].map(|op| Row { op, value: br#"{"a":1}"#, ..ROW });
    let place = r#""_index":"logs-2023.11.14","_id":"k""#;
    let (plain, _) = encode(&sink(Some("{key}"), None), &rows, false);
    assert_eq!(
        plain,
        [
            format!("{{\"index\":{{{place}}}}}\n{{\"a\":1}}\n"),
            format!("{{\"create\":{{{place}}}}}\n{{\"a\":1}}\n"),
            format!(
                "{{\"update\":{{{place},\"retry_on_conflict\":3}}}}\n{{\"doc\":{{\"a\":1}},\"doc_as_upsert\":true}}\n"
            ),
            format!("{{\"delete\":{{{place}}}}}\n"),
        ]
    );
    let (versioned, _) = encode(&sink(Some("{key}"), None), &rows, true);
    let version = r#","version":7,"version_type":"external"}}"#;
    let has: Vec<bool> = versioned.iter().map(|lines| lines.contains(version)).collect();
    assert_eq!(has, [true, false, false, true]);
    let offsets = ElasticsearchSink { versions: Versions::Offset, ..sink(Some("{key}"), None) };
    let (own, _) = encode(&offsets, &rows, true);
    assert_eq!(own, versioned, "what the module says goes first");
    let (lines, _) = encode(&offsets, &rows, false);
    let by_offset: Vec<bool> =
        lines.iter().map(|lines| lines.contains(r#","version_type":"external_gte"}}"#)).collect();
    assert_eq!(by_offset, [true, false, false, true]);
    assert!(lines[3].contains(r#""version":43,"#), "{lines:?}");
    let (created, _) = encode(&sink(Some("{key}"), Some(Op::Create)), &rows[..1], true);
    assert!(created[0].starts_with("{\"create\":") && !created[0].contains("version"), "{created:?}");
}

#[test]
fn any_id_comes_through_json_as_it_was() {
    let ids = ["plain", "with \"quotes\" and \\", "ünï/ cödé \u{1F980}", "line\nend\tand\u{1}", &"x".repeat(512)];
    let rows: Vec<Row<'_>> = ids.iter().map(|id| Row { key: id.as_bytes(), ..ROW }).collect();
    let (lines, rejected) = encode(&sink(Some("{key}"), None), &rows, false);
    assert_eq!(rejected, []);
    for (id, lines) in ids.iter().zip(lines) {
        assert_eq!(lines.matches('\n').count(), 2, "{lines:?}");
        let action: serde_json::Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
        assert_eq!(action["index"]["_id"], *id);
    }
}

#[test]
fn without_an_id_a_record_is_named_after_its_place_and_its_number() {
    let mut memory = MemoryRows::default();
    (40..42).for_each(|offset| memory.push(offset, 0, None, Some(b"{}"), &[]));
    let batch = Batch { topic: "t".into(), partition: 3, epoch: 1, bytes: 0, rows: Rc::new(memory) };
    let output = Output { rows: vec![0, 0, 0, 1], ..Output::default() };
    let (lines, _) = lines(&sink(None, None), &batch, &output);
    let ids: Vec<bool> = ["t-3-40\"", "t-3-40-1\"", "t-3-40-2\"", "t-3-41\""]
        .iter()
        .zip(&lines)
        .map(|(id, lines)| lines.contains(&format!("\"_id\":\"{id}")))
        .collect();
    assert_eq!(ids, [true; 4], "{lines:?}");
}

#[test]
fn a_document_is_one_line_and_its_strings_are_untouched() {
    let pretty = b"{\n  \"a\": \"x\\ny\",\r\n  \"b\": [\n1]\n}\n";
    let (lines, _) = encode(&sink(None, None), &[Row { value: pretty, ..ROW }], false);
    let document = lines[0].lines().nth(1).expect("a document");
    assert_eq!(lines[0].matches('\n').count(), 2);
    let (one_line, as_it_was): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(document).expect("JSON"), serde_json::from_slice(pretty).expect("JSON"));
    assert_eq!(one_line, as_it_was);
}

#[test]
fn what_would_spoil_the_whole_request_is_rejected_alone() {
    let merge = Row { op: Op::Merge, ..ROW };
    let long = "x".repeat(513);
    let table = [
        (Row { value: b"[1]", ..ROW }, "no JSON object"),
        (Row { value: b"", ..ROW }, "no JSON object"),
        (Row { value: b"plain text", ..ROW }, "no JSON object"),
        (Row { value: b"{\"a\":\"\n\"}", ..ROW }, "no valid JSON"),
        (Row { value: b"{\"a\":1}\n{\"b\":2}", ..ROW }, "no valid JSON"),
        (Row { value: b"{\"a\":1},\"script\":{}", ..merge }, "no valid JSON"),
        (Row { value: b"{\"a\":", ..merge }, "no valid JSON"),
        (Row { value: b"{\"a\":\"\xff\"}", ..merge }, "no valid JSON"),
        (Row { key: b"", ..ROW }, "id of the document is empty"),
        (Row { key: b"\xff", ..ROW }, "not UTF-8"),
        (Row { key: long.as_bytes(), ..ROW }, "has 513 bytes, 512 are allowed"),
        (Row { version: u64::MAX, ..ROW }, "version 18446744073709551615 is above"),
        (Row { target: Some("a/b"), ..ROW }, "\"a/b\" is no name for an index"),
        (Row { target: Some("_all"), ..ROW }, "no name for an index"),
    ];
    for (row, reason) in table {
        let (lines, rejected) = encode(&sink(Some("{key}"), None), &[ROW, row, ROW], true);
        assert_eq!((lines.len(), rejected.len(), rejected[0].row), (2, 1, 1), "{reason}");
        assert!(rejected[0].reason.starts_with("sink `es`: ") && rejected[0].reason.contains(reason), "{rejected:?}");
        assert_eq!(lines[0].replace("k", ""), lines[1].replace("k", ""), "{reason}");
    }
}

#[test]
fn a_target_is_the_index() {
    let (lines, _) = encode(&sink(None, None), &[Row { target: Some("Audit"), ..ROW }, ROW], false);
    let has: Vec<bool> = lines.iter().map(|lines| lines.contains("\"_index\":\"audit\"")).collect();
    assert_eq!(has, [true, false]);
}
