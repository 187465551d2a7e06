//! Questions that only the leader of a partition answers: where it begins and ends.
//!
//! After a broker has come back, or a partition has moved, the one that is asked may answer that it leads no longer or
//! not yet, and the library goes on asking it. So the leaders are looked up anew, and the question is put again.

use std::thread;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::deadline::Deadline;
use crate::error::{Result, code_of, is_unknown, told};
use crate::limits::{LED_MAX, REQUEST_MAX, VISIBLE_PAUSE};

/// A partition of a topic.
pub(crate) type Place = (String, i32);

/// Puts a question until leaders answer it; where they do not, the place comes with the error.
pub(crate) fn ask_leaders<C: ClientContext, T>(
    client: &Client<C>,
    mut ask: impl FnMut() -> std::result::Result<T, (Place, KafkaError)>,
) -> Result<T> {
    let deadline = Deadline::after(LED_MAX);
    loop {
        let ((topic, partition), error) = match ask() {
            Ok(answer) => return Ok(answer),
            Err(unanswered) => unanswered,
        };
        let doing = format!("topic `{topic}` partition {partition}: asking for its ends");
        if !(is_of_former_leader(&error) || is_unknown(&error)) || deadline.passed() {
            return Err(told(&doing, &error));
        }
        client.fetch_metadata(Some(&topic), REQUEST_MAX).map_err(|error| told(&doing, &error))?;
        thread::sleep(VISIBLE_PAUSE);
    }
}

/// The first offset present and the end of a partition: the last stable offset for a consumer of committed data, the
/// high watermark for any other client.
pub(crate) fn ends<C: ClientContext>(client: &Client<C>, topic: &str, partition: i32) -> Result<(i64, i64)> {
    ask_leaders(client, || {
        let ends = client.fetch_watermarks(topic, partition, REQUEST_MAX);
        ends.map_err(|error| ((topic.to_owned(), partition), error))
    })
}

fn is_of_former_leader(error: &KafkaError) -> bool {
    matches!(
        code_of(error),
        Some(
            Code::FencedLeaderEpoch | Code::UnknownLeaderEpoch | Code::NotLeaderForPartition | Code::LeaderNotAvailable
        )
    )
}
