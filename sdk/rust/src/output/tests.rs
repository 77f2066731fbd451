mod model;

use std::io::Write as _;

use super::*;
use crate::{
    bindings::exports::wasmill::transform::columns::{BytesColumn, EditedColumn, HeaderColumn},
    testing::{Record, batch},
};

fn answer(batch: &Batch, write: impl FnOnce(&[Row<'_>], &mut Output)) -> Result<raw::Output, String> {
    let mut out = Output::new(batch);
    write(&batch.rows().collect::<Vec<_>>(), &mut out);
    out.into_raw(batch)
}

/// A batch of these values.
fn of(values: &[&str]) -> Batch {
    batch(&values.iter().map(Record::value).collect::<Vec<_>>())
}

fn none() -> BytesColumn {
    BytesColumn { data: vec![], ends: vec![], nulls: vec![] }
}

#[test]
fn what_is_only_kept_copies_nothing_back() {
    let batch = of(&["a", "b", "c", "d"]);
    let output = answer(&batch, |rows, out| {
        assert!(out.is_empty());
        for row in [0, 2, 2, 3] {
            out.keep(rows[row]);
        }
        assert_eq!(out.len(), 4);
    });
    let output = output.expect("an output");
    assert_eq!((output.rows, output.routes), (vec![0, 2, 2, 3], vec![]));
    assert!(output.keys.is_none() && output.values.is_none() && output.headers.is_none());
    assert!(output.timestamps.is_none() && output.targets.is_none() && output.ops.is_none());
    assert!(output.versions.is_none() && output.rejects.is_empty());
    let all = answer(&batch, |_, out| out.keep_all(&batch)).expect("an output");
    assert_eq!(all.rows, [0, 1, 2, 3]);
}

#[test]
fn an_edited_column_lists_what_is_kept_and_what_is_null() {
    let batch = of(&["a", "b", "c", "d", "e"]);
    let output = answer(&batch, |rows, out| {
        out.keep(rows[0]);
        out.keep(rows[1]).value(b"xy");
        out.keep(rows[2]).no_value();
        out.keep(rows[3]).value(b"first").value(b"");
        out.keep(rows[4]);
    });
    let EditedColumn { data, ends, nulls, kept } = output.expect("an output").values.expect("values");
    assert_eq!((data, ends), (b"xy".to_vec(), vec![0, 2, 2, 2, 2]));
    assert_eq!((nulls, kept), (vec![2], vec![0, 4]));
}

#[test]
fn routes_targets_and_versions_fill_up_with_what_unset_means() {
    let batch = of(&["a", "b", "c"]);
    let output = answer(&batch, |rows, out| {
        out.keep(rows[0]);
        out.keep(rows[1]).route(7).target("index-1").version(9);
        out.keep(rows[2]);
    });
    let output = output.expect("an output");
    assert_eq!((output.routes, output.versions), (vec![0, 7, 0], Some(vec![0, 9, 0])));
    let BytesColumn { data, ends, nulls } = output.targets.expect("targets");
    assert_eq!((data, ends, nulls), (b"index-1".to_vec(), vec![0, 7, 7], vec![0, 2]));
}

/// Without the column the host deletes where the value is null: one record's op must not turn tombstones into puts.
#[test]
fn an_op_of_one_record_leaves_the_others_theirs() {
    let batch = batch(&[Record::null(), Record::value("b"), Record::null(), Record::value("d"), Record::null()]);
    let output = answer(&batch, |rows, out| {
        out.keep(rows[0]);
        out.keep(rows[1]).no_value();
        out.keep(rows[2]).value(b"alive again");
        out.keep(rows[3]).op(Op::Create);
        out.keep(rows[4]);
    });
    let ops = output.expect("an output").ops.expect("ops");
    assert_eq!(ops, [raw::Op::Delete, raw::Op::Delete, raw::Op::Put, raw::Op::Create, raw::Op::Delete]);
}

#[test]
fn headers_of_other_records_cross_back_as_they_are() {
    let records = [
        Record::value("a").with_header("own", None),
        Record::value("b").with_header("x", Some(b"1")).with_header("x", Some(b"2")),
        Record::value("c"),
        Record::value("d").with_header("gone", Some(b"")),
        Record::value("e").with_header("last", Some(b"z")),
    ];
    let output = answer(&batch(&records), |rows, out| {
        out.keep(rows[0]);
        out.keep(rows[1]).header("x", Some(b"3")).header("y", None);
        out.keep(rows[2]);
        out.keep(rows[3]).header("in vain", None).no_headers().header("new", Some(b"n"));
        out.keep(rows[4]);
    });
    let HeaderColumn { row_ends, names, values } = output.expect("an output").headers.expect("headers");
    assert_eq!(row_ends, [1, 5, 5, 6, 7]);
    assert_eq!(String::from_utf8_lossy(&names.data), "ownxxxynewlast");
    assert_eq!((names.ends, names.nulls), (vec![3, 4, 5, 6, 7, 10, 14], vec![]));
    assert_eq!(String::from_utf8_lossy(&values.data), "123nz");
    assert_eq!((values.ends, values.nulls), (vec![0, 1, 2, 3, 3, 4, 5], vec![0, 4]));
}

#[test]
fn what_the_plan_does_not_read_cannot_be_lost_silently() {
    let mut batch = of(&["a", "b"]);
    batch.raw.headers = HeaderColumn { row_ends: vec![], names: none(), values: none() };
    batch.raw.timestamps = vec![];
    let refused = |write: fn(&[Row<'_>], &mut Output)| answer(&batch, write).expect_err("a mistake");
    let headers = refused(|rows, out| {
        out.keep(rows[0]).header("h", None);
    });
    assert!(headers.contains("Reads::HEADERS"), "{headers}");
    let others = refused(|rows, out| {
        out.keep(rows[0]).no_headers();
        out.keep(rows[1]);
    });
    assert!(others.contains("Reads::HEADERS"), "{others}");
    let timestamps = refused(|rows, out| {
        out.keep(rows[0]).timestamp(1);
        out.keep(rows[1]);
    });
    assert!(timestamps.contains("Reads::TIMESTAMPS"), "{timestamps}");
    let output = answer(&batch, |rows, out| {
        for row in rows {
            out.keep(*row).no_headers().header("h", None).timestamp(5);
        }
    });
    let output = output.expect("every record has its own");
    assert_eq!(output.headers.expect("headers").row_ends, [1, 2]);
    assert_eq!(output.timestamps, Some(vec![5, 5]));
}

#[test]
fn a_row_that_is_rejected_takes_its_records_back() {
    let batch = of(&["a", "b", "c"]);
    let output = answer(&batch, |rows, out| {
        out.keep(rows[0]);
        for copy in 0..3 {
            out.keep(rows[1]).value(b"half").key(b"k").route(copy).op(Op::Merge).target("t").version(1);
        }
        out.reject(rows[1], "first reason");
        out.reject(rows[1], "second reason");
        out.keep(rows[2]).value(b"z");
    });
    let output = output.expect("an output");
    assert_eq!(output.rows, [0, 2]);
    assert_eq!(output.rejects.len(), 1);
    assert_eq!((output.rejects[0].row, output.rejects[0].reason.as_str()), (1, "first reason"));
    let values = output.values.expect("values");
    assert_eq!((values.data, values.ends, values.kept), (b"z".to_vec(), vec![0, 1], vec![0]));
    assert!(output.keys.is_none() && output.targets.is_none(), "only the row that was taken back had them");
    assert!(output.routes.is_empty() && output.ops.is_none() && output.versions.is_none());
}

#[test]
fn rows_that_descend_or_are_kept_and_rejected_are_mistakes_that_name_them() {
    let batch = of(&["a", "b", "c", "d"]);
    let refused = |write: fn(&[Row<'_>], &mut Output)| answer(&batch, write).expect_err("a mistake");
    let descends = refused(|rows, out| {
        out.keep(rows[2]);
        out.keep(rows[1]);
        out.keep(rows[0]);
    });
    assert_eq!(descends, "row 1 was kept after row 2: keep rows in the order of the batch", "the first one counts");
    let both = |refused: String| assert_eq!(refused, "row 1 was both kept and rejected: it can only be one of them");
    both(refused(|rows, out| {
        out.reject(rows[1], "bad");
        out.keep(rows[1]);
    }));
    both(refused(|rows, out| {
        out.reject(rows[1], "bad");
        out.reject(rows[2], "bad too");
        out.keep(rows[1]);
    }));
    both(refused(|rows, out| {
        out.keep(rows[1]);
        out.keep(rows[2]);
        out.reject(rows[1], "too late");
    }));
    let mut out = Output::new(&batch);
    out.keep(batch.row(1));
    out.keep_all(&batch);
    assert!(out.into_raw(&batch).expect_err("a mistake").contains("row 0 was kept after row 1"));
}

#[test]
fn rejects_come_in_any_order_and_leave_in_that_of_the_rows() {
    let batch = of(&["a", "b", "c", "d"]);
    let output = answer(&batch, |rows, out| {
        [3, 0, 2].into_iter().for_each(|row| out.reject(rows[row], row.to_string()));
        out.keep(rows[1]);
    });
    let rejects: Vec<_> =
        output.expect("an output").rejects.into_iter().map(|reject| (reject.row, reject.reason)).collect();
    assert_eq!(rejects, [(0, "0".into()), (2, "2".into()), (3, "3".into())]);
}

#[test]
fn a_value_that_could_not_be_written_stays_the_rows_own() {
    let batch = of(&["a", "b", "c"]);
    let output = answer(&batch, |rows, out| {
        out.keep(rows[0]).write_value(|value| value.write_all(b"whole")).expect("written");
        let failed = out.keep(rows[1]).write_value(|value| {
            value.write_all(b"half").map_err(|_| "io")?;
            Err("no more")
        });
        assert_eq!(failed.err(), Some("no more"));
        out.keep(rows[2]).value(b"replaced").write_value(|value| write!(value, "{}", 7)).expect("written");
    });
    let values = output.expect("an output").values.expect("values");
    assert_eq!((values.data, values.ends, values.kept), (b"whole7".to_vec(), vec![5, 5, 6], vec![1]));
}
