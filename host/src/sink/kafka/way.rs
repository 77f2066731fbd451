//! The two ways to the brokers, behind one face: librdkafka's producer and the direct one.

use std::time::Duration;

use crate::{
    direct::{DirectProducer, DirectTopic},
    kafka::{Failure, KafkaError, ProduceError, Producer, Settings, TopicHandle},
    output::Record,
};

/// Who sends.
#[derive(Clone, Debug)]
pub enum Sending {
    Librdkafka,
    /// The direct path, with its task on this runtime; librdkafka where it does not do what the properties ask for.
    Auto(tokio::runtime::Handle),
    /// The direct path, or an error.
    Direct(tokio::runtime::Handle),
}

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
    pub(super) fn new(settings: &Settings, sending: &Sending) -> Result<Self, KafkaError> {
        let (runtime, must) = match sending {
            Sending::Librdkafka => return Ok(Self::Client(Producer::new(settings)?)),
            Sending::Auto(runtime) => (runtime, false),
            Sending::Direct(runtime) => (runtime, true),
        };
        match DirectProducer::start(settings, runtime) {
            Ok(producer) => {
                // A property or a value that does not exist is found out by librdkafka, as on its own way.
                Producer::check(settings)?;
                Ok(Self::Direct(Box::new(producer)))
            }
            Err(unsupported) if must => Err(KafkaError::new("send directly", unsupported)),
            Err(unsupported) => {
                tracing::info!(reason = %unsupported, "records are sent by librdkafka");
                Ok(Self::Client(Producer::new(settings)?))
            }
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
        extra: &[(&str, &[u8])],
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

    /// At the end of what belongs together.
    pub(super) fn offer(&mut self) {
        if let Self::Direct(producer) = self {
            producer.offer();
        }
    }

    /// Calls with the numbers of records and their outcome, which is the same for all of one call.
    pub(super) fn poll(&mut self, wait: Duration, ended: &mut dyn FnMut(&[u64], Result<(), Failure>)) {
        match self {
            Self::Client(producer) => {
                producer.poll(wait, &mut |delivered| ended(&[delivered.opaque as u64], delivered.outcome));
            }
            Self::Direct(producer) => producer.poll(wait, &mut |report| ended(&report.opaques, report.outcome)),
        }
    }
}
