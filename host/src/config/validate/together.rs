//! What the parts of a pipeline mean together: routes that lead somewhere, deliveries that can be promised, records
//! that do not run in circles.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::config::{
    document::NodeId,
    names::{did_you_mean, is_route_name},
    pipeline::{Client, DeadLetter, Delivery, KafkaSource},
    raw::RawPipeline,
    sinks::{KafkaSink, Sink},
    topics::covers,
    value::At,
};

impl Check<'_> {
    /// Sinks by route. Works on the names in the file, so that one bad sink does not make its routes bad.
    pub(super) fn routes(&mut self, raw: &At<RawPipeline>) -> BTreeMap<String, Vec<String>> {
        let mut routes = BTreeMap::new();
        let Some(raw_routes) = self.section(raw.node, "routes", &raw.routes) else { return routes };
        if raw_routes.is_empty() {
            let help = "name a route of the module and the sinks that it leads to: `main: [out]`".to_owned();
            self.key_problem(raw_routes.node, "there is no route", Some(help));
        }
        let sinks: BTreeMap<&str, NodeId> =
            raw.sinks.iter().flat_map(|sinks| sinks.iter()).map(|(name, sink)| (name.as_str(), sink.node)).collect();
        for (route, targets) in raw_routes.iter() {
            if !is_route_name(route) {
                let help = "a route has 1 to 63 of a-z, A-Z, 0-9, `.`, `_` and `-`".to_owned();
                self.key_problem(targets.node, format!("a route cannot be called `{route}`"), Some(help));
            }
            if targets.is_empty() {
                let help = "name a sink; to drop records, have the module leave them out".to_owned();
                self.key_problem(targets.node, format!("the route `{route}` leads nowhere"), Some(help));
            }
            let read: Vec<_> =
                targets.iter().filter_map(|target| self.read(target).map(|name| (target.node, name.0))).collect();
            self.distinct(&read);
            for (node, name) in &read {
                self.known(*node, name, &sinks);
            }
            routes.insert(route.clone(), read.into_iter().map(|(_, name)| name).collect());
        }
        let used: BTreeSet<&str> = routes.values().flatten().map(String::as_str).collect();
        for (name, node) in sinks.into_iter().filter(|(name, _)| !used.contains(name)) {
            let message = format!("no route leads to the sink `{name}`");
            let help = "remove it, or name it in a route".to_owned();
            self.warnings.push(self.document.key_problem(node, message, Some(help)));
        }
        routes
    }

    fn known(&mut self, node: NodeId, name: &str, sinks: &BTreeMap<&str, NodeId>) {
        if sinks.contains_key(name) {
            return;
        }
        let help = did_you_mean(name, sinks.keys().copied()).filter(|_| self.document.may_show(node));
        let help = help.unwrap_or_else(|| "a sink stands under `sinks` by its name".to_owned());
        self.problem(node, format!("no sink is called {}", self.document.shown(node)), Some(help));
    }

    /// Delivery and circles. Speaks of what is sound by itself; clusters are compared if the source is.
    pub(super) fn together(
        &mut self,
        raw: &At<RawPipeline>,
        source: Option<&KafkaSource>,
        sinks: &BTreeMap<String, Sink>,
        dead_letter: Option<&DeadLetter>,
        delivery: Delivery,
    ) {
        let mut client = Client::Auto;
        for (name, sink) in sinks {
            let node = raw.sinks.as_ref().and_then(|sinks| sinks.get(name)).map(|sink| sink.node);
            match (node, sink, source) {
                (Some(node), Sink::Kafka(kafka), Some(source)) => {
                    self.may_be_exact(node, kafka, &mut client, source, delivery);
                    if reads_back(kafka, source) {
                        let message = format!("the sink writes to `{}`, which the source reads", kafka.topic);
                        let help = "records may go round for ever, unless the module stops them".to_owned();
                        self.warnings.push(self.document.key_problem(node, message, Some(help)));
                    }
                }
                (Some(node), other, _) if delivery == Delivery::ExactlyOnce && !matches!(other, Sink::Kafka(_)) => {
                    let help = "send to a topic of the source's cluster, or write `delivery: at-least-once`".to_owned();
                    self.key_problem(node, "exactly-once reaches Kafka sinks only", Some(help));
                }
                _ => {}
            }
        }
        let node = raw.errors.as_ref().and_then(|errors| errors.dead_letter.as_ref()).map(|raw| raw.node);
        if let (Some(node), Some(dead_letter), Some(source)) = (node, dead_letter, source) {
            self.may_be_exact(node, &dead_letter.kafka, &mut client, source, delivery);
            if reads_back(&dead_letter.kafka, source) {
                let message = "dead letters go to a topic that the source reads";
                self.key_problem(node, message, Some("they would fail for ever: name another topic".to_owned()));
            }
        }
    }

    /// `client` is what those before have named.
    fn may_be_exact(
        &mut self,
        node: NodeId,
        sink: &KafkaSink,
        client: &mut Client,
        source: &KafkaSource,
        delivery: Delivery,
    ) {
        if *client == Client::Auto {
            *client = sink.client;
        }
        if delivery == Delivery::ExactlyOnce && ![Client::Auto, *client].contains(&sink.client) {
            let help = "leave `client` out, or name one everywhere".to_owned();
            self.key_problem(node, "exactly-once has one producer: another sink names another `client`", Some(help));
        }
        if delivery == Delivery::ExactlyOnce && !is_same_cluster(sink, source) {
            let help = "a transaction spans one cluster: leave `brokers` out, or write the source's".to_owned();
            self.key_problem(node, "exactly-once does not reach another cluster than the source's", Some(help));
        }
    }
}

fn reads_back(sink: &KafkaSink, source: &KafkaSource) -> bool {
    is_same_cluster(sink, source) && source.topics.iter().any(|topic| covers(topic, &sink.topic))
}

/// Clusters are told apart by their brokers as written: loading asks nobody.
fn is_same_cluster(sink: &KafkaSink, source: &KafkaSource) -> bool {
    let set = |brokers: &[String]| brokers.iter().map(|broker| broker.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    set(&sink.brokers) == set(&source.brokers)
}
