use std::rc::Rc;

use super::*;
use crate::batch::MemoryRows;

fn batch() -> Batch {
    let mut rows = MemoryRows::default();
    rows.push(10, 1, Some(b"k0"), Some(b"v0"), &[(b"h", Some(b"own"))]);
    rows.push(11, 2, None, Some(b"v1"), &[]);
    rows.push(12, 3, Some(b"k2"), None, &[]);
    Batch { topic: "t".into(), partition: 0, epoch: 1, bytes: 0, rows: Rc::new(rows) }
}

fn column(values: &[Option<&[u8]>]) -> BytesColumn {
    let mut column = BytesColumn::default();
    values.iter().for_each(|value| column.push(*value));
    column
}

#[test]
fn absent_columns_keep_the_rows_own() {
    let (batch, output) = (batch(), Output { rows: vec![0, 2], ..Output::default() });
    output.check(3, 1, 10, 1000).expect("valid");
    let seen: Vec<_> = View { batch: &batch, base: 0, output: &output }
        .records()
        .map(|record| (record.key, record.value, record.timestamp, record.op, record.offset()))
        .collect();
    assert_eq!(seen, [(Some(&b"k0"[..]), Some(&b"v0"[..]), 1, Op::Put, 10), (Some(b"k2"), None, 3, Op::Delete, 12)]);
}

#[test]
fn edited_columns_mix_kept_null_and_new() {
    let batch = batch();
    let output = Output {
        rows: vec![0, 1, 1, 2],
        values: Some(EditedColumn { column: column(&[Some(b""), Some(b"new"), None, Some(b"")]), kept: vec![0] }),
        ..Output::default()
    };
    output.check(3, 1, 10, 1000).expect("valid");
    let seen: Vec<_> = View { batch: &batch, base: 0, output: &output }.records().map(|record| record.value).collect();
    assert_eq!(seen, [Some(&b"v0"[..]), Some(b"new"), None, Some(b"")]);
}

#[test]
fn headers_are_the_rows_own_until_set() {
    let batch = batch();
    let headers_of = |output: &Output| {
        let mut seen = vec![];
        for record in (View { batch: &batch, base: 0, output }).records() {
            record.headers(&mut |name, value| seen.push((record.index, name.to_vec(), value.map(<[u8]>::to_vec))));
        }
        seen
    };
    let mut output = Output { rows: vec![0], ..Output::default() };
    assert_eq!(headers_of(&output), [(0, b"h".to_vec(), Some(b"own".to_vec()))]);
    output.headers = Some(HeaderColumn { row_ends: vec![0], ..HeaderColumn::default() });
    assert_eq!(headers_of(&output), []);
}

#[test]
fn a_part_of_a_batch_is_read_from_its_base() {
    let (batch, output) = (batch(), Output { rows: vec![0], ..Output::default() });
    let record = View { batch: &batch, base: 2, output: &output }.records().next().expect("one record");
    assert_eq!((record.row, record.offset()), (2, 12));
}

#[test]
fn counts_rows_dropped_on_purpose_once() {
    let output =
        Output { rows: vec![0, 0, 3], rejects: vec![Reject { row: 1, reason: String::new() }], ..Output::default() };
    assert_eq!(output.dropped(6), 3);
}

#[test]
fn refuses_what_a_module_must_not_say() {
    let check = |output: Output| output.check(3, 2, 4, 200).expect_err("must be refused").to_string();
    let one = || Output { rows: vec![0], ..Output::default() };
    let values = |column, kept| Some(EditedColumn { column, kept });
    let cases = [
        (Output { rows: vec![1, 0], ..Output::default() }, "never descend"),
        (Output { rows: vec![3], ..Output::default() }, "`rows[0]` is 3, but must be below 3"),
        (Output { rows: vec![0; 5], ..Output::default() }, "above the limit of 4"),
        (Output { routes: vec![2], ..one() }, "`routes[0]` is 2, but must be below 2"),
        (Output { routes: vec![0, 0], ..one() }, "2 entries where there are 1"),
        (Output { values: values(column(&[]), vec![]), ..one() }, "0 entries where there are 1"),
        (Output { values: values(column(&[Some(b"x")]), vec![0]), ..one() }, "record 0 is kept, yet takes 1"),
        (
            Output { values: values(column(&[Some(b"x")]), vec![1]), ..one() },
            "`values.kept[0]` is 1, but must be below 1",
        ),
        (Output { values: values(column(&[Some(&[0; 200])]), vec![]), ..one() }, "`limits.output` of 200"),
        (
            Output { values: values(BytesColumn { data: vec![1, 2], ends: vec![1], nulls: vec![] }, vec![]), ..one() },
            "the last end is 1, but `data` has 2",
        ),
        (
            Output { keys: values(BytesColumn { data: vec![], ends: vec![0], nulls: vec![0, 0] }, vec![]), ..one() },
            "must ascend, each once",
        ),
        (Output { headers: Some(HeaderColumn::default()), ..one() }, "headers.row-ends"),
        (Output { rejects: vec![Reject { row: 9, reason: String::new() }], ..one() }, "must be below 3"),
        (
            Output { rejects: vec![Reject { row: 0, reason: String::new() }], ..one() },
            "both in `rows` and in `rejects`",
        ),
    ];
    for (output, want) in cases {
        let said = check(output);
        assert!(said.contains(want), "{said:?} does not say {want:?}");
    }
}

#[test]
fn a_mistake_names_the_row_that_it_is_about() {
    let check = |output: Output| output.check(6, 2, 9, 999).expect_err("must be refused").to_string();
    let three = || Output { rows: vec![1, 3, 5], ..Output::default() };
    let bytes = |ends: &[u32], nulls: &[u32]| BytesColumn {
        data: vec![b'x'; ends.last().map_or(0, |end| *end as usize)],
        ends: ends.to_vec(),
        nulls: nulls.to_vec(),
    };
    let edited = |column, kept| Some(EditedColumn { column, kept });
    let headers = |row_ends: &[u32], names, values| Some(HeaderColumn { row_ends: row_ends.to_vec(), names, values });
    let cases = [
        (Output { routes: vec![0, 1, 2], ..three() }, "`routes[2]` is 2, but must be below 2", 2, 5),
        (Output { keys: edited(bytes(&[4, 2, 5], &[]), vec![]), ..three() }, "`keys.ends[1]` is 2 after 4", 1, 3),
        (Output { keys: edited(bytes(&[0, 0, 0], &[2, 1]), vec![]), ..three() }, "`keys.nulls[1]` is 1 after 2", 1, 3),
        (Output { values: edited(bytes(&[0, 1, 1], &[]), vec![1]), ..three() }, "record 1 is kept, yet takes 1", 1, 3),
        (Output { targets: Some(bytes(&[1, 1, 0], &[])), ..three() }, "`targets.ends[2]` is 0 after 1", 2, 5),
        (
            Output { headers: headers(&[1, 0, 0], bytes(&[], &[]), bytes(&[], &[])), ..three() },
            "`headers.row-ends[1]` is 0 after 1",
            1,
            3,
        ),
        (
            Output { headers: headers(&[1, 1, 3], bytes(&[1, 2, 3], &[]), bytes(&[1, 2, 1], &[])), ..three() },
            "`headers.values.ends[2]` is 1 after 2",
            2,
            5,
        ),
    ];
    for (output, what, record, row) in cases {
        let said = check(output);
        let place = format!("(output record {record}, made of row {row})");
        assert!(said.contains(what) && said.ends_with(&place), "{said:?} does not say {what:?} {place:?}");
    }
}
