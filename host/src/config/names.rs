//! What things may be called, and what a misspelt name was probably meant to be.

use thiserror::Error;

use super::value::{Leaf, Wrong, text_schema};

/// Names end up in metric labels, consumer groups, file names and URLs: 63 is what the strictest of them takes.
const NAME_BYTES_MAX: usize = 63;

/// Kafka's own limit.
const TOPIC_BYTES_MAX: usize = 249;

/// A name that a pipeline, module or sink cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a name has 1 to 63 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit")]
pub struct BadName;

/// Whether a pipeline, a module or a sink may be called so: `[a-z0-9][a-z0-9._-]{0,62}`.
///
/// # Errors
///
/// Says what a name looks like.
pub fn check_name(name: &str) -> Result<(), BadName> {
    let first = name.bytes().next().ok_or(BadName)?;
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| edge(byte) || b"._-".contains(&byte);
    let fits = name.len() <= NAME_BYTES_MAX && edge(first) && name.bytes().all(inner);
    if fits { Ok(()) } else { Err(BadName) }
}

/// A module may name its routes more freely, within what a metric label shows well.
pub(super) fn is_route_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// "did you mean `x`?", if one of the names is close enough to be it.
pub(super) fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        // Below this the guesses begin to surprise.
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// The name of a pipeline.
pub(super) struct Name(pub(super) String);

impl Leaf for Name {
    fn expected() -> String {
        "a name".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        check_name(text).map_err(|bad| Wrong::help(bad.to_string()))?;
        Ok(Self(text.to_owned()))
    }
}

/// The name of one Kafka topic.
pub(super) struct Topic(pub(super) String);

impl Leaf for Topic {
    fn expected() -> String {
        "the name of a topic".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let dots = text == "." || text == "..";
        if (1..=TOPIC_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits) && !dots {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::help("a topic has 1 to 249 of a-z, A-Z, 0-9, `.`, `_` and `-`"))
    }
}

/// One entry of a list of brokers: mostly one address, more where a variable holds them with commas.
pub(super) struct Addresses(pub(super) Vec<String>);

impl Leaf for Addresses {
    fn expected() -> String {
        "host:port of a broker".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.contains("://") {
            return Err(Wrong::help("leave the protocol out; it is the property `security.protocol`"));
        }
        text.split(',')
            .map(|address| address.trim())
            .map(broker)
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(Wrong::default)
    }
}

fn broker(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    // The colons of an IPv6 address stand in brackets; a host without them has none.
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let plain = |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    let host_fits = bracketed.map_or_else(|| plain(host), |ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    let port_fits = port.parse::<u16>().is_ok_and(|port| port > 0);
    (host_fits && port_fits).then(|| address.to_owned())
}

text_schema!(Name, "pattern": r"^[a-z0-9][a-z0-9._-]{0,62}$|\$\{");
text_schema!(Topic, "pattern": r"^[a-zA-Z0-9._-]{1,249}$|\$\{");
text_schema!(Addresses, "examples": ["127.0.0.1:9092"]);
