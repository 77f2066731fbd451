//! A proxy in front of a server: a network that hangs or is cut when it is told to.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// How often a connection looks at what it is told.
const LOOK: Duration = Duration::from_millis(20);

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Works,
    /// Connections are accepted and stay open; nothing gets through.
    Hangs,
    /// Connections are closed, new ones at once.
    Cut,
    /// Some 64 KiB get through in each direction of each connection, 50 times a second.
    Slow,
}

/// See the module's documentation. Ends when it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    network: Arc<AtomicU8>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on a free port, for the server at `to` (`host:port`).
    pub fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (network, ended) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        let (to, told, over) = (to.to_owned(), Arc::clone(&network), Arc::clone(&ended));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if over.load(Relaxed) {
                    return;
                }
                if network_of(&told) == Network::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let twins = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                for (from, to) in [(client, server), (twins.1, twins.0)] {
                    let (told, over) = (Arc::clone(&told), Arc::clone(&over));
                    thread::spawn(move || forward(from, to, &told, &over));
                }
            }
        });
        Self { address, network, ended }
    }

    pub fn set(&self, network: Network) {
        self.network.store(network as u8, Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn network_of(told: &AtomicU8) -> Network {
    [Network::Works, Network::Hangs, Network::Cut, Network::Slow][usize::from(told.load(Relaxed))]
}

fn forward(mut from: TcpStream, mut to: TcpStream, told: &AtomicU8, over: &AtomicBool) {
    from.set_read_timeout(Some(LOOK)).expect("a timeout");
    let mut bytes = vec![0; 64 << 10];
    while !over.load(Relaxed) && network_of(told) != Network::Cut {
        if network_of(told) == Network::Hangs {
            thread::sleep(LOOK);
            continue;
        }
        if network_of(told) == Network::Slow {
            thread::sleep(LOOK);
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) if to.write_all(&bytes[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}
