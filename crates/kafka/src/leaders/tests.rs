use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::util::get_rdkafka_version;

use super::ask_leaders;
use crate::embedded::Embedded;

/// With every new version: whether confluentinc/librdkafka#5280 is mended, and the function that is linked around can be
/// left in place.
#[test]
fn the_library_is_the_one_that_was_looked_at() {
    assert_eq!(get_rdkafka_version().1, "2.12.1");
}

#[test]
fn the_defect_is_linked_around_where_the_linker_can() {
    assert_eq!(super::is_linked_around(), cfg!(target_os = "linux"));
}

#[test]
fn a_question_that_nobody_could_answer_just_then_is_put_again() {
    let embedded = Embedded::start().unwrap();
    embedded.create_topic("topic", 1).unwrap();
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", embedded.bootstrap()).set("group.id", "asks").create().unwrap();
    let asked = |code: Code| {
        let mut answers = vec![Ok(7), Err((("topic".to_owned(), 0), KafkaError::MetadataFetch(code)))];
        ask_leaders(client.client(), || answers.pop().expect("it is asked twice at most"))
    };
    for code in [Code::DestroyBroker, Code::OffsetNotAvailable, Code::NotLeaderForPartition] {
        assert_eq!(asked(code).unwrap(), 7, "{code:?}");
    }
    let told = asked(Code::TopicAuthorizationFailed).unwrap_err().to_string();
    assert!(told.contains("topic `topic` partition 0: asking for its ends"), "{told}");
}
