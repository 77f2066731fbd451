//! librdkafka's properties: all are the user's, but those that Wasmill's promises hang on.

use std::collections::BTreeMap;

use super::Check;
use crate::config::{
    secret::{Properties, Secret},
    value::{At, Plain, Value},
};

type Raw = At<BTreeMap<String, Value<Plain>>>;

/// A property that cannot be set, and why or what to do instead.
type Owned = (&'static str, &'static str);

/// Of consumers and producers alike. A pipeline file may come over the network: it must not bring code into the host.
const OWNED: [Owned; 7] = [
    ("bootstrap.servers", "write `brokers`"),
    ("metadata.broker.list", "write `brokers`"),
    ("transactional.id", "write `delivery: exactly-once`; the host names its transactions"),
    ("plugin.library.paths", "a pipeline cannot load code into the host"),
    ("ssl.engine.location", "a pipeline cannot load code into the host"),
    ("ssl.providers", "a pipeline cannot load code into the host"),
    ("sasl.kerberos.kinit.cmd", "a pipeline cannot run commands on the host"),
];

const COMMITS: &str = "the host commits an offset once all that came of its record is delivered";

const CONSUMER_OWNED: [Owned; 10] = [
    ("group.id", "write `group`"),
    ("auto.offset.reset", "write `start`"),
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("auto.commit.interval.ms", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("offset.store.method", COMMITS),
    ("partition.assignment.strategy", "the host hands partitions over one by one (cooperative-sticky)"),
    ("enable.partition.eof", "the host reads without end"),
    ("isolation.level", "the host reads committed records only"),
];

const ACKS: &str = "the host waits for all replicas, so that nothing is lost";

const PRODUCER_OWNED: [Owned; 5] = [
    ("enable.idempotence", "it is always on, so that nothing is written twice or out of order"),
    ("enable.gapless.guarantee", "idempotence keeps the order"),
    ("acks", ACKS),
    ("request.required.acks", ACKS),
    ("delivery.report.only.error", "the host counts every delivery"),
];

/// What it takes to speak to a cluster, besides its addresses.
pub(super) fn is_of_connection(name: &str) -> bool {
    ["security.", "sasl.", "ssl.", "enable.sasl.", "enable.ssl."].iter().any(|prefix| name.starts_with(prefix))
}

impl Check<'_> {
    pub(super) fn consumer_properties(&mut self, raw: Option<&Raw>) -> Properties {
        self.properties(raw, &CONSUMER_OWNED)
    }

    pub(super) fn producer_properties(&mut self, raw: Option<&Raw>) -> Properties {
        self.properties(raw, &PRODUCER_OWNED)
    }

    fn properties(&mut self, raw: Option<&Raw>, owned: &[Owned]) -> Properties {
        let mut properties = Properties::default();
        for (name, value) in raw.into_iter().flat_map(|raw| raw.iter()) {
            if let Some((_, instead)) = OWNED.iter().chain(owned).find(|(owned, _)| owned == name) {
                let message = format!("`{name}` cannot be set here");
                self.key_problem(value.node, message, Some((*instead).to_owned()));
            } else if let Some(Plain(text)) = self.read(value) {
                if self.document.is_from_variable(value.node) {
                    properties.insert_hidden(name.clone(), Secret::from(text));
                } else {
                    properties.insert(name, text);
                }
            }
        }
        properties
    }
}
