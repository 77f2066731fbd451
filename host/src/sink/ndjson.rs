//! `stdout` and `file`: a JSON object per output record, for trying things out and for small jobs.
//!
//! A key or value that is UTF-8 is a string, anything else is base64 under `key_base64` or `value_base64`. A delivery
//! is settled when its lines are handed to the operating system; a file is appended to.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;

use super::{Outcome, Settlement, Sink, SinkError, SinkStats, Ticket};
use crate::{
    batch::Batch,
    output::{Op, Record},
};

/// One line. Fields that say nothing are left out.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, Option<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

/// See the module's documentation.
pub struct NdjsonSink<W: Write + Send> {
    name: String,
    writer: BufWriter<W>,
    settled: Vec<Settlement>,
    stats: Arc<SinkStats>,
}

impl NdjsonSink<io::Stdout> {
    pub fn stdout(name: &str, stats: Arc<SinkStats>) -> Self {
        Self::new(name, io::stdout(), stats)
    }
}

impl NdjsonSink<File> {
    /// Appends to a file, which is made where it is missing.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn file(name: &str, path: &Path, stats: Arc<SinkStats>) -> Result<Self, SinkError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let failed = |error| SinkError { sink: name.into(), reason: format!("{}: {error}", path.display()) };
        Ok(Self::new(name, file.map_err(failed)?, stats))
    }
}

impl<W: Write + Send> NdjsonSink<W> {
    fn new(name: &str, writer: W, stats: Arc<SinkStats>) -> Self {
        Self { name: name.into(), writer: BufWriter::new(writer), settled: Vec::new(), stats }
    }

    fn write(&mut self, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) -> io::Result<()> {
        let mut count = 0;
        for record in records {
            count += 1;
            serde_json::to_writer(&mut self.writer, &line(batch, &record))?;
            self.writer.write_all(b"\n")?;
        }
        self.writer.flush()?;
        SinkStats::add(&self.stats.delivered, count);
        Ok(())
    }
}

fn line<'a>(batch: &'a Batch, record: &Record<'a>) -> Line<'a> {
    fn split(bytes: Option<&[u8]>) -> (Option<&str>, Option<String>) {
        match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => (None, None),
            Some((_, Ok(text))) => (Some(text), None),
            Some((bytes, Err(_))) => (None, Some(BASE64.encode(bytes))),
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ((key, key_base64), (value, value_base64)) = (split(record.key), split(record.value));
    let mut headers = Vec::new();
    record.headers(&mut |name, value| headers.push((text(name), value.map(text))));
    Line {
        topic: &batch.topic,
        partition: batch.partition,
        offset: record.offset(),
        timestamp: record.timestamp,
        key,
        key_base64,
        value,
        value_base64,
        headers,
        op: match record.op {
            Op::Put => None,
            Op::Create => Some("create"),
            Op::Merge => Some("merge"),
            Op::Delete => Some("delete"),
        },
        target: record.target.map(text),
        version: record.version,
    }
}

impl<W: Write + Send> Sink for NdjsonSink<W> {
    fn ready(&mut self) -> bool {
        true
    }

    fn deliver(&mut self, ticket: Ticket, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) {
        let outcome = match self.write(batch, records) {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::Failed(format!("sink `{}`: {error}", self.name)),
        };
        self.settled.push(Settlement { ticket, outcome });
    }

    fn poll(&mut self, settled: &mut Vec<Settlement>) {
        settled.append(&mut self.settled);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::{
        batch::MemoryRows,
        output::{Output, View},
    };

    const TICKET: Ticket = Ticket { batch: 1, sink: 0 };

    fn deliver<W: Write + Send>(sink: &mut NdjsonSink<W>) -> Vec<Settlement> {
        let mut rows = MemoryRows::default();
        rows.push(7, 1, Some(b"k"), Some("ü \"x\"\n".as_bytes()), &[(b"h", None)]);
        rows.push(8, 2, None, Some(b"\xff\x00"), &[]);
        rows.push(9, 3, Some(b""), None, &[]);
        let batch = Batch { topic: "t".into(), partition: 2, epoch: 1, bytes: 0, rows: Rc::new(rows) };
        let output = Output { rows: vec![0, 1, 2], ..Output::default() };
        let view = View { batch: &batch, base: 0, output: &output };
        let mut settled = Vec::new();
        sink.deliver(TICKET, &batch, &mut view.records());
        sink.poll(&mut settled);
        settled
    }

    #[test]
    fn a_line_for_each_record_appended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.ndjson");
        let mut sink = NdjsonSink::file("f", &path, Arc::default()).expect("a sink");
        assert_eq!(deliver(&mut sink), [Settlement { ticket: TICKET, outcome: Outcome::Delivered }]);
        let text = std::fs::read_to_string(&path).expect("lines");
        let lines: Vec<&str> = text.lines().collect();
        let place = r#""topic":"t","partition":2"#;
        assert_eq!(
            lines,
            [
                format!(r#"{{{place},"offset":7,"timestamp":1,"key":"k","value":"ü \"x\"\n","headers":[["h",null]]}}"#),
                format!(r#"{{{place},"offset":8,"timestamp":2,"key":null,"value":null,"value_base64":"/wA="}}"#),
                format!(r#"{{{place},"offset":9,"timestamp":3,"key":"","value":null,"op":"delete"}}"#),
            ]
        );
    }

    #[test]
    fn a_writer_that_fails_stops_the_pipeline_with_its_words() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("no space left"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let settled = deliver(&mut NdjsonSink::new("f", Full, Arc::default()));
        assert_eq!(settled[0].outcome, Outcome::Failed("sink `f`: no space left".into()));
    }
}
