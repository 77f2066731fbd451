//! What belongs to one store: WASI with nothing granted, what the pipeline grants, the memory limit, and the guest's
//! mouth.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use super::{
    bindings::columns::wasmill::transform::{log, metrics, types},
    guest::{Channel, LogLevel, Mouth},
    keyvalue::{Granted, KeyValue},
};

/// Bytes of randomness that a guest may ask for in one call.
const RANDOM_MAX: u64 = 1 << 20;

/// WASI resources that a guest may hold at a time.
const RESOURCES_MAX: usize = 1000;

pub(super) struct State {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) keyvalue: Granted,
    /// Settings of the module.
    pub(super) config: Vec<(String, String)>,
    pub(super) memory: MemoryLimit,
    pub(super) mouth: Arc<Mouth>,
}

impl State {
    pub(super) fn new(
        memory_max: usize,
        mouth: Arc<Mouth>,
        config: Vec<(String, String)>,
        keyvalue: Option<Arc<dyn KeyValue>>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        // No preopened folder, no environment, no arguments, no sockets, standard input closed: the builder's
        // defaults, which wasmtime-wasi documents as such.
        let wasi = WasiCtxBuilder::new()
            .stdout(Stream { mouth: Arc::clone(&mouth), channel: Channel::Out })
            .stderr(Stream { mouth: Arc::clone(&mouth), channel: Channel::Error })
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(RANDOM_MAX)
            .build();
        let memory = MemoryLimit { max: memory_max, used: 0, refused: false };
        Self { wasi, table, keyvalue: Granted::new(keyvalue), config, memory, mouth }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.mouth.log(level, &message);
    }
}

impl metrics::Host for State {
    fn count(&mut self, name: String, by: u64) {
        self.mouth.count(&name, by);
    }

    fn observe(&mut self, name: String, value: f64) {
        self.mouth.observe(&name, value);
    }
}

/// Bounds the sum of all memories and tables of an instance, which a limit per memory would not.
pub(super) struct MemoryLimit {
    max: usize,
    used: usize,
    /// Growth was refused: a trap that follows is about memory.
    pub(super) refused: bool,
}

impl MemoryLimit {
    pub(super) fn used(&self) -> usize {
        self.used
    }

    fn grow(&mut self, by: usize) -> bool {
        let wanted = self.used.saturating_add(by);
        if wanted > self.max {
            self.refused = true;
            return false;
        }
        self.used = wanted;
        true
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
    }
}

/// Standard output or error of a guest.
#[derive(Clone)]
struct Stream {
    mouth: Arc<Mouth>,
    channel: Channel,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.mouth.print(self.channel, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.mouth.print(self.channel, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
