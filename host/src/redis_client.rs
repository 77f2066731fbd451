//! What the sink and the key-value store share of Redis: how a connection is opened, and what an error means.

use std::time::Duration;

use redis::{
    Client, IntoConnectionInfo, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};

/// How long sent bytes may stay unacknowledged by the peer's kernel before the connection counts as cut.
#[cfg(target_os = "linux")]
const DEAD_PEER: Duration = Duration::from_secs(30);

/// Refused passwords in a row before a person has to look: a server with too many clients refuses them as well.
pub(crate) const REFUSED_PASSWORDS_MAX: u32 = 3;

/// # Errors
/// The URL cannot be used.
pub(crate) fn opener(url: &str) -> RedisResult<Client> {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(DEAD_PEER);
    Client::open(url.into_connection_info()?.set_tcp_settings(settings))
}

/// A connection that is made with the first request, and anew after it was cut; who asks makes the pauses.
///
/// # Errors
/// The settings cannot be used.
pub(crate) fn manager(opener: &Client, timeout: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    ConnectionManager::new_lazy_with_config(opener.clone(), config)
}

/// Who can help after an error of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The server by itself, in time.
    Passes,
    /// A person.
    Stops,
    /// Nobody: it is about what was asked.
    Refuses,
}

/// Codes of errors that pass.
const PASSES: [&str; 11] = [
    "LOADING",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "MASTERDOWN",
    // A replica, after a failover.
    "READONLY",
    "BUSY",
    // Out of memory, by its own limit.
    "OOM",
    "NOREPLICAS",
    // It cannot save to disk and takes no writes.
    "MISCONF",
    "EXECABORT",
    // Its scripts were flushed; each request brings them along.
    "NOSCRIPT",
];

/// Codes of errors that a person has to look at. A cluster moves keys about, which is not followed.
const STOPS: [&str; 7] = ["NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "MOVED", "ASK", "CROSSSLOT"];

/// What an error means, as Redis words it: a code in capitals, and a text.
pub(crate) fn meaning(code: &str, text: &str) -> Meaning {
    if PASSES.contains(&code) || text.contains("max number of clients") {
        Meaning::Passes
    } else if STOPS.contains(&code) || text.starts_with("unknown command") {
        Meaning::Stops
    } else {
        Meaning::Refuses
    }
}
