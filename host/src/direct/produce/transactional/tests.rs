use std::{
    collections::{HashMap, VecDeque},
    sync::mpsc::{self, Receiver},
};

use bytes::Bytes;

use super::*;
use crate::{
    direct::{
        api::{
            PRODUCE,
            transactions::{ADD_OFFSETS, ADD_PARTITIONS, COMMIT_OFFSETS, END, FIND_COORDINATOR},
        },
        fake::{Fake, Says},
        produce::tests::{answer, ends, produce},
        records,
        wire::{Reader, Write as _},
    },
    kafka::{Failure, Membership, Partition},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a request asks for, as words.
fn said(key: i16, body: &[u8]) -> String {
    let mut reader = Reader::new(body);
    let asks = |reader: &mut Reader<'_>| {
        assert_eq!((reader.text(), reader.i64(), reader.i16()), (Ok("id"), Ok(7), Ok(0)));
    };
    match key {
        key if key == FIND_COORDINATOR.key => {
            format!("find {} {}", reader.text().expect("a name"), reader.i8().expect("a kind"))
        }
        key if key == ADD_PARTITIONS.key => {
            asks(&mut reader);
            assert_eq!((reader.len(), reader.text(), reader.len()), (Ok(1), Ok("t"), Ok(1)));
            format!("add {}", reader.i32().expect("a partition"))
        }
        key if key == PRODUCE.key => {
            assert_eq!(reader.nullable_text(), Ok(Some("id")));
            assert_eq!(
                (reader.i16(), reader.i32().is_ok(), reader.len(), reader.text(), reader.len()),
                (Ok(-1), true, Ok(1), Ok("t"), Ok(1))
            );
            let (partition, length) = (reader.i32().expect("a partition"), reader.len().expect("a batch"));
            let bytes = Bytes::copy_from_slice(reader.take(length).expect("a batch"));
            let first = i32::from_be_bytes(bytes[53..57].try_into().expect("four bytes"));
            let batch = &records::batches(&bytes).expect("a sound batch")[0];
            assert!(batch.is_transactional() && batch.producer == 7);
            let mut rows = Vec::new();
            let data = batch.rows(0, &mut rows).expect("records");
            let values: Vec<_> =
                rows.iter().map(|row| String::from_utf8_lossy(row.value(&data).expect("a value"))).collect();
            format!("send {partition} {first} {}", values.join(""))
        }
        key if key == ADD_OFFSETS.key => {
            asks(&mut reader);
            format!("add {}", reader.text().expect("a group"))
        }
        key if key == COMMIT_OFFSETS.key => "offsets".into(),
        key if key == END.key => {
            asks(&mut reader);
            assert_eq!(reader.i8(), Ok(1), "a commit");
            "end".into()
        }
        other => format!("request {other}"),
    }
}

fn reply(says: &Says, key: i16, code: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    match key {
        key if key == PRODUCE.key => return answer(0, code),
        key if key == FIND_COORDINATOR.key => {
            bytes.i32(0);
            bytes.i16(code);
            bytes.nullable_text(None);
            bytes.i32(0);
            bytes.text("127.0.0.1");
            bytes.i32(says.port.into());
        }
        key if key == ADD_PARTITIONS.key => {
            bytes.i32(0);
            bytes.len_of(1);
            bytes.text("t");
            bytes.len_of(1);
            bytes.i32(0);
            bytes.i16(code);
        }
        key if key == COMMIT_OFFSETS.key => {
            bytes.no_tags();
            bytes.i32(0);
            bytes.compact_len_of(1);
            bytes.compact_text(Some("in"));
            bytes.compact_len_of(1);
            bytes.i32(0);
            bytes.i16(code);
            (0..3).for_each(|_| bytes.no_tags());
        }
        _ => {
            bytes.i32(0);
            bytes.i16(code);
        }
    }
    bytes
}

/// A broker that coordinates everything, and a producer that has taken over. Requests of a kind are answered with these
/// codes first, one after the other; `None` breaks the connection.
fn broker(codes: &[(i16, &[Option<i16>])], properties: &[(&str, &str)]) -> (Fake, DirectProducer, Receiver<String>) {
    let (tell, told) = mpsc::sync_channel(100);
    let mut codes: HashMap<i16, VecDeque<Option<i16>>> =
        codes.iter().map(|(key, codes)| (*key, codes.iter().copied().collect())).collect();
    let mut fake = Fake::start(11, move |says, key, body| {
        tell.send(said(key, body)).ok();
        let code = codes.get_mut(&key).and_then(VecDeque::pop_front).unwrap_or(Some(0));
        code.map(|code| reply(says, key, code))
    });
    fake.settings.properties.extend(properties.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    let mut producer = DirectProducer::transactional(&fake.settings, "id", &fake.ground).expect("a producer");
    producer.topic(b"t").expect("a topic");
    producer.take_over(TIMEOUT).expect("taken over");
    (fake, producer, told)
}

fn send(producer: &mut DirectProducer, values: &[&str]) -> Vec<(u64, Failure)> {
    let topic = producer.topic(b"t").expect("a topic");
    produce(producer, topic, values);
    ends(producer, values.len())
}

fn offsets() -> Option<Offsets> {
    let member = Membership { group: "g".into(), generation: 5, member: "m".into(), instance: None };
    Some((member, vec![(Partition { topic: "in".into(), partition: 0 }, 9)]))
}

fn all(told: &Receiver<String>) -> Vec<String> {
    told.try_iter().collect()
}

#[test]
fn a_partition_is_added_before_the_first_batch_of_each_transaction_and_sequences_go_on() {
    let (_fake, mut producer, told) = broker(&[], &[]);
    assert_eq!(send(&mut producer, &["a", "b"]), []);
    assert_eq!(send(&mut producer, &["c"]), []);
    producer.commit(None, TIMEOUT).expect("committed");
    assert_eq!(all(&told), ["find id 1", "add 0", "send 0 0 ab", "send 0 2 c", "end"]);
    assert_eq!(send(&mut producer, &["d"]), []);
    producer.commit(offsets(), TIMEOUT).expect("committed");
    assert_eq!(all(&told), ["add 0", "send 0 3 d", "add g", "find g 0", "offsets", "end"]);
    // Nothing was begun that would have an end.
    producer.commit(None, TIMEOUT).expect("nothing to commit");
    assert_eq!(all(&told), [] as [String; 0]);
    // The group is known by now, and added while records are on their way.
    assert_eq!(send(&mut producer, &["e"]), []);
    producer.commit(offsets(), TIMEOUT).expect("committed");
    let mut last = all(&told);
    let group = last.iter().position(|one| one == "add g").expect("the group is added");
    last.remove(group);
    assert_eq!(last, ["add 0", "send 0 4 e", "offsets", "end"]);
}

#[test]
fn a_coordinator_that_is_busy_moves_or_breaks_is_asked_again() {
    const LOADING: Option<i16> = Some(14);
    const NOT_COORDINATOR: Option<i16> = Some(16);
    const CONCURRENT: Option<i16> = Some(51);
    let codes: [(i16, &[_]); 5] = [
        (FIND_COORDINATOR.key, &[Some(15)]),
        (ADD_PARTITIONS.key, &[CONCURRENT, CONCURRENT, NOT_COORDINATOR]),
        (ADD_OFFSETS.key, &[CONCURRENT, None, LOADING]),
        (COMMIT_OFFSETS.key, &[NOT_COORDINATOR]),
        (END.key, &[NOT_COORDINATOR, CONCURRENT]),
    ];
    let (_fake, mut producer, told) = broker(&codes, &[]);
    assert_eq!(send(&mut producer, &["a"]), []);
    producer.commit(offsets(), TIMEOUT).expect("committed");
    let expected = [
        "find id 1",
        "find id 1",
        "add 0",
        "add 0",
        "add 0",
        "find id 1",
        "add 0",
        "send 0 0 a",
        "add g",
        "add g",
        "find id 1",
        "add g",
        "add g",
        "find g 0",
        "offsets",
        "find g 0",
        "offsets",
        "end",
        "find id 1",
        "end",
        "end",
    ];
    assert_eq!(all(&told), expected);
}

/// The first request may be read when the next transaction is open, and would end that.
#[test]
fn a_commit_whose_answer_is_lost_is_not_repeated() {
    for (key, last) in [(COMMIT_OFFSETS.key, "offsets"), (END.key, "end")] {
        let (_fake, mut producer, told) = broker(&[(key, &[None])], &[]);
        assert_eq!(send(&mut producer, &["a"]), []);
        let error = producer.commit(offsets(), TIMEOUT).expect_err("not known");
        assert!(!error.is_configuration && error.to_string().contains("not known"), "{error}");
        let asked = all(&told);
        assert_eq!(asked.last().map(String::as_str), Some(last));
        assert_eq!(asked.iter().filter(|one| *one == last).count(), 1, "{asked:?}");
    }
}

#[test]
fn a_producer_that_is_fenced_sends_and_commits_no_more() {
    const FENCED: i16 = 90;
    const STALE_EPOCH: i16 = 47;
    const BAD_STATE: i16 = 48;
    const OUT_OF_ORDER: i16 = 45;
    for code in [FENCED, STALE_EPOCH, BAD_STATE, OUT_OF_ORDER] {
        let (_fake, mut producer, told) = broker(&[(PRODUCE.key, &[Some(code)])], &[]);
        let failed = send(&mut producer, &["a"]);
        assert!(matches!(&failed[..], [(0, Failure::Transient(_))]), "{failed:?}");
        let failed = send(&mut producer, &["b"]);
        assert!(matches!(&failed[..], [(0, Failure::Transient(_))]), "{failed:?}");
        let error = producer.commit(offsets(), TIMEOUT).expect_err("spoiled");
        assert!(!error.is_configuration && error.to_string().contains("t[0]"), "{error}");
        assert_eq!(all(&told), ["find id 1", "add 0", "send 0 0 a"]);
    }
}

#[test]
fn a_refused_record_spoils_its_transaction() {
    const INVALID: i16 = 87;
    let (_fake, mut producer, told) = broker(&[(PRODUCE.key, &[Some(INVALID), Some(INVALID)])], &[]);
    let failed = send(&mut producer, &["a", "b"]);
    assert!(matches!(&failed[..], [(0, Failure::Record(_))]), "{failed:?}");
    producer.commit(offsets(), TIMEOUT).expect_err("spoiled");
    assert_eq!(all(&told), ["find id 1", "add 0", "send 0 0 ab", "send 0 0 a", "send 0 0 b"]);
}

#[test]
fn a_member_that_is_none_any_more_commits_nothing() {
    const ILLEGAL_GENERATION: i16 = 22;
    let (_fake, mut producer, told) = broker(&[(COMMIT_OFFSETS.key, &[Some(ILLEGAL_GENERATION)])], &[]);
    assert_eq!(send(&mut producer, &["a"]), []);
    let error = producer.commit(offsets(), TIMEOUT).expect_err("denied");
    assert!(!error.is_configuration, "{error}");
    assert_eq!(all(&told).last().map(String::as_str), Some("offsets"), "and no end");
}

#[test]
fn what_a_person_has_to_change_is_told_apart_from_what_passes() {
    const CONCURRENT: i16 = 51;
    const BAD_TIMEOUT: i16 = 50;
    const ID_DENIED: i16 = 53;
    let (fake, mut producer, _told) = broker(&[(ADD_PARTITIONS.key, &[Some(ID_DENIED)])], &[]);
    let failed = send(&mut producer, &["a"]);
    assert!(matches!(&failed[..], [(0, Failure::Configuration(_))]), "{failed:?}");
    for (code, is_configuration) in [(CONCURRENT, false), (BAD_TIMEOUT, true), (ID_DENIED, true)] {
        fake.says.identity_code.store(code, SeqCst);
        let next = DirectProducer::transactional(&fake.settings, "id", &fake.ground).expect("a producer");
        let error = next.take_over(Duration::from_millis(100)).expect_err("denied");
        assert_eq!(error.is_configuration, is_configuration, "{error}");
    }
}

#[test]
fn nothing_waits_for_more_once_the_transaction_is_closed() {
    let (_fake, mut producer, told) = broker(&[], &[("linger.ms", "60000")]);
    let topic = producer.topic(b"t").expect("a topic");
    for (first, value) in [(0, "a"), (1, "b")] {
        produce(&mut producer, topic, &[value]);
        producer.poll(Duration::from_millis(50), &mut |report| panic!("{report:?}")).expect("the task goes on");
        producer.hasten();
        assert_eq!(ends(&mut producer, 1), []);
        producer.commit(None, TIMEOUT).expect("committed");
        let sent = format!("send 0 {first} {value}");
        assert_eq!(all(&told).into_iter().filter(|one| one.starts_with("send")).collect::<Vec<_>>(), [sent]);
    }
}
