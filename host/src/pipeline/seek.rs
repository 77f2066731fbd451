//! Moves the position of a pipeline's group. The lanes rest meanwhile: what is in flight is delivered and committed,
//! they leave the group, the offsets are moved in one request that the coordinator takes only from outside of an empty
//! group, and the lanes join again. So a move is exact, whatever else happens: either all offsets are moved or none.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::build::settings;
use crate::{
    config,
    kafka::{KafkaError, Member, Offsets, Partition, StartAt},
};

/// How long a group may take to be empty once our members have left it. A static member (KIP-345) does not leave: it is
/// forgotten after its session timeout, which is 45 s by default.
const EMPTY_WITHIN: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(100);

/// Next offsets, by topic and partition.
pub type Places = BTreeMap<String, BTreeMap<i32, i64>>;

/// Where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// To the oldest records that are there.
    Earliest,
    /// Behind the last ones.
    Latest,
    /// To the first records that are not older, in milliseconds since the Unix epoch; behind the last where there are
    /// none.
    Time(i64),
    /// Only the partitions that are named move.
    Places(Places),
}

/// How a partition moves. Offsets are those of the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Move {
    /// Where the group stood; none where it had no offset.
    pub from: Option<i64>,
    pub to: i64,
    /// Offsets between that will be read again.
    pub again: i64,
    /// Offsets between that will not be read.
    pub skipped: i64,
}

/// By topic, then by partition.
pub type Moves = BTreeMap<String, BTreeMap<i32, Move>>;

/// Nothing was moved.
#[derive(Debug, Error)]
pub enum SeekError {
    #[error("the brokers: {0}")]
    Kafka(#[from] KafkaError),
    #[error(
        "others are in the group `{group}`, and would go on from where they are: {members}. Stop the pipeline there \
         (`enabled: false`), then seek; a member that was killed is gone after its session timeout"
    )]
    Others { group: String, members: String },
    #[error("there is no partition {partition} of topic `{topic}` in this pipeline")]
    NoPartition { topic: String, partition: i32 },
    #[error(
        "offset {to} of {topic}[{partition}] is not there: records from {low} on are, and the next one will be {high}"
    )]
    Range { topic: String, partition: i32, to: i64, low: i64, high: i64 },
    #[error("a lane does not come to rest: its clients do not close. Try again, or restart the host")]
    Restless,
}

impl SeekError {
    /// Stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Others { .. } => "group-in-use",
            Self::NoPartition { .. } => "no-such-partition",
            Self::Range { .. } => "offset-out-of-range",
            Self::Restless => "not-at-rest",
        }
    }
}

/// The group of a pipeline, seen from outside.
pub struct Group {
    offsets: Offsets,
    name: String,
    partitions: Vec<Partition>,
}

impl Group {
    /// Asks for the partitions of the pipeline's topics.
    ///
    /// # Errors
    /// The brokers do not answer.
    pub fn of(spec: &config::Pipeline) -> Result<Self, SeekError> {
        let source = &spec.source;
        let offsets = Offsets::new(&settings(&source.brokers, &source.properties), &source.group)?;
        let takes = |name: &str| source.topics.iter().any(|topic| config::covers(topic, name));
        let partitions = offsets.partitions(&takes)?;
        Ok(Self { offsets, name: source.group.clone(), partitions })
    }

    /// Refuses where more members are in the group than `ours`.
    ///
    /// # Errors
    /// Who they are; or the brokers do not answer.
    pub fn only_ours(&self, ours: usize) -> Result<(), SeekError> {
        let members = self.offsets.members()?;
        if members.len() > ours { Err(self.others(&members)) } else { Ok(()) }
    }

    fn others(&self, members: &[Member]) -> SeekError {
        let members: Vec<String> =
            members.iter().map(|member| format!("{} at {} ({})", member.client, member.host, member.id)).collect();
        SeekError::Others { group: self.name.clone(), members: members.join(", ") }
    }

    /// Waits until nobody is in the group.
    ///
    /// # Errors
    /// Who still is; or the brokers do not answer.
    pub fn empty(&self) -> Result<(), SeekError> {
        let deadline = Instant::now() + EMPTY_WITHIN;
        loop {
            let members = self.offsets.members()?;
            if members.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.others(&members));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What a seek would do now.
    ///
    /// # Errors
    /// A place that is not there; or the brokers do not answer.
    pub fn plan(&self, to: &SeekTo) -> Result<Moves, SeekError> {
        let targets = self.targets(to)?;
        let partitions: Vec<Partition> = targets.iter().map(|(partition, _)| partition.clone()).collect();
        let from = self.offsets.committed(&partitions)?;
        let mut moves = Moves::new();
        for ((partition, to), from) in targets.into_iter().zip(from) {
            let by = from.map_or(0, |from| to - from);
            let one = Move { from, to, again: (-by).max(0), skipped: by.max(0) };
            moves.entry(partition.topic.to_string()).or_default().insert(partition.partition, one);
        }
        Ok(moves)
    }

    fn targets(&self, to: &SeekTo) -> Result<Vec<(Partition, i64)>, SeekError> {
        let at = match to {
            SeekTo::Places(places) => return self.places(places),
            SeekTo::Earliest => StartAt::Earliest,
            SeekTo::Latest => StartAt::Latest,
            SeekTo::Time(time) => StartAt::Time(*time),
        };
        let targets = self.offsets.at(&self.partitions, at)?;
        Ok(self.partitions.iter().cloned().zip(targets).collect())
    }

    fn places(&self, places: &Places) -> Result<Vec<(Partition, i64)>, SeekError> {
        let mut targets = Vec::new();
        for (topic, partition, to) in
            places.iter().flat_map(|(topic, all)| all.iter().map(move |(partition, to)| (topic, *partition, *to)))
        {
            let named = |known: &&Partition| *known.topic == **topic && known.partition == partition;
            let Some(known) = self.partitions.iter().find(named) else {
                return Err(SeekError::NoPartition { topic: topic.clone(), partition });
            };
            targets.push((known.clone(), to));
        }
        let partitions: Vec<Partition> = targets.iter().map(|(partition, _)| partition.clone()).collect();
        let ends = self.offsets.ends(&partitions)?;
        for ((partition, to), (low, high)) in targets.iter().zip(ends) {
            if !(low..=high).contains(to) {
                let topic = partition.topic.to_string();
                return Err(SeekError::Range { topic, partition: partition.partition, to: *to, low, high });
            }
        }
        Ok(targets)
    }

    /// Moves the group, which must be empty.
    ///
    /// # Errors
    /// Somebody has come into the group, or the brokers do not answer.
    pub fn apply(&self, moves: &Moves) -> Result<(), SeekError> {
        let offsets: Vec<(Partition, i64)> = moves
            .iter()
            .flat_map(|(topic, all)| {
                let topic: std::sync::Arc<str> = topic.as_str().into();
                all.iter()
                    .map(move |(partition, one)| (Partition { topic: topic.clone(), partition: *partition }, one.to))
            })
            .collect();
        if offsets.is_empty() {
            return Ok(());
        }
        self.offsets.commit(&offsets).map_err(|error| match self.offsets.members() {
            Ok(members) if !members.is_empty() => self.others(&members),
            _ => error.into(),
        })
    }
}
