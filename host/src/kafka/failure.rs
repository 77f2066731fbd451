//! Why records are not delivered: what brokers' error codes mean for them. Pure.

use rdkafka::types::RDKafkaErrorCode;

/// Why a record was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The broker will never take this record.
    Record(String),
    /// Wrong topic, no permission, wrong credentials: a person has to look.
    Configuration(String),
    /// It may work later; librdkafka's own retries are used up or were cut short.
    Transient(String),
}

impl Failure {
    /// In words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Record(reason) | Self::Configuration(reason) | Self::Transient(reason) => reason,
        }
    }
}

/// A broker's error code (kafka.apache.org/protocol, "Error Codes") by librdkafka's name, as far as one comes back from the
/// requests of the direct path.
fn named(code: i16) -> Option<RDKafkaErrorCode> {
    use RDKafkaErrorCode as Code;
    Some(match code {
        0 => Code::NoError,
        1 => Code::OffsetOutOfRange,
        2 => Code::InvalidMessage,
        3 => Code::UnknownTopicOrPartition,
        4 => Code::InvalidMessageSize,
        5 => Code::LeaderNotAvailable,
        6 => Code::NotLeaderForPartition,
        7 => Code::RequestTimedOut,
        8 => Code::BrokerNotAvailable,
        9 => Code::ReplicaNotAvailable,
        10 => Code::MessageSizeTooLarge,
        13 => Code::NetworkException,
        14 => Code::CoordinatorLoadInProgress,
        15 => Code::CoordinatorNotAvailable,
        16 => Code::NotCoordinator,
        17 => Code::InvalidTopic,
        18 => Code::MessageBatchTooLarge,
        19 => Code::NotEnoughReplicas,
        20 => Code::NotEnoughReplicasAfterAppend,
        21 => Code::InvalidRequiredAcks,
        22 => Code::IllegalGeneration,
        25 => Code::UnknownMemberId,
        27 => Code::RebalanceInProgress,
        29 => Code::TopicAuthorizationFailed,
        30 => Code::GroupAuthorizationFailed,
        31 => Code::ClusterAuthorizationFailed,
        32 => Code::InvalidTimestamp,
        35 => Code::UnsupportedVersion,
        41 => Code::NotController,
        42 => Code::InvalidRequest,
        43 => Code::UnsupportedForMessageFormat,
        44 => Code::PolicyViolation,
        45 => Code::OutOfOrderSequenceNumber,
        46 => Code::DuplicateSequenceNumber,
        47 => Code::InvalidProducerEpoch,
        48 => Code::InvalidTransactionalState,
        49 => Code::InvalidProducerIdMapping,
        50 => Code::InvalidTransactionTimeout,
        51 => Code::ConcurrentTransactions,
        53 => Code::TransactionalIdAuthorizationFailed,
        55 => Code::OperationNotAttempted,
        56 => Code::KafkaStorageError,
        58 => Code::SaslAuthenticationFailed,
        59 => Code::UnknownProducerId,
        72 => Code::ListenerNotFound,
        74 => Code::FencedLeaderEpoch,
        75 => Code::UnknownLeaderEpoch,
        76 => Code::UnsupportedCompressionType,
        78 => Code::OffsetNotAvailable,
        82 => Code::FencedInstanceId,
        87 => Code::InvalidRecord,
        89 => Code::ThrottlingQuotaExceeded,
        90 => Code::ProducerFenced,
        _ => return None,
    })
}

/// A broker's error code in words.
pub fn error_text(code: i16) -> String {
    named(code).map_or_else(|| format!("error {code}"), |known| known.to_string())
}

/// What a broker's error code means for the records of a batch, with what the broker said about it.
pub fn judge(code: i16, said: Option<&str>) -> Failure {
    let text = match said {
        Some(said) => format!("{}: {said}", error_text(code)),
        None => error_text(code),
    };
    match named(code) {
        Some(known) => classify(known, text),
        None => Failure::Transient(text),
    }
}

/// Whether a coordinator's error code is for a person to look at: it refuses the transaction until something is changed.
pub fn needs_a_person(code: i16) -> bool {
    named(code).is_some_and(is_for_a_person)
}

pub(super) fn is_for_a_person(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::InvalidTransactionTimeout
            | Code::SaslAuthenticationFailed
    )
}

/// What a broker's answer means for a record. Pure; what is not listed is taken for transient.
pub(super) fn classify(code: RDKafkaErrorCode, text: String) -> Failure {
    use RDKafkaErrorCode as Code;
    match code {
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidMessage
        | Code::MessageBatchTooLarge
        | Code::InvalidRecord
        | Code::InvalidTimestamp => Failure::Record(text),
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::PolicyViolation
        | Code::InvalidRequiredAcks
        | Code::InvalidRequest
        | Code::UnsupportedVersion
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType
        | Code::Fatal => Failure::Configuration(text),
        _ => Failure::Transient(text),
    }
}
