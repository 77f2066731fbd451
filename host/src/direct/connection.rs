//! A connection to a broker: requests go out in order, answers come back in order, several may be under way.
//!
//! Two tasks belong to it, one that writes and one that reads. A request that is not answered in time, a broken answer or
//! a broken stream ends the connection, and with it every request under way; who made it makes another one.

use std::{io::IoSlice, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use rand::seq::SliceRandom as _;
use socket2::SockRef;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream, lookup_host,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{
    api::{self, Api, Needs},
    wire::Write as _,
};

/// For the connection to be made, and for its first answer.
const OPENING: Duration = Duration::from_secs(10);

/// Requests that wait to be written: the callers bound what is under way.
const CALLS: usize = 16;

/// Largest answer, about what librdkafka takes (`receive.message.max.bytes`). A fetch asks for a few megabytes, and gets at
/// least one batch, which brokers bound.
const ANSWER_MAX: usize = 128 << 20;

/// Host and port.
pub(super) type Address = (String, u16);

/// Who calls, and what a broker must understand for it.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) needs: &'static Needs,
}

#[derive(Clone, Debug, Error)]
pub(super) enum ConnectionError {
    #[error("{host}:{port}: {reason}")]
    Open { host: String, port: u16, reason: String },
    /// Another client can speak to it.
    #[error("broker {host}:{port} needs `client: librdkafka`: {reason}")]
    Unfit { host: String, port: u16, reason: String },
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("the connection broke: {0}")]
    Broken(String),
}

struct Call {
    api: Api,
    parts: Vec<Bytes>,
    patience: Duration,
    answer: oneshot::Sender<Result<Bytes, ConnectionError>>,
}

/// A request that was written.
struct Asked {
    correlation: i32,
    patience: Duration,
    until: Instant,
    answer: oneshot::Sender<Result<Bytes, ConnectionError>>,
}

/// See the module's documentation. Clones are the same connection; it ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    calls: mpsc::Sender<Call>,
}

impl Connection {
    /// Connects, and asks the broker whether it understands what will be asked.
    pub(super) async fn open(address: &Address, caller: &Caller) -> Result<Self, ConnectionError> {
        let (host, port) = address.clone();
        let failed = |reason: String| ConnectionError::Open { host: host.clone(), port, reason };
        let stream = connect(&host, port).await.map_err(failed)?;
        let (read, write) = stream.into_split();
        let (calls, to_write) = mpsc::channel(CALLS);
        let (asked, to_read) = mpsc::channel(CALLS);
        tokio::spawn(write_calls(write, to_write, asked, caller.name.clone()));
        tokio::spawn(read_answers(read, to_read));
        let connection = Self { calls };
        let versions = connection.call(api::API_VERSIONS, Vec::new(), OPENING).await?;
        match api::lacks(&versions, caller.needs) {
            Ok(None) => Ok(connection),
            Ok(Some(reason)) => Err(ConnectionError::Unfit { host, port, reason }),
            Err(error) => Err(ConnectionError::Unfit { host, port, reason: error.to_string() }),
        }
    }

    /// Whether requests can still be made.
    pub(super) fn is_open(&self) -> bool {
        !self.calls.is_closed()
    }

    /// Asks, and waits for the answer's body.
    pub(super) async fn call(&self, api: Api, parts: Vec<Bytes>, patience: Duration) -> Result<Bytes, ConnectionError> {
        let broken = || ConnectionError::Broken("it was given up with what was under way".into());
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call { api, parts, patience, answer }).await.map_err(|_| broken())?;
        answered.await.map_err(|_| broken())?
    }
}

/// By whichever of the name's addresses answers: each has its share of the time, and another one stands first each time.
async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let late = || format!("no connection within {OPENING:?}");
    let until = Instant::now() + OPENING;
    let found = timeout_at(until, lookup_host((host, port))).await.map_err(|_| late())?;
    let mut addresses: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
    addresses.shuffle(&mut rand::rng());
    let (mut said, mut left) = ("the name has no address".to_owned(), addresses.len() as u32);
    for address in addresses {
        let share = until.saturating_duration_since(Instant::now()) / left.max(1);
        left -= 1;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // What is written is written whole; and what lies between notices that somebody is there.
                let set = stream.set_nodelay(true).and_then(|()| SockRef::from(&stream).set_keepalive(true));
                return set.map(|()| stream).map_err(|error| error.to_string());
            }
            Ok(Err(error)) => said = error.to_string(),
            Err(_) => said = late(),
        }
    }
    Err(said)
}

async fn write_calls(
    mut stream: OwnedWriteHalf,
    mut calls: mpsc::Receiver<Call>,
    asked: mpsc::Sender<Asked>,
    client: String,
) {
    let mut correlation = 0_i32;
    loop {
        let call = tokio::select! {
            call = calls.recv() => call,
            () = asked.closed() => None,
        };
        let Some(Call { api, parts, patience, answer }) = call else { return };
        correlation = correlation.wrapping_add(1);
        let mut head = Vec::with_capacity(32);
        head.i32(0);
        head.i16(api.key);
        head.i16(api.version);
        head.i32(correlation);
        head.nullable_text(Some(&client));
        let length = head.len() - 4 + parts.iter().map(Bytes::len).sum::<usize>();
        head[..4].copy_from_slice(&(length as u32).to_be_bytes());
        let until = Instant::now() + patience;
        if asked.send(Asked { correlation, patience, until, answer }).await.is_err() {
            return;
        }
        let mut slices = Vec::with_capacity(parts.len() + 1);
        slices.push(IoSlice::new(&head));
        slices.extend(parts.iter().map(|part| IoSlice::new(part)));
        // The reader tells who waits.
        if !matches!(timeout_at(until, write_all(&mut stream, &mut slices)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn write_all(stream: &mut OwnedWriteHalf, mut slices: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let written = stream.write_vectored(slices).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

async fn read_answers(mut stream: OwnedReadHalf, mut asked: mpsc::Receiver<Asked>) {
    loop {
        let mut one = [0];
        let next = tokio::select! {
            biased;
            next = asked.recv() => next,
            // The broker closes what is idle, and says nothing that it was not asked.
            _ = stream.peek(&mut one) => asked.try_recv().ok(),
        };
        let Some(Asked { correlation, patience, until, answer }) = next else { return };
        let read = match timeout_at(until, read_answer(&mut stream, correlation)).await {
            Ok(read) => read,
            Err(_) => Err(ConnectionError::Late(patience)),
        };
        let ended = read.is_err();
        // Who asked may have gone: the answer is read all the same, to come to the next one.
        drop(answer.send(read));
        if ended {
            return;
        }
    }
}

async fn read_answer(stream: &mut OwnedReadHalf, correlation: i32) -> Result<Bytes, ConnectionError> {
    let broken = |error: std::io::Error| ConnectionError::Broken(error.to_string());
    let length = stream.read_u32().await.map_err(broken)? as usize;
    if !(4..=ANSWER_MAX).contains(&length) {
        return Err(ConnectionError::Broken(format!("an answer of {length} bytes")));
    }
    let found = stream.read_i32().await.map_err(broken)?;
    if found != correlation {
        return Err(ConnectionError::Broken(format!("answer {found} came where {correlation} was awaited")));
    }
    let mut left = length - 4;
    // What is promised is not believed at once.
    let mut answer = BytesMut::with_capacity(left.min(8 << 20));
    while left > 0 {
        let mut part = (&mut *stream).take(left as u64);
        let read = part.read_buf(&mut answer).await.map_err(broken)?;
        if read == 0 {
            return Err(ConnectionError::Broken("it was closed in the middle of an answer".into()));
        }
        left -= read;
    }
    Ok(answer.freeze())
}
