use std::sync::mpsc;

use bytes::Bytes;

use super::*;
use crate::{
    batch::{Batch, MemoryRows},
    direct::{
        fake::Fake,
        records,
        wire::{Reader, Write as _},
    },
    kafka::Failure,
    output::{Op, Output, View},
};

/// What a batch was sent as: producer's epoch, first number of the sequence, and its records' values.
type Sent = (i16, i32, Vec<String>);

/// The batch of a request of one partition.
fn sent(body: &[u8]) -> Sent {
    let mut reader = Reader::new(body);
    reader.nullable_text().expect("no transaction");
    assert_eq!(reader.i16(), Ok(-1), "all in-sync replicas");
    reader.i32().expect("a timeout");
    assert_eq!((reader.len(), reader.text(), reader.len()), (Ok(1), Ok("t"), Ok(1)));
    reader.i32().expect("a partition");
    let length = reader.len().expect("a batch");
    let bytes = Bytes::copy_from_slice(reader.take(length).expect("a batch"));
    let epoch = i16::from_be_bytes(bytes[51..53].try_into().expect("two bytes"));
    let first = i32::from_be_bytes(bytes[53..57].try_into().expect("four bytes"));
    let mut rows = Vec::new();
    let data = records::batches(&bytes).expect("a sound batch")[0].rows(0, &mut rows).expect("records");
    let value = |row: &records::Row| String::from_utf8(row.value(&data).expect("a value").to_vec()).expect("text");
    (epoch, first, rows.iter().map(value).collect())
}

pub(super) fn answer(partition: i32, code: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.len_of(1);
    bytes.text("t");
    bytes.len_of(1);
    bytes.i32(partition);
    bytes.i16(code);
    (0..3).for_each(|_| bytes.i64(0));
    bytes.len_of(0);
    bytes.nullable_text(None);
    bytes.i32(0);
    bytes
}

pub(super) fn produce(producer: &mut DirectProducer, topic: DirectTopic, values: &[&str]) {
    produce_in(producer, topic, None, values);
}

fn produce_in(producer: &mut DirectProducer, topic: DirectTopic, partition: Option<i32>, values: &[&str]) {
    let mut rows = MemoryRows::default();
    values.iter().for_each(|value| rows.push(0, 5, None, Some(value.as_bytes()), &[]));
    let batch = Batch { topic: "in".into(), partition: 0, epoch: 1, bytes: 0, rows: std::rc::Rc::new(rows) };
    let count = values.len() as u32;
    let output = Output { rows: (0..count).collect(), routes: vec![0; values.len()], ..Output::default() };
    let view = View { batch: &batch, output: &output, base: 0 };
    for record in view.records() {
        assert_eq!(record.op, Op::Put);
        producer.produce(topic, partition, &record, ExtraHeaders::NONE, record.row.into()).expect("taken");
    }
    producer.offer();
}

/// Waits for the ends of so many records: those that failed.
pub(super) fn ends(producer: &mut DirectProducer, count: usize) -> Vec<(u64, Failure)> {
    let (mut ended, mut failed) = (0, Vec::new());
    while ended < count {
        let polled = producer.poll(Duration::from_secs(1), &mut |report| {
            ended += report.opaques.len();
            if let Err(failure) = report.outcome {
                failed.extend(report.opaques.iter().map(|opaque| (*opaque, failure.clone())));
            }
        });
        polled.expect("the task goes on");
    }
    failed
}

/// A broker that answers produce requests one after the other so; `None` breaks the connection. What it was sent.
fn broker(answers: &'static [Option<i16>]) -> (Fake, mpsc::Receiver<Sent>) {
    let (tell, told) = mpsc::sync_channel(100);
    let mut answers = answers.iter();
    let fake = Fake::start(11, move |_, _, body| {
        tell.send(sent(body)).ok();
        answers.next().copied().unwrap_or(Some(0)).map(|code| answer(0, code))
    });
    (fake, told)
}

fn values(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn a_batch_whose_answer_is_lost_is_sent_again_as_it_was() {
    const DUPLICATE: i16 = 46;
    const NOT_LEADER: i16 = 6;
    let (fake, told) = broker(&[None, Some(NOT_LEADER), Some(DUPLICATE), Some(0)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a", "b"]);
    assert_eq!(ends(&mut producer, 2), []);
    produce(&mut producer, topic, &["c"]);
    assert_eq!(ends(&mut producer, 1), []);
    let first = (0, 0, values(&["a", "b"]));
    let all: Vec<Sent> = told.try_iter().collect();
    assert_eq!(all, [first.clone(), first.clone(), first, (0, 2, values(&["c"]))]);
    assert_eq!(producer.contact(), DirectContact::Made);
}

#[test]
fn a_lost_sequence_begins_anew_under_the_next_epoch() {
    const OUT_OF_ORDER: i16 = 45;
    let (fake, told) = broker(&[Some(0), Some(OUT_OF_ORDER)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    for value in ["a", "b", "c"] {
        produce(&mut producer, topic, &[value]);
        assert_eq!(ends(&mut producer, 1), []);
    }
    let all: Vec<Sent> = told.try_iter().collect();
    let of = |epoch, first, value| (epoch, first, values(&[value]));
    assert_eq!(all, [of(0, 0, "a"), of(0, 1, "b"), of(1, 0, "b"), of(1, 1, "c")]);
}

#[test]
fn a_record_that_is_refused_is_found_and_the_others_arrive() {
    const INVALID: i16 = 87;
    // a b c d: refused. a b: taken. c d: refused. c: refused. d: taken.
    let (fake, told) = broker(&[Some(INVALID), Some(0), Some(INVALID), Some(INVALID), Some(0)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a", "b", "c", "d"]);
    let failed = ends(&mut producer, 4);
    assert!(matches!(&failed[..], [(2, Failure::Record(_))]), "{failed:?}");
    let places: Vec<(i32, Vec<String>)> = told.try_iter().map(|(_, first, values)| (first, values)).collect();
    let of = |first, names: &[&str]| (first, values(names));
    let expected = [of(0, &["a", "b", "c", "d"]), of(0, &["a", "b"]), of(2, &["c", "d"]), of(2, &["c"]), of(2, &["d"])];
    assert_eq!(places, expected);
}

#[test]
fn what_was_tried_and_given_up_leaves_no_place_to_be_taken() {
    const DENIED: i16 = 29;
    // It may have arrived the first time.
    let (fake, told) = broker(&[None, Some(DENIED), Some(0)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a"]);
    assert!(matches!(&ends(&mut producer, 1)[..], [(0, Failure::Configuration(_))]));
    produce(&mut producer, topic, &["b"]);
    assert_eq!(ends(&mut producer, 1), []);
    assert_eq!(told.try_iter().last(), Some((1, 0, values(&["b"]))));
}

/// The batch may have arrived the first time, and the broker takes the next of as many records for it.
#[test]
fn what_was_tried_and_halved_leaves_no_place_to_be_taken_either() {
    const TOO_OLD: i16 = 32;
    let (fake, told) = broker(&[None, Some(TOO_OLD), Some(TOO_OLD), Some(TOO_OLD), Some(0)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a", "b"]);
    assert!(matches!(&ends(&mut producer, 2)[..], [(0, Failure::Record(_)), (1, Failure::Record(_))]));
    produce(&mut producer, topic, &["c", "d"]);
    assert_eq!(ends(&mut producer, 2), []);
    assert_eq!(told.try_iter().last(), Some((1, 0, values(&["c", "d"]))));
}

#[test]
fn a_batch_that_was_damaged_on_its_way_is_sent_again_and_said() {
    const CORRUPT: i16 = 2;
    let (fake, told) = broker(&[Some(CORRUPT), Some(CORRUPT), Some(0)]);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a", "b"]);
    assert_eq!(ends(&mut producer, 2), []);
    assert_eq!(told.try_iter().count(), 3);
    let News { trouble, requests, bytes, again } = producer.news();
    let said = trouble.expect("what went wrong");
    assert!(said.starts_with("t[0]: "), "{said}");
    // A batch's header has 61 bytes, and of a record with a value of one byte there are eight.
    assert_eq!((requests, bytes, again), (3, 3 * (61 + 2 * 8), 4));
    assert_eq!(producer.news(), News::default());
}

#[test]
fn who_may_not_produce_at_all_is_told_so_and_who_may_not_yet_goes_on_asking() {
    const CLUSTER_DENIED: i16 = 31;
    const LOADING: i16 = 14;
    let (fake, _told) = broker(&[]);
    fake.says.identity_code.store(LOADING, SeqCst);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a"]);
    let said = loop {
        producer.poll(Duration::from_millis(1), &mut |report| panic!("{report:?}")).expect("the task goes on");
        if let Some(said) = producer.news().trouble {
            break said;
        }
    };
    assert!(said.starts_with("no producer id: "), "{said}");
    fake.says.identity_code.store(CLUSTER_DENIED, SeqCst);
    let failed = ends(&mut producer, 1);
    assert!(matches!(&failed[..], [(0, Failure::Configuration(_))]), "{failed:?}");
    // Nor to a topic that is asked for later.
    let later = producer.topic(b"u").expect("another topic");
    produce(&mut producer, later, &["b"]);
    let failed = ends(&mut producer, 1);
    assert!(matches!(&failed[..], [(0, Failure::Configuration(_))]), "{failed:?}");
}

#[test]
fn an_old_broker_is_left_to_librdkafka() {
    let fake = Fake::start(5, |_, _, _| None);
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    producer.topic(b"t").expect("a topic");
    let said = loop {
        match producer.contact() {
            DirectContact::Unfit(reason) => break reason,
            _ => producer.poll(Duration::from_millis(10), &mut |_| {}).expect("the task goes on"),
        }
    };
    assert!(said.contains("does not understand Produce in version 8"), "{said}");
    let choice = crate::direct::Choice::Auto(fake.ground.clone());
    let next = choice.start("send records", |ground| DirectProducer::start(&fake.settings, ground));
    assert!(next.expect("a choice").is_none(), "the next one is librdkafka's");
}

/// A broker that has not heard of new partitions yet says so, too; after a while it is taken for the truth.
#[test]
fn an_answer_with_fewer_partitions_is_waited_out_and_believed_in_the_end() {
    const NOT_LEADER: i16 = 6;
    for comes_back in [true, false] {
        let (tell, told) = mpsc::sync_channel(100);
        let mut is_first = true;
        let mut fake = Fake::start(11, move |says, _, body| {
            tell.send(sent(body)).ok();
            if std::mem::take(&mut is_first) {
                says.partitions.store(1, SeqCst);
            }
            Some(answer(1, if says.partitions.load(SeqCst) == 1 { NOT_LEADER } else { 0 }))
        });
        fake.says.partitions.store(2, SeqCst);
        if !comes_back {
            fake.settings.properties.push(("topic.metadata.propagation.max.ms".into(), "20".into()));
        }
        let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
        let topic = producer.topic(b"t").expect("a topic");
        produce_in(&mut producer, topic, Some(1), &["a"]);
        // It is sent, and refused: by then there is one partition.
        let first = loop {
            producer.poll(Duration::from_millis(1), &mut |report| panic!("{report:?}")).expect("the task goes on");
            if let Ok(first) = told.try_recv() {
                break first;
            }
        };
        let asked = fake.says.asked.load(SeqCst);
        while comes_back && fake.says.asked.load(SeqCst) < asked + 3 {
            producer.poll(Duration::from_millis(1), &mut |report| panic!("{report:?}")).expect("the task goes on");
        }
        if comes_back {
            fake.says.partitions.store(2, SeqCst);
            assert_eq!(ends(&mut producer, 1), []);
            assert!(told.try_iter().all(|again| again == first), "another batch in its place");
        } else {
            let failed = ends(&mut producer, 1);
            let [(0, Failure::Configuration(reason))] = &failed[..] else { panic!("{failed:?}") };
            assert!(reason.contains("has 1 partitions, and had 2 before"), "{reason}");
        }
    }
}

/// `localhost` is an address of either kind on many machines, and the broker listens on one of them.
#[test]
fn of_a_name_with_several_addresses_the_one_that_answers_is_taken() {
    let (mut fake, told) = broker(&[]);
    for broker in &mut fake.settings.brokers {
        *broker = broker.replace("127.0.0.1", "localhost");
    }
    let mut producer = DirectProducer::start(&fake.settings, &fake.ground).expect("a producer");
    let topic = producer.topic(b"t").expect("a topic");
    produce(&mut producer, topic, &["a"]);
    assert_eq!(ends(&mut producer, 1), []);
    assert_eq!(told.try_iter().count(), 1);
}
