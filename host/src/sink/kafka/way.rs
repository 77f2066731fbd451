//! The two ways to the brokers, behind one face: librdkafka's producer and the direct one.

use std::time::Duration;

use crate::{
    direct::{Choice, DirectContact, DirectProducer, DirectTopic, News},
    kafka::{
        Consumer, ExtraHeaders, Failure, KafkaError, Partition, ProduceError, Producer, Reach, Settings, TopicHandle,
        TransactionError,
    },
    output::Record,
    sink::Contact,
};

pub(super) enum Way {
    Client(Producer),
    Direct(Box<DirectProducer>),
}

/// A topic, on the way that it was asked of.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    Client(TopicHandle),
    Direct(DirectTopic),
}

impl Way {
    pub(super) fn new(settings: &Settings, client: &Choice) -> Result<Self, KafkaError> {
        // A property or a value that does not exist is found out by librdkafka, on either way.
        Producer::check(settings)?;
        let direct = client.start("send records", |ground| DirectProducer::start(settings, ground))?;
        Ok(match direct {
            Some(producer) => Self::Direct(Box::new(producer)),
            None => Self::Client(Producer::new(settings)?),
        })
    }

    /// As [`Self::new`], for transactions under this id.
    pub(super) fn transactional(settings: &Settings, id: &str, client: &Choice) -> Result<Self, KafkaError> {
        Producer::check(settings)?;
        let direct = client
            .start("send records in transactions", |ground| DirectProducer::transactional(settings, id, ground))?;
        Ok(match direct {
            Some(producer) => Self::Direct(Box::new(producer)),
            None => Self::Client(Producer::transactional(settings, id)?),
        })
    }

    /// Records that may wait for their report before the lane hands over no more. Fewer: the broker waits for us between
    /// two batches. More: more memory, and no more speed. librdkafka, which has one request of each partition under way,
    /// needs twice as many.
    pub(super) const fn records_in_flight_max(&self) -> usize {
        match self {
            Self::Client(_) => 100_000,
            Self::Direct(_) => 50_000,
        }
    }

    /// Ends what a producer of the same id has left open.
    pub(super) fn take_over(&self, timeout: Duration) -> Result<(), TransactionError> {
        match self {
            Self::Client(producer) => producer.init_transactions(timeout),
            Self::Direct(producer) => producer.take_over(timeout),
        }
    }

    /// Before the first record of a transaction. The direct way begins one with that record.
    pub(super) fn begin(&self) -> Result<(), TransactionError> {
        match self {
            Self::Client(producer) => producer.begin_transaction(),
            Self::Direct(_) => Ok(()),
        }
    }

    /// Nothing more comes before the commit.
    pub(super) fn hasten(&self) {
        if let Self::Direct(producer) = self {
            producer.hasten();
        }
    }

    /// Commits, with the next offsets of a consumer's group.
    pub(super) fn commit(
        &self,
        offsets: Option<(&Consumer, &[(Partition, i64)])>,
        timeout: Duration,
    ) -> Result<(), TransactionError> {
        match self {
            Self::Client(producer) => {
                if let Some((consumer, offsets)) = offsets {
                    producer.send_offsets(consumer, offsets.iter().cloned(), timeout)?;
                }
                producer.commit_transaction(timeout)
            }
            Self::Direct(producer) => {
                let of_member = |(consumer, offsets): (&Consumer, &[(Partition, i64)])| {
                    let member = consumer.membership();
                    let member = member.map_err(|error| TransactionError::new("commit the transaction", error, false));
                    Ok((member?, offsets.to_vec()))
                };
                producer.commit(offsets.map(of_member).transpose()?, timeout)
            }
        }
    }

    /// Whether the cluster has answered since the first topic was asked for.
    pub(super) fn contact(&self) -> Contact {
        match self {
            Self::Client(producer) => match producer.reach() {
                Reach::Reached => Contact::Made,
                Reach::Waits(reason) => Contact::Waits(reason),
                Reach::Refused(reason) => Contact::Failed(reason),
            },
            Self::Direct(producer) => match producer.contact() {
                DirectContact::Made => Contact::Made,
                DirectContact::Waits(reason) => Contact::Waits(reason),
                DirectContact::Unfit(reason) => Contact::Over(reason),
            },
        }
    }

    pub(super) fn topic(&mut self, name: &[u8]) -> Result<Topic, String> {
        match self {
            Self::Client(producer) => producer.topic(name).map(Topic::Client),
            Self::Direct(producer) => producer.topic(name).map(Topic::Direct),
        }
    }

    #[inline]
    pub(super) fn produce(
        &mut self,
        topic: Topic,
        partition: Option<i32>,
        record: &Record<'_>,
        extra: ExtraHeaders<'_>,
        opaque: u64,
    ) -> Result<(), ProduceError> {
        match (self, topic) {
            (Self::Client(producer), Topic::Client(topic)) => {
                producer.produce(topic, partition, record, extra, opaque as usize)
            }
            (Self::Direct(producer), Topic::Direct(topic)) => producer.produce(topic, partition, record, extra, opaque),
            // A handle of one outlet is of no use with another.
            _ => Err(ProduceError::Failed("a topic of another producer".into())),
        }
    }

    /// What happened since this was asked last. librdkafka keeps it to itself.
    pub(super) fn news(&self) -> News {
        match self {
            Self::Client(_) => News::default(),
            Self::Direct(producer) => producer.news(),
        }
    }

    /// At the end of what belongs together.
    pub(super) fn offer(&mut self) {
        if let Self::Direct(producer) = self {
            producer.offer();
        }
    }

    /// Calls with the numbers of records and their outcome, which is the same for all of one call.
    ///
    /// # Errors
    /// Nothing will come any more.
    pub(super) fn poll(
        &mut self,
        wait: Duration,
        ended: &mut dyn FnMut(&[u64], Result<(), Failure>),
    ) -> Result<(), String> {
        match self {
            Self::Client(producer) => {
                producer.poll(wait, &mut |delivered| ended(&[delivered.opaque as u64], delivered.outcome));
                Ok(())
            }
            Self::Direct(producer) => producer.poll(wait, &mut |report| ended(&report.opaques, report.outcome)),
        }
    }
}
