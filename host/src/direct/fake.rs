//! A broker of a test's own, which answers as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI16, AtomicI32, AtomicU32, Ordering::SeqCst},
};

use crossbeam_channel::{Receiver, Sender};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use super::{
    api,
    choice::{Ground, Unfit},
    wire::{Reader, Write as _},
};
use crate::kafka::Settings;

/// Answers a request, by its key and body; none: the connection breaks.
type Answer = Box<dyn FnMut(&Says, i16, &[u8]) -> Option<Vec<u8>> + Send>;

/// It leads all partitions of every topic, under the names of several brokers where it is told so.
pub(super) struct Fake {
    pub(super) settings: Settings,
    pub(super) ground: Ground,
    pub(super) says: Arc<Says>,
    _runtime: Runtime,
}

/// What it says of itself.
pub(super) struct Says {
    pub(super) leader_epoch: AtomicI32,
    /// Who it is, from 0 on: each leads every so-many-th partition.
    pub(super) brokers: AtomicI32,
    /// Of every topic.
    pub(super) partitions: AtomicI32,
    /// Times that it was asked for them.
    pub(super) asked: AtomicU32,
    /// To whoever wants to produce.
    pub(super) identity_code: AtomicI16,
    /// It closes the connection behind the next answer.
    pub(super) closes: AtomicBool,
    /// Comes when the other side has closed that connection as well.
    pub(super) closed: Receiver<()>,
    has_closed: Sender<()>,
    pub(super) port: u16,
    newest: i16,
}

impl Fake {
    /// `answer` is asked for all but `ApiVersions`, `Metadata` and `InitProducerId`; what is understood is up to `newest`.
    pub(super) fn start(
        newest: i16,
        answer: impl FnMut(&Says, i16, &[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (has_closed, closed) = crossbeam_channel::bounded(8);
        let says = Arc::new(Says {
            leader_epoch: AtomicI32::new(0),
            partitions: AtomicI32::new(1),
            brokers: AtomicI32::new(1),
            asked: AtomicU32::new(0),
            identity_code: AtomicI16::new(0),
            closes: AtomicBool::new(false),
            closed,
            has_closed,
            port,
            newest,
        });
        let same = Arc::clone(&says);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&same), Arc::clone(&answer)));
            }
        });
        let properties = [("retry.backoff.ms", "1"), ("retry.backoff.max.ms", "5")];
        let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let settings = Settings { brokers: vec![format!("127.0.0.1:{port}")], properties };
        let ground = Ground { runtime: runtime.handle().clone(), unfit: Unfit::default() };
        Self { settings, ground, says, _runtime: runtime }
    }
}

async fn serve(mut stream: TcpStream, says: Arc<Says>, answer: Arc<Mutex<Answer>>) {
    while let Ok(length) = stream.read_u32().await {
        let mut request = vec![0; length as usize];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let mut reader = Reader::new(&request);
        let (key, _version) = (reader.i16().expect("a key"), reader.i16().expect("a version"));
        let correlation = reader.i32().expect("a number");
        reader.nullable_text().expect("a client");
        let body = &request[reader.at()..];
        let said = match key {
            key if key == api::API_VERSIONS.key => Some(versions(says.newest)),
            key if key == api::METADATA.key => Some(metadata(&says, body)),
            key if key == api::INIT_PRODUCER_ID.key => Some(identity(says.identity_code.load(SeqCst))),
            key => (answer.lock().expect("no panic"))(&says, key, body),
        };
        let Some(said) = said else { return };
        let mut bytes = Vec::new();
        bytes.i32(said.len() as i32 + 4);
        bytes.i32(correlation);
        bytes.extend(said);
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        if says.closes.swap(false, SeqCst) {
            stream.shutdown().await.expect("is closed");
            assert_eq!(stream.read(&mut [0]).await.ok(), Some(0), "nothing is asked any more");
            says.has_closed.send(()).expect("the test listens");
            return;
        }
    }
}

fn versions(newest: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.i16(0);
    bytes.len_of(29);
    for key in 0..29 {
        [key, 0, newest].into_iter().for_each(|number| bytes.i16(number));
    }
    bytes
}

fn metadata(says: &Says, body: &[u8]) -> Vec<u8> {
    let (partitions, brokers) = (says.partitions.load(SeqCst), says.brokers.load(SeqCst));
    says.asked.fetch_add(1, SeqCst);
    let mut reader = Reader::new(body);
    let topics: Vec<&str> = (0..reader.len().expect("topics")).map(|_| reader.text().expect("a name")).collect();
    let mut bytes = Vec::new();
    bytes.i32(0);
    bytes.len_of(brokers as usize);
    for broker in 0..brokers {
        bytes.i32(broker);
        bytes.text("127.0.0.1");
        bytes.i32(says.port.into());
        bytes.nullable_text(None);
    }
    bytes.nullable_text(None);
    bytes.i32(0);
    bytes.len_of(topics.len());
    for topic in topics {
        bytes.i16(0);
        bytes.text(topic);
        bytes.i8(0);
        bytes.len_of(partitions as usize);
        for partition in 0..partitions {
            bytes.i16(0);
            let leader = [partition, partition % brokers, says.leader_epoch.load(SeqCst)];
            leader.into_iter().for_each(|number| bytes.i32(number));
            (0..3).for_each(|_| bytes.len_of(0));
        }
    }
    bytes
}

/// Producer 7, epoch 0.
fn identity(code: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.i32(0);
    bytes.i16(code);
    bytes.i64(7);
    bytes.i16(0);
    bytes
}
