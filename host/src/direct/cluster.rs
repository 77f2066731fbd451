//! Where the brokers are, and who leads which partition.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use rand::seq::{IndexedRandom as _, IteratorRandom as _, SliceRandom as _};

use super::{
    api::{self, Leader, Metadata},
    connection::{Address, Caller, Connection, ConnectionError},
};
use crate::kafka::Partition;

/// For an answer about the cluster.
const PATIENCE: Duration = Duration::from_secs(10);

/// As of the last answer.
#[derive(Debug)]
pub(super) struct Cluster {
    bootstrap: Vec<Address>,
    pub(super) caller: Caller,
    brokers: HashMap<i32, Address>,
    topics: HashMap<String, Vec<Leader>>,
}

impl Cluster {
    pub(super) fn new(bootstrap: Vec<Address>, caller: Caller) -> Self {
        Self { bootstrap, caller, brokers: HashMap::new(), topics: HashMap::new() }
    }

    /// All brokers that are known, in any order; those that were named last.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let mut known: Vec<Address> = self.brokers.values().cloned().collect();
        known.shuffle(&mut rand::rng());
        known.extend(self.bootstrap.iter().cloned());
        known
    }

    /// A broker, whichever: another one each time, since one may be down.
    pub(super) fn any(&self) -> Option<Address> {
        let brokers = self.brokers.values().choose(&mut rand::rng());
        brokers.or_else(|| self.bootstrap.choose(&mut rand::rng())).cloned()
    }

    pub(super) fn knows(&self, broker: i32) -> bool {
        self.brokers.contains_key(&broker)
    }

    pub(super) fn address(&self, broker: i32) -> Option<&Address> {
        self.brokers.get(&broker)
    }

    /// Who leads a partition now; `None` where nobody does, or it is not known.
    pub(super) fn leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        let leaders = self.topics.get(topic)?;
        let leader = leaders.get(usize::try_from(partition).ok()?)?;
        (leader.broker >= 0 && self.brokers.contains_key(&leader.broker)).then_some(*leader)
    }

    /// The epoch of that leader.
    pub(super) fn leader_epoch(&self, partition: &Partition) -> Option<i32> {
        self.leader(&partition.topic, partition.partition).map(|leader| leader.epoch)
    }

    /// Takes in an answer. What it does not speak of stays, and so do partitions that were there: there are never fewer,
    /// only brokers that do not know of them yet.
    pub(super) fn learn(&mut self, metadata: &Metadata) {
        let brokers = metadata.brokers.iter().filter_map(|broker| {
            let port = u16::try_from(broker.port).ok()?;
            Some((broker.id, (broker.host.clone(), port)))
        });
        self.brokers = brokers.collect();
        for topic in metadata.topics.iter().filter(|topic| topic.code.is_none()) {
            let leaders = self.topics.entry(topic.name.clone()).or_default();
            let fewer = leaders.len().min(topic.leaders.len());
            leaders.splice(..fewer, topic.leaders.iter().copied());
        }
    }

    /// Asks the cluster about topics, whoever of it answers first; `create` lets brokers make topics that are not there,
    /// where they are configured to.
    pub(super) fn ask(
        &self,
        topics: Vec<String>,
        create: bool,
    ) -> impl Future<Output = Result<Metadata, ConnectionError>> + use<> {
        let known = self.addresses();
        let caller = self.caller.clone();
        async move {
            let mut said = ConnectionError::Broken("no broker is known".into());
            for address in known {
                match ask_one(&address, &caller, &topics, create).await {
                    Ok(metadata) => return Ok(metadata),
                    // It says more than that another one is down.
                    Err(_) if matches!(said, ConnectionError::Unfit { .. }) => {}
                    Err(error) => said = error,
                }
            }
            Err(said)
        }
    }
}

async fn ask_one(
    address: &Address,
    caller: &Caller,
    topics: &[String],
    create: bool,
) -> Result<Metadata, ConnectionError> {
    let connection = Connection::open(address, caller).await?;
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let body = Bytes::from(api::metadata_request(&topics, create));
    let answer = connection.call(api::METADATA, vec![body], PATIENCE).await?;
    api::metadata(&answer).map_err(|error| ConnectionError::Broken(error.to_string()))
}
