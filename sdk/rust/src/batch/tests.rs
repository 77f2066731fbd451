use super::*;
use crate::testing::{Record, batch};

type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Rows by walking, and each row by its number: two ways that must agree.
fn both_ways(batch: &Batch) -> Vec<KeyAndValue<'_>> {
    let walked: Vec<_> = batch.rows().map(|row| (row.key(), row.value())).collect();
    let looked_up: Vec<_> =
        (0..batch.len() as u32).map(|index| batch.row(index)).map(|row| (row.key(), row.value())).collect();
    assert_eq!(walked, looked_up);
    walked
}

#[test]
fn null_is_not_empty_wherever_it_stands() {
    let records = [
        Record::null(),
        Record::null().with_key(""),
        Record::value("").with_key("k"),
        Record::value("a"),
        Record::null().with_key("l"),
        Record::null(),
        Record::value("bc").with_key(""),
        Record::null(),
    ];
    let batch = batch(&records);
    let expected: Vec<KeyAndValue<'_>> =
        records.iter().map(|record| (record.key.as_deref(), record.value.as_deref())).collect();
    assert_eq!(both_ways(&batch), expected);
}

#[test]
fn a_batch_says_where_it_comes_from_and_a_row_where_it_stood() {
    let mut batch = batch(&[Record::value("a").with_timestamp(-1), Record::value("b").with_timestamp(7)]);
    batch.raw.topic = "orders".into();
    (batch.raw.partition, batch.raw.attempt, batch.raw.offsets) = (3, 2, vec![40, u64::MAX]);
    assert_eq!((batch.topic(), batch.partition(), batch.attempt()), ("orders", 3, 2));
    assert_eq!((batch.len(), batch.is_empty(), batch.rows().len()), (2, false, 2));
    let rows: Vec<_> = batch.rows().map(|row| (row.index(), row.offset(), row.timestamp())).collect();
    assert_eq!(rows, [(0, 40, -1), (1, u64::MAX, 7)]);
}

#[test]
fn headers_keep_order_doubles_and_nulls() {
    let records = [
        Record::value("a"),
        Record::value("b").with_header("h", None).with_header("i", Some(b"")).with_header("h", Some(b"last")),
        Record::value("c"),
        Record::value("d").with_header([0xff], Some(b"x")).with_header("n", Some(b"y")).with_header("n", None),
    ];
    let batch = batch(&records);
    for (row, record) in batch.rows().zip(&records) {
        let read: Vec<_> =
            row.headers().map(|header| (header.name.to_vec(), header.value.map(<[u8]>::to_vec))).collect();
        assert_eq!(read, record.headers, "row {}", row.index());
    }
    let rows: Vec<_> = batch.rows().collect();
    assert_eq!(rows[1].header("h"), Some(&b"last"[..]), "the last of a name counts");
    assert_eq!(rows[1].header("i"), Some(&b""[..]));
    assert_eq!(rows[3].header("n"), None, "the last one is null");
    assert_eq!(rows[0].header("h"), None, "not those of the row below");
}

#[test]
fn columns_that_are_not_read_are_empty_and_rows_are_still_there() {
    let nothing = || BytesColumn { data: vec![], ends: vec![], nulls: vec![] };
    let mut batch = batch(&[Record::value("a").with_key("k").with_header("h", None), Record::null()]);
    (batch.raw.keys, batch.raw.values) = (nothing(), nothing());
    batch.raw.headers = HeaderColumn { row_ends: vec![], names: nothing(), values: nothing() };
    (batch.raw.offsets, batch.raw.timestamps) = (vec![], vec![]);
    assert_eq!(both_ways(&batch), [(None, None), (None, None)]);
    for row in batch.rows() {
        assert_eq!((row.offset(), row.timestamp(), row.headers().count()), (0, 0, 0));
    }
}

/// The host checks what it sends; should it err, a module sees no value rather than a panic in every batch.
#[test]
fn ends_that_lead_nowhere_are_no_value() {
    let mut batch = batch(&[Record::value("abc"), Record::value("d"), Record::value("e")]);
    batch.raw.values.ends = vec![9, 1, 2];
    assert_eq!(both_ways(&batch), [(None, None), (None, None), (None, Some(&b"b"[..]))]);
    batch.raw.headers.row_ends = vec![5, 0, 0];
    let counts: Vec<_> = batch.rows().map(|row| row.headers().take(10).count()).collect();
    assert_eq!(counts[1..], [0, 0]);
}
