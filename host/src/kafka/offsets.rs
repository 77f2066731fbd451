//! A consumer group's offsets, asked for and moved from outside of the group.
//!
//! A commit from outside is taken by the coordinator only while the group has no member (Kafka, `GroupCoordinator`:
//! `UNKNOWN_MEMBER_ID` otherwise): what keeps a move from being undone is the broker, not a look before.

use std::time::Duration;

use rdkafka::{
    Offset,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError as RdError,
};

use super::{
    KafkaError, Settings, ask,
    consumer::{Partition, StartAt, to_list},
};

/// How long one question to the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A member of a group, as the coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub client: String,
    pub host: String,
}

/// A client that joins no group. Calls block.
pub struct Offsets {
    client: BaseConsumer,
    group: String,
}

impl Offsets {
    /// Connects in the background.
    ///
    /// # Errors
    /// A property that librdkafka does not know, or a value that it refuses.
    pub fn new(settings: &Settings, group: &str) -> Result<Self, KafkaError> {
        let mut settings = settings.clone();
        // A static member's name would be looked for in the group at each commit.
        settings.properties.retain(|(name, _)| name != "group.instance.id");
        let client = settings.consumer(group, &[]).create();
        Ok(Self { client: client.map_err(|error| KafkaError::new("create a client", error))?, group: group.into() })
    }

    /// All partitions of the topics that `takes` says yes to, in order.
    ///
    /// # Errors
    /// The brokers did not answer.
    pub fn partitions(&self, takes: &dyn Fn(&str) -> bool) -> Result<Vec<Partition>, KafkaError> {
        let all = self.client.fetch_metadata(None, TIMEOUT).map_err(failed("ask for the topics"))?;
        let topics = all.topics().iter().filter(|topic| takes(topic.name()));
        let mut found: Vec<Partition> = topics
            .flat_map(|topic| {
                let name: std::sync::Arc<str> = topic.name().into();
                topic.partitions().iter().map(move |one| Partition { topic: name.clone(), partition: one.id() })
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// Next offsets of the group; none where it has none.
    ///
    /// # Errors
    /// The brokers did not answer.
    pub fn committed(&self, partitions: &[Partition]) -> Result<Vec<Option<i64>>, KafkaError> {
        ask::committed(&self.client, partitions, TIMEOUT)
    }

    /// Offset of the oldest record that is there, and of the next one to come, of each.
    ///
    /// # Errors
    /// The brokers did not answer.
    pub fn ends(&self, partitions: &[Partition]) -> Result<Vec<(i64, i64)>, KafkaError> {
        ask::ends(&self.client, partitions, TIMEOUT)
    }

    /// Offsets of the records that `at` names; of the one to come where there is no record that late.
    ///
    /// # Errors
    /// The brokers did not answer.
    pub fn at(&self, partitions: &[Partition], at: StartAt) -> Result<Vec<i64>, KafkaError> {
        ask::offsets(&self.client, partitions, at, TIMEOUT)
    }

    /// Who is in the group now.
    ///
    /// # Errors
    /// The coordinator did not answer.
    pub fn members(&self) -> Result<Vec<Member>, KafkaError> {
        let groups = self.client.fetch_group_list(Some(&self.group), TIMEOUT);
        let groups = groups.map_err(failed("ask for the members of the group"))?;
        let members = groups.groups().iter().flat_map(|group| group.members()).map(|member| Member {
            id: member.id().into(),
            client: member.client_id().into(),
            host: member.client_host().trim_start_matches('/').into(),
        });
        Ok(members.collect())
    }

    /// Makes these the next offsets of the group, all at once.
    ///
    /// # Errors
    /// The coordinator refuses, because somebody is in the group.
    pub fn commit(&self, offsets: &[(Partition, i64)]) -> Result<(), KafkaError> {
        let list = to_list(offsets.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))))?;
        self.client.commit(&list, CommitMode::Sync).map_err(failed("move the offsets of the group"))
    }
}

fn failed(call: &'static str) -> impl Fn(RdError) -> KafkaError {
    move |error| KafkaError::new(call, error)
}
