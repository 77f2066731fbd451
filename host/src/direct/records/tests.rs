use proptest::prelude::*;

use super::*;

type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;
type Record = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Headers);

const SEQUENCE: Sequence = Sequence { producer: 7, epoch: 1, first: 5, transactional: false };

fn build(records: &[Record], codec: Codec) -> Bytes {
    let mut builder = Builder::with(vec![9; 3]);
    for (timestamp, key, value, headers) in records {
        let pushed = builder.push(
            *timestamp,
            key.as_deref(),
            value.as_deref(),
            |visit| {
                headers.iter().for_each(|(name, value)| visit(name, value.as_deref()));
            },
            usize::MAX,
        );
        assert!(pushed);
    }
    assert_eq!(builder.count(), records.len());
    builder.finish(codec, SEQUENCE).expect("a batch").0.into()
}

/// With the base offset that a broker gives it.
fn at(batch: &Bytes, offset: i64) -> Bytes {
    [&offset.to_be_bytes()[..], &batch[8..]].concat().into()
}

fn read(batch: &Fetched, from: i64) -> Vec<(i64, Record)> {
    let mut rows = Vec::new();
    let data = batch.rows(from, &mut rows).expect("records");
    let record = |row: &Row| {
        let mut headers = Vec::new();
        row.headers(&data, &mut |name, value| headers.push((name.to_vec(), value.map(<[u8]>::to_vec))));
        let (key, value) = (row.key(&data).map(<[u8]>::to_vec), row.value(&data).map(<[u8]>::to_vec));
        (row.offset, (row.timestamp, key, value, headers))
    };
    rows.iter().map(record).collect()
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let some = || proptest::option::of(bytes());
    let headers = proptest::collection::vec((bytes(), some()), 0..3);
    proptest::collection::vec((-1_i64..2_000_000_000_000, some(), some(), headers), 1..30)
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in records(), codec in 0..5_i16, offset in 0..i64::from(u32::MAX)) {
        let batch = at(&build(&records, Codec::of(codec).expect("a codec")), offset);
        let found = batches(&batch).expect("batches");
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].next_offset(), offset + records.len() as i64);
        let expected: Vec<_> = (offset..).zip(records.clone()).collect();
        prop_assert_eq!(read(&found[0], 0), expected.clone());
        let from = offset + records.len() as i64 / 2;
        let rest: Vec<_> = expected.into_iter().filter(|(offset, _)| *offset >= from).collect();
        prop_assert_eq!(read(&found[0], from), rest);
    }

    #[test]
    fn a_batch_falls_into_two_with_the_same_records(records in records(), codec in 0..5_i16, cut in 0.0..1.0) {
        let cut = (records.len() as f64 * cut) as usize;
        let (first, second) = split(&build(&records, Codec::of(codec).expect("a codec")), cut).expect("two batches");
        prop_assert_eq!((first.count(), second.count()), (cut, records.len() - cut));
        let mut read_again = Vec::new();
        for half in [first, second].into_iter().filter(|half| half.count() > 0) {
            let batch: Bytes = half.finish(Codec::None, SEQUENCE).expect("a batch").0.into();
            read_again.extend(read(&batches(&batch).expect("batches")[0], 0).into_iter().map(|(_, record)| record));
        }
        prop_assert_eq!(read_again, records);
    }

    /// Whatever a broker sends: an error, or records that can be looked at; never a panic.
    #[test]
    fn damaged_batches_are_refused(records in records(), place in 0.0..1.0, byte: u8, fix: bool) {
        let mut damaged = build(&records, Codec::None).to_vec();
        let place = (damaged.len() as f64 * place) as usize;
        damaged[place] = byte;
        if fix {
            // A checksum that fits, so that what lies behind it is looked at.
            let checksum = crc32c::crc32c(&damaged[CHECKED..]).to_be_bytes();
            damaged[CHECKED - 4..CHECKED].copy_from_slice(&checksum);
        }
        if let Ok(found) = batches(&damaged.into()) {
            for batch in found {
                let mut rows = Vec::new();
                if let Ok(data) = batch.rows(0, &mut rows) {
                    rows.iter().for_each(|row| row.headers(&data, &mut |_, _| {}));
                }
            }
        }
    }
}

#[test]
fn a_batch_that_is_cut_off_comes_again_and_the_ones_before_it_count() {
    let one = build(&[(1, None, Some(b"a".to_vec()), vec![])], Codec::None);
    let two = at(&one, 1);
    let all = [&one[..], &two[..]].concat();
    for cut in one.len()..all.len() {
        assert_eq!(batches(&Bytes::copy_from_slice(&all[..cut])).expect("batches").len(), 1, "{cut}");
    }
    assert_eq!(batches(&Bytes::copy_from_slice(&all)).expect("batches").len(), 2);
}

#[test]
fn a_flipped_bit_and_an_old_format_are_told_apart() {
    let good = build(&[(1, None, Some(b"abc".to_vec()), vec![])], Codec::None);
    let mut flipped = good.to_vec();
    *flipped.last_mut().expect("a byte") ^= 1;
    assert!(matches!(batches(&flipped.into()), Err(RecordsError::Damaged)));
    let mut old = good.to_vec();
    old[16] = 1;
    assert!(matches!(batches(&old.into()), Err(RecordsError::Old(1))));
}

#[test]
fn another_sequence_changes_nothing_else() {
    let records = [(5, Some(b"k".to_vec()), None, vec![])];
    let batch = build(&records, Codec::None);
    let other = Sequence { producer: i64::MAX, epoch: 3, first: 9, transactional: false };
    let again = restamp(&batch, other);
    let found = batches(&again).expect("a sound batch");
    assert_eq!((found[0].producer, batches(&batch).expect("a batch")[0].producer), (i64::MAX, 7));
    assert_eq!(read(&found[0], 0), [(0, records[0].clone())]);
}
