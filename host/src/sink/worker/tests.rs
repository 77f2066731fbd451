//! The worker against a server in memory that fails as it is told to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{runtime::Runtime, sync::mpsc};

use super::*;
use crate::sink::{Outcome, Rejected, Settlement, Ticket, delivery::Payload};

const PATIENCE: Duration = Duration::from_secs(30);

type Script = Box<dyn FnMut(&[Vec<u8>]) -> Answer + Send>;

/// Answers by its script; what it delivers, it applies.
struct Fake {
    script: Script,
    applied: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Closed when the worker is gone.
    _alive: mpsc::Sender<()>,
}

impl Client for Fake {
    async fn greet(&mut self) -> Contact {
        match (self.script)(&[]) {
            Answer::Again { reason, .. } => Contact::Waits(Some(reason)),
            Answer::Stop(reason) => Contact::Failed(reason),
            _ => Contact::Made,
        }
    }

    async fn send(&mut self, request: Request<'_>) -> Answer {
        tokio::task::yield_now().await;
        let records: Vec<Vec<u8>> = request.iter().map(|(bytes, _)| bytes.to_vec()).collect();
        assert_eq!((records.len(), records.concat().len()), (request.len(), request.size()));
        let answer = (self.script)(&records);
        if let Answer::Verdicts(verdicts) = &answer {
            let took = records.into_iter().zip(verdicts).filter(|(_, verdict)| **verdict == Verdict::Delivered);
            self.applied.lock().extend(took.map(|(record, _)| record));
        }
        answer
    }
}

struct Bench {
    runtime: Runtime,
    desk: Arc<Desk>,
    queue: mpsc::Sender<Delivery>,
    applied: Arc<Mutex<Vec<Vec<u8>>>>,
    gone: mpsc::Receiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn new(limits: RequestLimits, pauses: Pauses, script: impl FnMut(&[Vec<u8>]) -> Answer + Send + 'static) -> Self {
        Self::with(limits, pauses, false, script)
    }

    fn with(
        limits: RequestLimits,
        pauses: Pauses,
        greets: bool,
        script: impl FnMut(&[Vec<u8>]) -> Answer + Send + 'static,
    ) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let desk = Desk::new("s", Arc::default());
        let (queue, receiver) = mpsc::channel(1000);
        let (alive, gone) = mpsc::channel(1);
        let applied = Arc::default();
        let fake = Fake { script: Box::new(script), applied: Arc::clone(&applied), _alive: alive };
        let mut worker = Worker::new(fake, receiver, Arc::clone(&desk), limits);
        (worker.pauses, worker.greets) = (pauses, greets);
        let task = runtime.spawn(worker.run());
        Self { runtime, desk, queue, applied, gone, task }
    }

    /// Records as `thing=value`; the row is the place in the delivery.
    fn deliver(&self, batch: u64, records: &[impl AsRef<str>]) {
        let mut payload = Payload::default();
        for (row, record) in records.iter().enumerate() {
            payload.data.extend_from_slice(record.as_ref().as_bytes());
            let thing = record.as_ref().split('=').next().unwrap_or_default();
            payload.end_item(row as u32, thing.as_bytes(), 0);
        }
        let delivery = Delivery::new(&self.desk, Ticket { batch, sink: 0 }, payload, vec![]);
        self.queue.try_send(delivery).expect("room");
    }

    fn settled(&self, count: usize) -> Vec<Settlement> {
        let (mut settled, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while settled.len() < count {
            assert!(Instant::now() < deadline, "settled so far: {settled:?}");
            std::thread::yield_now();
            self.desk.take_settled(&mut settled);
        }
        settled
    }

    fn applied(&self) -> Vec<String> {
        self.applied.lock().iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
    }
}

const WIDE: RequestLimits = RequestLimits { records: 1000, bytes: 1 << 20 };
const NO_PAUSE: Pauses = Pauses { from: Duration::ZERO, to: Duration::ZERO };

fn took(records: &[Vec<u8>]) -> Answer {
    Answer::Verdicts(vec![Verdict::Delivered; records.len()])
}

#[test]
fn nothing_is_sent_before_the_server_was_reached() {
    let mut greetings = 0;
    let bench = Bench::with(WIDE, NO_PAUSE, true, move |records| {
        if !records.is_empty() {
            assert_eq!(greetings, 3);
            return took(records);
        }
        greetings += 1;
        match greetings {
            3 => took(records),
            _ => Answer::Again { reason: "refused".into(), pause: None },
        }
    });
    bench.deliver(0, &["a=1"]);
    assert_eq!(bench.settled(1)[0].outcome, Outcome::Delivered);
    assert_eq!(bench.desk.contact(), Contact::Made);
    assert_eq!(bench.desk.stats.last_error().as_deref(), Some("sink `s`: refused"));

    let bench = Bench::with(WIDE, NO_PAUSE, true, |_| Answer::Stop("401".into()));
    let deadline = Instant::now() + PATIENCE;
    while bench.desk.contact() == Contact::Waits(None) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(bench.desk.contact(), Contact::Failed("sink `s`: 401".into()));
}

#[test]
fn what_a_flaky_server_holds_in_the_end_is_what_was_sent_last() {
    const BATCHES: u64 = 60;
    let mut chance = StdRng::seed_from_u64(7);
    let limits = RequestLimits { records: 17, bytes: 150 };
    let bench = Bench::new(limits, NO_PAUSE, move |records| {
        assert!(records.len() <= 17 && (records.len() == 1 || records.concat().len() <= 150), "{records:?}");
        match chance.random_range(0..10) {
            0 => Answer::Again { reason: "busy".into(), pause: None },
            1 => Answer::Split { reason: "too large".into(), too_large: records.len() > 1 },
            2..6 => {
                let mut verdict = || match chance.random_range(0..4) {
                    0 => Verdict::Again("rejected".into()),
                    _ => Verdict::Delivered,
                };
                Answer::Verdicts(records.iter().map(|_| verdict()).collect())
            }
            _ => took(records),
        }
    });
    let mut last = HashMap::new();
    for batch in 0..BATCHES {
        let records: Vec<String> = (0..batch % 40).map(|row| format!("{}={batch}.{row}", (batch + row) % 5)).collect();
        bench.deliver(batch, &records);
    }
    let settled = bench.settled(BATCHES as usize);
    let tickets: HashSet<u64> = settled.iter().map(|settlement| settlement.ticket.batch).collect();
    assert_eq!((settled.len() as u64, tickets.len() as u64), (BATCHES, BATCHES), "each once");
    assert_eq!(bench.desk.load(), (0, 0));

    // A record that stood alone when the server split was rejected, the way any poison is: it counts as never sent.
    let rejected: HashSet<(u64, u32)> = settled
        .iter()
        .flat_map(|settlement| match &settlement.outcome {
            Outcome::Delivered => vec![],
            Outcome::Rejected(rejected) => {
                rejected.iter().map(|rejected| (settlement.ticket.batch, rejected.row)).collect()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    for batch in 0..BATCHES {
        for row in (0..batch % 40).filter(|row| !rejected.contains(&(batch, *row as u32))) {
            last.insert(format!("{}", (batch + row) % 5), format!("{batch}.{row}"));
        }
    }
    let mut held = HashMap::new();
    for record in bench.applied() {
        let (thing, value) = record.split_once('=').expect("a record");
        held.insert(thing.to_owned(), value.to_owned());
    }
    assert_eq!(held, last);
}

#[test]
fn what_overtook_a_record_of_its_thing_is_sent_again_behind_it_and_nothing_else_is() {
    let mut first = true;
    let bench = Bench::new(WIDE, NO_PAUSE, move |records| match std::mem::take(&mut first) {
        true => Answer::Verdicts(vec![
            Verdict::Again("rejected".into()),
            Verdict::Delivered,
            Verdict::Delivered,
            Verdict::Poison("malformed".into()),
        ]),
        false => took(records),
    });
    bench.deliver(1, &["a=1", "b=1", "a=2", "a=3"]);
    let rejected = vec![Rejected { row: 3, reason: "sink `s`: malformed".into() }];
    assert_eq!(bench.settled(1)[0].outcome, Outcome::Rejected(rejected));
    assert_eq!(bench.applied(), ["b=1", "a=2", "a=1", "a=2"]);
}

#[test]
fn deliveries_share_requests_and_a_delivery_may_need_several() {
    let (sizes, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(())));
    let (told, mut hears) = mpsc::channel(1);
    let bench = {
        let (sizes, gate) = (Arc::clone(&sizes), Arc::clone(&gate));
        let limits = RequestLimits { records: 4, bytes: 1 << 20 };
        Bench::new(limits, NO_PAUSE, move |records| {
            // Only the first request counts.
            told.try_send(()).ok();
            drop(gate.lock());
            sizes.lock().push(records.len());
            took(records)
        })
    };
    // What comes while the first request is under way shares the next ones.
    let closed = gate.lock();
    bench.deliver(1, &["a=1"]);
    bench.runtime.block_on(hears.recv());
    bench.deliver(2, &["a=2", "a=3"]);
    bench.deliver(3, &["a=4", "a=5", "a=6", "a=7", "a=8", "a=9", "a=10"]);
    bench.deliver(4, &["a=11"]);
    drop(closed);
    let order: Vec<u64> = bench.settled(4).iter().map(|settlement| settlement.ticket.batch).collect();
    assert_eq!(order, [1, 2, 3, 4]);
    assert_eq!(*sizes.lock(), [1, 4, 4, 2]);
    assert_eq!(bench.applied(), (1..12).map(|value| format!("a={value}")).collect::<Vec<_>>());
}

#[test]
fn a_record_that_spoils_its_request_is_found_and_its_neighbours_arrive_in_order() {
    let bench = Bench::new(WIDE, NO_PAUSE, |records| match records.iter().any(|record| record.starts_with(b"bad")) {
        true => Answer::Split { reason: "malformed".into(), too_large: false },
        false => took(records),
    });
    let records: Vec<String> =
        (0..100).map(|row| if row == 37 { "bad=37".into() } else { format!("a={row}") }).collect();
    bench.deliver(1, &records);
    let rejected = vec![Rejected { row: 37, reason: "sink `s`: malformed".into() }];
    assert_eq!(bench.settled(1)[0].outcome, Outcome::Rejected(rejected));
    let good: Vec<&String> = records.iter().filter(|record| !record.starts_with("bad")).collect();
    assert_eq!(bench.applied().iter().collect::<Vec<_>>(), good);
}

#[test]
fn a_stop_fails_what_is_in_hand_and_later_deliveries_are_settled_as_unknown() {
    let bench = Bench::new(WIDE, NO_PAUSE, |_| Answer::Stop("bad password".into()));
    bench.deliver(1, &["a=1"]);
    assert_eq!(bench.settled(1)[0].outcome, Outcome::Failed("sink `s`: bad password".into()));
    bench.runtime.block_on(bench.queue.closed());
    drop(Delivery::new(&bench.desk, Ticket { batch: 2, sink: 0 }, payload("a=2"), vec![]));
    assert!(matches!(bench.settled(1)[0].outcome, Outcome::Unknown(_)));
    assert_eq!(bench.desk.load(), (0, 0));
}

fn payload(record: &str) -> Payload {
    let mut payload = Payload::default();
    payload.data.extend_from_slice(record.as_bytes());
    payload.end_item(0, b"", 0);
    payload
}

#[test]
fn a_worker_that_waits_for_its_next_attempt_ends_at_once_when_it_is_told_to() {
    let (told, mut hears) = mpsc::channel(1);
    let hour = Pauses { from: Duration::from_secs(3600), to: Duration::from_secs(3600) };
    let mut bench = Bench::new(WIDE, hour, move |_| {
        // Only the first attempt counts.
        told.try_send(()).ok();
        Answer::Again { reason: "down".into(), pause: Some(Duration::from_secs(3600)) }
    });
    bench.deliver(1, &["a=1"]);
    bench.runtime.block_on(hears.recv());
    bench.task.abort();
    assert_eq!(bench.runtime.block_on(bench.gone.recv()), None);
    let unknown = Outcome::Unknown("sink `s`: gave up with 1 of 1 records open".into());
    assert_eq!(bench.settled(1)[0].outcome, unknown);
}

#[test]
fn pauses_double_to_their_cap_and_heed_the_server() {
    let pauses = Pauses::default();
    let millis = |attempt, chance, asked| pauses.before(attempt, chance, asked).as_millis();
    assert_eq!([0, 1, 2, 20, 1_000_000].map(|attempt| millis(attempt, 1.0, None)), [100, 200, 400, 30_000, 30_000]);
    assert_eq!(millis(3, 0.0, None), 0);
    assert_eq!(millis(0, 1.0, Some(Duration::from_secs(5))), 5000);
    assert_eq!(millis(0, 1.0, Some(Duration::from_secs(500))), 30_000);
}
