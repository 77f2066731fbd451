use std::sync::Arc;

use super::*;
use crate::{
    direct::{
        api,
        compression::Codec,
        fake::Fake,
        records::{Builder, Sequence},
        wire::{Reader, Write as _},
    },
    kafka::Partition,
};

/// An answer about partition 0 of `t`.
fn answer(code: i16, aborted: &[(i64, i64)], records: &[u8]) -> Vec<u8> {
    answer_of((0, 100), code, aborted, records)
}

/// The same about a partition that ends at an offset.
fn answer_of((partition, end): (i32, i64), code: i16, aborted: &[(i64, i64)], records: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.i32(0);
    bytes.i16(0);
    bytes.i32(0);
    bytes.len_of(1);
    bytes.text("t");
    bytes.len_of(1);
    bytes.i32(partition);
    bytes.i16(code);
    [end, end, 0].into_iter().for_each(|offset| bytes.i64(offset));
    bytes.len_of(aborted.len());
    aborted.iter().for_each(|(producer, first)| {
        bytes.i64(*producer);
        bytes.i64(*first);
    });
    bytes.i32(-1);
    bytes.len_of(records.len());
    bytes.extend_from_slice(records);
    bytes
}

/// A batch of records with these values, under a producer, with attributes.
fn batch(offset: i64, producer: i64, attributes: i16, records: &[(&[u8], &str)]) -> Vec<u8> {
    let mut builder = Builder::with(Vec::new());
    for (key, value) in records {
        assert!(builder.push(9, Some(key), Some(value.as_bytes()), |_| {}, usize::MAX));
    }
    let sequence = Sequence { producer, epoch: 0, first: 0, transactional: false };
    let mut bytes = builder.finish(Codec::None, sequence).expect("a batch").0;
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The offset that a request asks for.
fn asked(body: &[u8]) -> i64 {
    asked_of(body).2
}

/// Of which partition, and of a leader of which epoch, it asks for which offset.
fn asked_of(body: &[u8]) -> (i32, i32, i64) {
    let mut reader = Reader::new(body);
    reader.take(4 + 4 + 4 + 4 + 1 + 4 + 4).expect("limits");
    assert_eq!((reader.len(), reader.text(), reader.len()), (Ok(1), Ok("t"), Ok(1)));
    let (partition, epoch) = (reader.i32(), reader.i32());
    (partition.expect("a partition"), epoch.expect("its leader's epoch"), reader.i64().expect("an offset"))
}

fn fetcher(fake: &Fake, offset: i64) -> Fetcher {
    let fetcher = Fetcher::start(&fake.settings, &fake.ground).expect("a fetcher");
    let partition = Partition { topic: Arc::from("t"), partition: 0 };
    fetcher.add([(1, partition, offset)].into_iter());
    fetcher
}

/// Offsets and values, until there are so many, or why there are not.
fn read(fetcher: &Fetcher, count: usize) -> Result<Vec<(i64, String)>, String> {
    let mut read = Vec::new();
    while read.len() < count {
        fetcher.receive(Duration::from_secs(1), &mut |chunk| {
            for row in &chunk.rows {
                let value = row.value(&chunk.data).expect("a value");
                read.push((row.offset, String::from_utf8(value.to_vec()).expect("text")));
            }
        })?;
    }
    Ok(read)
}

const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = TRANSACTIONAL | 1 << 5;
const ABORT: &[u8] = &[0, 0, 0, 0];
const COMMIT: &[u8] = &[0, 0, 0, 1];

#[test]
fn records_of_aborted_transactions_are_left_out_and_those_behind_them_are_not() {
    let fake = Fake::start(11, |_, _, body| {
        let log = [
            batch(0, 1, TRANSACTIONAL, &[(b"k", "aborted")]),
            batch(1, 2, TRANSACTIONAL, &[(b"k", "of another")]),
            batch(2, 1, TRANSACTIONAL, &[(b"k", "aborted too")]),
            batch(3, 1, CONTROL, &[(ABORT, "")]),
            batch(4, 1, TRANSACTIONAL, &[(b"k", "of the next")]),
            batch(5, 2, CONTROL, &[(COMMIT, "")]),
            batch(6, 1, CONTROL, &[(COMMIT, "")]),
            // Compaction took away all but what remembers the sequence, and some offsets.
            batch(7, 1, CONTROL, &[]),
            batch(20, 3, 0, &[(b"k", "behind a gap")]),
        ];
        let from = asked(body);
        Some(if from == 0 { answer(0, &[(1, 0)], &log.concat()) } else { answer(0, &[], &[]) })
    });
    let fetcher = fetcher(&fake, 0);
    let expected = [(1, "of another"), (4, "of the next"), (20, "behind a gap")];
    let expected: Vec<_> = expected.iter().map(|(offset, value)| (*offset, (*value).to_owned())).collect();
    assert_eq!(read(&fetcher, 3), Ok(expected));
    assert_eq!(fetcher.end(1), Some(100));
}

#[test]
fn an_offset_that_is_gone_leads_to_the_earliest_and_one_in_a_batch_to_its_rest() {
    const OUT_OF_RANGE: i16 = 1;
    let fake = Fake::start(11, |_, key, body| {
        if key == api::LIST_OFFSETS.key {
            let mut bytes = Vec::new();
            bytes.i32(0);
            bytes.len_of(1);
            bytes.text("t");
            bytes.len_of(1);
            bytes.i32(0);
            bytes.i16(0);
            [-1, 41].into_iter().for_each(|number| bytes.i64(number));
            bytes.i32(0);
            return Some(bytes);
        }
        let records = batch(40, -1, 0, &[(b"k", "gone"), (b"k", "first"), (b"k", "second")]);
        Some(match asked(body) {
            5 => answer(OUT_OF_RANGE, &[], &[]),
            41 => answer(0, &[], &records),
            _ => answer(0, &[], &[]),
        })
    });
    assert_eq!(read(&fetcher(&fake, 5), 2), Ok(vec![(41, "first".into()), (42, "second".into())]));
}

#[test]
fn connections_that_break_and_leaders_that_change_are_asked_again() {
    const NOT_LEADER: i16 = 6;
    const FENCED: i16 = 74;
    let mut answers = [None, Some(NOT_LEADER), Some(FENCED)].into_iter();
    let fake = Fake::start(11, move |_, _, body| {
        assert!(matches!(asked(body), 0 | 1));
        let records = batch(0, -1, 0, &[(b"k", "there")]);
        match answers.next() {
            Some(wrong) => wrong.map(|code| answer(code, &[], &[])),
            None if asked(body) == 0 => Some(answer(0, &[], &records)),
            None => Some(answer(0, &[], &[])),
        }
    });
    assert_eq!(read(&fetcher(&fake, 0), 1), Ok(vec![(0, "there".into())]));
}

#[test]
fn records_in_an_old_format_are_left_to_librdkafka_and_damaged_ones_are_said() {
    let records = |change: fn(&mut Vec<u8>)| {
        let mut bytes = batch(0, -1, 0, &[(b"k", "value")]);
        change(&mut bytes);
        Fake::start(11, move |_, _, _| Some(answer(0, &[], &bytes)))
    };
    let next = |fake: &Fake| {
        let choice = crate::direct::Choice::Auto(fake.ground.clone());
        choice.start("fetch records", |_| Fetcher::check(&fake.settings)).expect("a choice")
    };
    // An old record may be shorter than the head of a batch.
    let old = records(|bytes| {
        bytes[16] = 1;
        bytes.truncate(40);
    });
    let said = read(&fetcher(&old, 0), 1).expect_err("refused");
    assert!(said.contains("format v1"), "{said}");
    assert_eq!(next(&old), None);

    let damaged = records(|bytes| bytes[70] ^= 1);
    let said = read(&fetcher(&damaged, 0), 1).expect_err("refused");
    assert!(said.contains("t[0]: a batch whose checksum is wrong"), "{said}");
    assert_eq!(next(&damaged), Some(()), "which another client does not help");
}

/// A log of which the new leader has another end: what it has in place of what was read is read, nothing is skipped.
#[test]
fn a_new_leader_that_lacks_what_was_read_is_read_from_where_its_log_parts() {
    const FENCED: i16 = 74;
    let of_leader = |epoch: i32, mut batch: Vec<u8>| {
        batch[12..16].copy_from_slice(&epoch.to_be_bytes());
        batch
    };
    let fake = Fake::start(11, move |says, key, body| {
        let leader = &says.leader_epoch;
        if key == api::EPOCH_END.key {
            let mut reader = Reader::new(body);
            assert_eq!((reader.len(), reader.text(), reader.len()), (Ok(1), Ok("t"), Ok(1)));
            assert_eq!((reader.i32(), reader.i32(), reader.i32()), (Ok(0), Ok(1), Ok(0)), "partition, now, then");
            let mut bytes = Vec::new();
            bytes.i32(0);
            bytes.len_of(1);
            bytes.text("t");
            bytes.len_of(1);
            bytes.i16(0);
            [0, 0].into_iter().for_each(|number| bytes.i32(number));
            bytes.i64(2);
            return Some(bytes);
        }
        let old = of_leader(0, batch(0, -1, 0, &[(b"k", "a"), (b"k", "b"), (b"k", "lost")]));
        let new = of_leader(1, batch(2, -1, 0, &[(b"k", "in its place"), (b"k", "d")]));
        Some(match (asked_of(body), leader.load(SeqCst)) {
            ((_, 0, 0), 0) => answer(0, &[], &old),
            ((_, 0, 3), _) => {
                leader.store(1, SeqCst);
                answer(FENCED, &[], &[])
            }
            // Who asks for offset 3 here has not found out, and is given what is behind it.
            ((_, 1, 2 | 3), 1) => answer(0, &[], &new),
            _ => answer(0, &[], &[]),
        })
    });
    let expected = [(0, "a"), (1, "b"), (2, "lost"), (2, "in its place"), (3, "d")];
    let expected: Vec<_> = expected.iter().map(|(offset, value)| (*offset, (*value).to_owned())).collect();
    assert_eq!(read(&fetcher(&fake, 0), 5), Ok(expected));
}

#[test]
fn a_small_part_of_an_answer_does_not_hold_the_rest_and_a_large_one_is_not_copied() {
    let shared = Arc::new(Shared::default());
    let held = || shared.held.load(SeqCst);
    let answer = shared.hold(Bytes::from(vec![0; 8000]));
    let small = shared.hold_part(answer.slice(..999), answer.len());
    drop(answer);
    assert_eq!(held(), 999);
    drop(small);
    assert_eq!(held(), 0);
    let answer = shared.hold(Bytes::from(vec![0; 8000]));
    let large = shared.hold_part(answer.slice(1000..), answer.len());
    assert_eq!(large.as_ptr(), answer[1000..].as_ptr());
    drop(answer);
    assert_eq!(held(), 8000);
}

#[test]
fn nothing_is_asked_for_while_too_much_is_held() {
    let fake = Fake::start(11, |_, _, body| Some(answer(0, &[], &batch(asked(body), -1, 0, &[(b"k", "there")]))));
    let fetcher = Fetcher::start(&fake.settings, &fake.ground).expect("a fetcher");
    let much = fetcher.shared.hold(Bytes::from(vec![0; HELD_MAX]));
    fetcher.add([(1, Partition { topic: Arc::from("t"), partition: 0 }, 0)].into_iter());
    // As long as it takes to learn of the leader, and longer than anything else.
    fetcher.receive(Duration::from_millis(300), &mut |_| panic!("nothing")).expect("no error");
    drop(much);
    assert_eq!(read(&fetcher, 1).map(|read| read[0].clone()), Ok((0, "there".into())));
}

#[test]
fn a_lane_that_sleeps_is_woken_by_records_by_a_failure_and_by_the_end_of_the_task() {
    const HOUR: Duration = Duration::from_secs(3600);
    const FAILED: i16 = 29;
    let fails = Arc::new(AtomicBool::new(false));
    let told_to = Arc::clone(&fails);
    let fake = Fake::start(11, move |_, _, body| {
        let records = if asked(body) == 0 { batch(0, -1, 0, &[(b"k", "there")]) } else { vec![] };
        Some(answer(if told_to.load(SeqCst) { FAILED } else { 0 }, &[], &records))
    });
    let fetcher = fetcher(&fake, 0);
    let (told, heard) = crossbeam_channel::bounded(8);
    // One that nobody wakes sleeps for longer than this test has patience.
    std::thread::spawn(move || {
        let mut ends = 0;
        while ends < 2 {
            let mut chunks = 0;
            let received = fetcher.receive(HOUR, &mut |_| chunks += 1);
            ends += usize::from(received.is_err());
            told.send((chunks, received)).expect("the test listens");
        }
    });
    let next = || heard.recv_timeout(Duration::from_secs(60)).expect("it is woken");
    assert_eq!(next(), (1, Ok(())));
    fails.store(true, SeqCst);
    let (chunks, received) = next();
    assert!(chunks == 0 && received.is_err_and(|said| said.starts_with("t[0]: ")));
    assert_eq!(next(), (0, Err("the fetching task ended".into())));
}

#[test]
fn a_broker_without_records_may_wait_longer_each_time_until_it_has_some_or_partitions_are_added() {
    let (told, waits) = crossbeam_channel::bounded(64);
    let mut answers = 0;
    let fake = Fake::start(11, move |_, _, body| {
        answers += 1;
        told.try_send(i32::from_be_bytes(body[4..8].try_into().expect("four bytes"))).ok();
        let records = batch(asked(body), -1, 0, &[(b"k", "there")]);
        Some(answer(0, &[], if answers == 7 { &records } else { &[] }))
    });
    let fetcher = fetcher(&fake, 0);
    let all: Vec<i32> = waits.iter().take(12).collect();
    assert_eq!(all, [50, 100, 200, 400, 500, 500, 500, 50, 100, 200, 400, 500]);
    fetcher.add([(2, Partition { topic: Arc::from("t"), partition: 1 }, 0)].into_iter());
    // The answer that was under way counts already.
    assert!(waits.iter().take(10_000).any(|wait| wait <= 100));
}

#[test]
fn a_connection_that_was_closed_while_nothing_was_asked_is_made_anew_and_that_is_no_failure() {
    let mut fake = Fake::start(11, |says, _, body| {
        let from = asked(body);
        says.closes.store(from == 0, SeqCst);
        let value = if from < 2 { "x".repeat(2000) } else { String::new() };
        Some(answer(0, &[], &batch(from, -1, 0, &[(b"k", &value)])))
    });
    // The first answer is more than may wait: no more is asked for until it is taken.
    fake.settings.properties.push(("queued.max.messages.kbytes".into(), "1".into()));
    let fetcher = fetcher(&fake, 0);
    fake.says.closed.recv_timeout(Duration::from_secs(60)).expect("it is closed");
    let asked = fake.says.asked.load(SeqCst);
    assert_eq!(read(&fetcher, 2).map(|read| (read[0].0, read[1].0)), Ok((0, 1)));
    assert_eq!(fake.says.asked.load(SeqCst), asked, "who leads is asked again where a fetch fails");
}

#[test]
fn brokers_are_asked_in_turn_where_there_is_no_room_for_the_answers_of_all() {
    let mut fake = Fake::start(11, |_, _, body| {
        let (partition, _, offset) = asked_of(body);
        let records = batch(offset, -1, 0, &[(b"k", &"x".repeat(2000))]);
        Some(answer_of((partition, 100), 0, &[], &records))
    });
    fake.says.partitions.store(2, SeqCst);
    fake.says.brokers.store(2, SeqCst);
    // One answer is more than may wait.
    fake.settings.properties.push(("queued.max.messages.kbytes".into(), "1".into()));
    let fetcher = Fetcher::start(&fake.settings, &fake.ground).expect("a fetcher");
    let begins = [0, 1].map(|partition| (partition as u64, Partition { topic: Arc::from("t"), partition }, 0));
    fetcher.add(begins.into_iter());
    let mut epochs = Vec::new();
    while epochs.len() < 20 {
        fetcher.receive(Duration::from_secs(1), &mut |chunk| epochs.push(chunk.epoch)).expect("no error");
    }
    assert!(epochs.windows(2).all(|two| two[0] != two[1]), "{epochs:?}");
}

/// A broker that has a record at a time. Answers when it was asked, and since when each record is said to wait.
fn trickle(pace: Pace, more: i64) -> (Vec<Instant>, Vec<Instant>) {
    let (told, asks) = crossbeam_channel::bounded(4);
    let fake = Fake::start(11, move |_, _, body| {
        told.try_send(Instant::now()).ok();
        let from = asked(body);
        Some(answer_of((0, from + 1 + more), 0, &[], &batch(from, -1, 0, &[(b"k", "there")])))
    });
    let fetcher = Fetcher::start(&fake.settings, &fake.ground).expect("a fetcher");
    fetcher.set_pace(pace);
    fetcher.add([(1, Partition { topic: Arc::from("t"), partition: 0 }, 0)].into_iter());
    let mut since = Vec::new();
    while since.len() < 4 {
        fetcher.receive(Duration::from_secs(1), &mut |chunk| since.push(chunk.since)).expect("no error");
    }
    (asks.iter().take(4).collect(), since)
}

#[test]
fn a_broker_that_brought_all_it_had_is_left_alone_and_its_next_records_have_waited_since() {
    let pace = Pace { records: 10, bytes: 1 << 20, linger: Duration::from_millis(10) };
    let (asked, since) = trickle(pace, 0);
    assert!(asked.windows(2).all(|two| two[1] - two[0] >= pace.linger), "{asked:?}");
    assert_eq!(since[0] + pace.linger, since[1], "the first was due when it came");
    assert!(since[1..].windows(2).all(|two| two[0] + pace.linger <= two[1]), "{since:?}");
    // More is there, or batches are full as they come: each record waits since it came.
    for (pace, more) in [(pace, 1), (Pace { records: 1, ..pace }, 0), (Pace { bytes: 1, ..pace }, 0)] {
        let (_, since) = trickle(pace, more);
        assert!(since.windows(2).all(|two| two[0] < two[1]), "{pace:?}: {since:?}");
    }
}

#[test]
fn each_partition_stands_first_in_some_request_and_those_of_a_topic_stay_together() {
    let all = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0)];
    let mut first = std::collections::BTreeSet::new();
    for turn in 0..9 {
        let order = super::task::in_turn(all.to_vec(), turn, |one, next| one.0 == next.0);
        first.insert(order[0]);
        let mut topics: Vec<_> = order.iter().map(|one| one.0).collect();
        topics.dedup();
        assert_eq!((order.len(), topics.len()), (6, 3), "{order:?}");
    }
    assert_eq!(first.into_iter().collect::<Vec<_>>(), all);
    assert!(super::task::in_turn(Vec::<u8>::new(), 3, |_, _| true).is_empty());
}

#[test]
fn a_waker_ends_one_wait_and_no_other() {
    const HOUR: Duration = Duration::from_secs(3600);
    let fake = Fake::start(11, |_, _, _| Some(answer(0, &[], &[])));
    let fetcher = fetcher(&fake, 0);
    let waker = fetcher.waker();
    let (told, heard) = crossbeam_channel::bounded(8);
    std::thread::spawn(move || {
        while fetcher.receive(HOUR, &mut |_| panic!("nothing is there")).is_ok() {
            told.send(()).expect("the test listens");
        }
    });
    for _ in 0..3 {
        waker.wake_by_ref();
        heard.recv_timeout(Duration::from_secs(60)).expect("the wait ends");
        assert!(heard.try_recv().is_err(), "and the next one does not");
    }
}
