//! Any sequence of calls against a model that keeps whole records: what crosses means the same, and has the shape that
//! the contract asks for.

use std::{collections::BTreeMap, io::Write as _};

use proptest::{collection::vec, option, prelude::*};

use super::super::*;
use crate::testing::{Record, Sent as Expected, batch, read};

type Bytes = Vec<u8>;

#[derive(Clone, Debug)]
enum Edit {
    Route(u16),
    Key(Option<Bytes>),
    Value(Option<Bytes>),
    Written(Bytes),
    /// Writing fails half way.
    Failed(Bytes),
    Header(String, Option<Bytes>),
    NoHeaders,
    Timestamp(i64),
    Target(String),
    Op(Op),
    Version(u64),
}

#[derive(Clone, Debug)]
enum Act {
    Keep(Vec<Edit>),
    Reject,
}

const ROUTES: u16 = 3;

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..4)
}

fn edit() -> impl Strategy<Value = Edit> {
    let op = prop_oneof![Just(Op::Put), Just(Op::Create), Just(Op::Merge), Just(Op::Delete)];
    prop_oneof![
        (0..ROUTES).prop_map(Edit::Route),
        option::of(bytes()).prop_map(Edit::Key),
        option::of(bytes()).prop_map(Edit::Value),
        bytes().prop_map(Edit::Written),
        bytes().prop_map(Edit::Failed),
        ("[ab]{0,2}", option::of(bytes())).prop_map(|(name, value)| Edit::Header(name, value)),
        Just(Edit::NoHeaders),
        any::<i64>().prop_map(Edit::Timestamp),
        "[a-z]{0,3}".prop_map(Edit::Target),
        op.prop_map(Edit::Op),
        any::<u64>().prop_map(Edit::Version),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![4 => vec(edit(), 0..4).prop_map(Act::Keep), 1 => Just(Act::Reject)]
}

fn record() -> impl Strategy<Value = Record> {
    let headers = vec((bytes(), option::of(bytes())), 0..3);
    (option::of(bytes()), option::of(bytes()), headers, any::<i64>())
        .prop_map(|(key, value, headers, timestamp)| Record { key, value, headers, timestamp })
}

/// Records, and for each what is done with it, in order: rows never descend.
fn runs() -> impl Strategy<Value = Vec<(Record, Vec<Act>)>> {
    vec((record(), vec(act(), 0..4)), 0..8)
}

/// What is expected of a row: none of its records after a reject. One that is kept after it is a mistake.
fn expected(runs: &[(Record, Vec<Act>)]) -> Option<(Vec<Expected>, Vec<u32>)> {
    let (mut records, mut rejects) = (Vec::new(), Vec::new());
    for (row, (own, acts)) in (0_u32..).zip(runs) {
        let last_reject = acts.iter().rposition(|act| matches!(act, Act::Reject));
        let after = last_reject.map_or(acts.as_slice(), |at| &acts[at + 1..]);
        if last_reject.is_some() {
            rejects.push(row);
            if !after.is_empty() {
                return None;
            }
        }
        records.extend(after.iter().filter_map(|act| match act {
            Act::Keep(edits) => Some(edited(row, own, edits)),
            Act::Reject => None,
        }));
    }
    // Columns of ops and versions are there for all or for none.
    let (ops, versions) =
        (records.iter().any(|record| record.op.is_some()), records.iter().any(|record| record.version.is_some()));
    for record in &mut records {
        let unsaid = if record.value.is_none() { Op::Delete } else { Op::Put };
        record.op = ops.then(|| record.op.unwrap_or(unsaid));
        record.version = versions.then(|| record.version.unwrap_or(0));
    }
    Some((records, rejects))
}

fn edited(row: u32, own: &Record, edits: &[Edit]) -> Expected {
    let Record { key, value, headers, timestamp } = own.clone();
    let route = route_name(0);
    let mut sent = Expected { row, route, key, value, headers, timestamp, target: None, op: None, version: None };
    for edit in edits.iter().cloned() {
        match edit {
            Edit::Route(route) => sent.route = route_name(route),
            Edit::Key(key) => sent.key = key,
            Edit::Value(value) => sent.value = value,
            Edit::Written(value) => sent.value = Some(value),
            Edit::Failed(_) => sent.value.clone_from(&own.value),
            Edit::Header(name, value) => sent.headers.push((name.into_bytes(), value)),
            Edit::NoHeaders => sent.headers.clear(),
            Edit::Timestamp(timestamp) => sent.timestamp = timestamp,
            Edit::Target(target) => sent.target = Some(target),
            Edit::Op(op) => sent.op = Some(op),
            Edit::Version(version) => sent.version = Some(version),
        }
    }
    sent
}

fn route_name(route: u16) -> String {
    format!("route-{route}")
}

fn apply<'o>(sent: Sent<'o>, edit: &Edit) -> Option<Sent<'o>> {
    Some(match edit {
        Edit::Route(route) => sent.route(*route),
        Edit::Key(Some(key)) => sent.key(key),
        Edit::Key(None) => sent.no_key(),
        Edit::Value(Some(value)) => sent.value(value),
        Edit::Value(None) => sent.no_value(),
        Edit::Written(value) => sent.write_value(|out| out.write_all(value)).ok()?,
        Edit::Failed(value) => sent
            .write_value(|out| {
                out.write_all(value).map_err(drop)?;
                Err(())
            })
            .ok()?,
        Edit::Header(name, value) => sent.header(name, value.as_deref()),
        Edit::NoHeaders => sent.no_headers(),
        Edit::Timestamp(timestamp) => sent.timestamp(*timestamp),
        Edit::Target(target) => sent.target(target),
        Edit::Op(op) => sent.op(*op),
        Edit::Version(version) => sent.version(*version),
    })
}

/// The shapes that the host's check asks for.
fn assert_sound(output: &raw::Output) {
    let records = output.rows.len();
    let ascends = |list: &[u32]| list.windows(2).all(|pair| pair[0] < pair[1]);
    let strings = |data: &[u8], ends: &[u32], nulls: &[u32], len: usize| {
        assert_eq!(ends.len(), len);
        assert!(ends.is_sorted() && ascends(nulls), "{ends:?} {nulls:?}");
        assert_eq!(ends.last().map_or(0, |end| *end as usize), data.len());
        assert!(nulls.iter().all(|null| (*null as usize) < len));
    };
    assert!(output.rows.is_sorted());
    assert!(output.routes.is_empty() || output.routes.len() == records);
    for column in [&output.keys, &output.values].into_iter().flatten() {
        strings(&column.data, &column.ends, &column.nulls, records);
        assert!(ascends(&column.kept) && column.kept.len() < records, "a column that only keeps stays away");
        for kept in column.kept.iter().map(|kept| *kept as usize) {
            let begin = if kept == 0 { 0 } else { column.ends[kept - 1] };
            assert_eq!(begin, column.ends[kept], "record {kept} is kept, yet takes room");
        }
    }
    if let Some(targets) = &output.targets {
        strings(&targets.data, &targets.ends, &targets.nulls, records);
    }
    if let Some(headers) = &output.headers {
        assert!(headers.row_ends.len() == records && headers.row_ends.is_sorted());
        let count = headers.row_ends.last().map_or(0, |end| *end as usize);
        strings(&headers.names.data, &headers.names.ends, &headers.names.nulls, count);
        strings(&headers.values.data, &headers.values.ends, &headers.values.nulls, count);
    }
    let lengths = [
        output.timestamps.as_ref().map(Vec::len),
        output.ops.as_ref().map(Vec::len),
        output.versions.as_ref().map(Vec::len),
    ];
    assert!(lengths.into_iter().flatten().all(|len| len == records));
}

proptest! {
    #[test]
    fn what_crosses_means_what_was_asked_for(runs in runs()) {
        // A failed write hands nothing back to go on with: it is the last edit of its record.
        let runs: Vec<(Record, Vec<Act>)> = runs.into_iter().map(|(record, acts)| (record, cut(acts))).collect();
        let records: Vec<Record> = runs.iter().map(|(record, _)| record.clone()).collect();
        let batch = batch(&records);
        let mut out = Output::new(&batch);
        for (row, (_, acts)) in batch.rows().zip(&runs) {
            for act in acts {
                match act {
                    Act::Keep(edits) => drop(edits.iter().try_fold(out.keep(row), apply)),
                    Act::Reject => out.reject(row, "bad"),
                }
            }
        }
        match (out.into_raw(&batch), expected(&runs)) {
            (Ok(output), Some((sent, rejects))) => {
                assert_sound(&output);
                let routes: Vec<String> = (0..ROUTES).map(route_name).collect();
                let done = read(output, &routes, &records);
                prop_assert_eq!(done.records, sent);
                let rejected: BTreeMap<u32, String> = done.rejects.into_iter().collect();
                prop_assert!(rejected.into_keys().eq(rejects));
            }
            (Err(mistake), None) => prop_assert!(mistake.contains("both kept and rejected"), "{}", mistake),
            (answer, expected) => prop_assert!(false, "{:?}, expected {:?}", answer.map(|output| output.rows), expected),
        }
    }
}

fn cut(acts: Vec<Act>) -> Vec<Act> {
    let until_failure = |mut edits: Vec<Edit>| {
        let failure = edits.iter().position(|edit| matches!(edit, Edit::Failed(_)));
        edits.truncate(failure.map_or(edits.len(), |at| at + 1));
        edits
    };
    let cut = |act| match act {
        Act::Keep(edits) => Act::Keep(until_failure(edits)),
        Act::Reject => Act::Reject,
    };
    acts.into_iter().map(cut).collect()
}
