//! From librdkafka's errors to words that say what to do next. Owns the sorting of error codes; never quotes a payload.

use engine::ports::PortError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Everything here answers with the engine's error type.
pub(crate) type Result<T> = std::result::Result<T, PortError>;

/// The world is not ready.
pub(crate) fn unavailable(text: impl Into<String>) -> PortError {
    PortError::Unavailable(text.into())
}

/// Something must be mended by a person.
pub(crate) fn invalid(text: impl Into<String>) -> PortError {
    PortError::Invalid(text.into())
}

/// What was read is not what was written.
pub(crate) fn corrupt(text: impl Into<String>) -> PortError {
    PortError::Corrupt(text.into())
}

/// Tells `error` in words: what was tried, what the broker or the library answered, and what to try.
pub(crate) fn told(doing: &str, error: &KafkaError) -> PortError {
    let code = code_of(error);
    let answer = answer(error);
    match code {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => invalid(format!("{doing}: {answer}; grant this client's principal the right in the broker's ACLs")),
        Some(Code::SaslAuthenticationFailed | Code::Authentication | Code::SSL) => {
            invalid(format!("{doing}: {answer}; check security.protocol, sasl.* and ssl.* under [kafka.properties]"))
        }
        _ if is_unknown(error) => unavailable(format!(
            "{doing}: {answer}; a broker that has just come back may not know it yet; if it lasts, create the topic: \
             `chartwarden topics PIPELINE --apply --all`"
        )),
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
            invalid(format!("{doing}: {answer}; raise max.message.bytes of the topic"))
        }
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::FencedInstanceId) => {
            unavailable(format!("{doing}: {answer}; the group has expelled this member: poll, and open the lane again"))
        }
        Some(
            Code::PolicyViolation
            | Code::InvalidConfig
            | Code::InvalidReplicationFactor
            | Code::InvalidTopic
            | Code::InvalidPartitions,
        ) => invalid(format!("{doing}: {answer}")),
        _ => match error {
            KafkaError::ClientConfig(_, text, key, _) => {
                invalid(format!("{doing}: property `{key}`: {text}; see the library's list of properties"))
            }
            KafkaError::ClientCreation(text) => invalid(format!("{doing}: {text}; see [kafka.properties]")),
            KafkaError::Nul(_) => invalid(format!("{doing}: a name or setting contains a zero byte")),
            _ => unavailable(format!("{doing}: {answer}; check that the broker is up and reachable")),
        },
    }
}

/// The answer in the library's own words, without the decoration of its types.
pub(crate) fn answer(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        other => code_of(other).map_or_else(|| other.to_string(), |code| code.to_string()),
    }
}

/// The code, also where rdkafka's own accessor gives none.
pub(crate) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether a topic or partition is not known: it is missing, or a broker that came back has not told of it yet.
pub(crate) fn is_unknown(error: &KafkaError) -> bool {
    matches!(code_of(error), Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition))
}

/// Errors that a consumer gets over by itself: connections come back, leaders and coordinators are found again. A connection
/// that ends within its handshake reads as a refusal (librdkafka 2.12.1); real ones are told by whoever asks for anything.
pub(crate) fn passing(error: &KafkaError) -> bool {
    let Some(code) = code_of(error) else { return false };
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Authentication
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::NetworkException
            | Code::KafkaStorageError
            | Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::StaleMemberEpoch
            | Code::PollExceeded
            | Code::NodeUpdate
            | Code::NoError
    )
}
