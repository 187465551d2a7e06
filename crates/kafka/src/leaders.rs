//! Who leads a partition: questions only the leader answers, and what the library believes about leaders.
//!
//! After a broker has come back, or a partition has moved, the one that is asked where a partition begins and ends may
//! answer that it leads no longer or not yet, and the library goes on asking it; or the library lets go of a broker that
//! left the cluster, and of the question with it. So the leaders are looked up anew, and the question is put again.
//!
//! A broker that refuses a fetch also tells, partition by partition, who leads now (KIP-951). Where it knows that of
//! some partitions only, librdkafka (2.12.1, and later ones) reads memory that nobody wrote, and the process may die of
//! it (confluentinc/librdkafka#5280; seen here once in some sixty restarts of a broker). The same refusal makes it ask
//! for the topic's metadata anyway, so the linker hands the call to a function here that does nothing (`build.rs`).

use std::ffi::{c_int, c_void};
use std::sync::Once;
use std::thread;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::deadline::Deadline;
use crate::error::{Result, code_of, is_unknown, told};
use crate::limits::{BEHIND_MAX, LED_MAX, REQUEST_MAX, SLEEP_MAX, VISIBLE_PAUSE};

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
        if !(is_answered_later(&error) || is_unknown(&error)) || deadline.passed() {
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

/// The same where somebody has read, or committed, up to an offset: a broker that was frozen, and does not know yet that it
/// leads no longer, tells of an earlier end. It is asked again for a while.
pub(crate) fn ends_reaching<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(i64, i64)> {
    let deadline = Deadline::after(BEHIND_MAX);
    loop {
        let (low, end) = ends(client, topic, partition)?;
        if offset <= end || deadline.passed() {
            return Ok((low, end));
        }
        look_up(client, topic, partition)?;
        thread::sleep(SLEEP_MAX);
    }
}

/// Looks up anew who leads a partition.
pub(crate) fn look_up<C: ClientContext>(client: &Client<C>, topic: &str, partition: i32) -> Result<()> {
    let asked = client.fetch_metadata(Some(topic), REQUEST_MAX).map(drop);
    asked.map_err(|error| told(&format!("topic `{topic}` partition {partition}: asking who leads it"), &error))
}

/// Stands where librdkafka's own function stood, and answers that the work is done (`RD_KAFKA_OP_RES_HANDLED`).
#[expect(unsafe_code, reason = "the linker looks for this name; see the top of the file")]
#[unsafe(no_mangle)]
extern "C" fn __wrap_rd_kafka_metadata_update_op(_client: *mut c_void, _told: *mut c_void) -> c_int {
    1
}

/// Whether the linker did so.
fn is_linked_around() -> bool {
    #[expect(unsafe_code, reason = "only its address is taken")]
    unsafe extern "C" {
        fn rd_kafka_metadata_update_op(client: *mut c_void, told: *mut c_void) -> c_int;
    }
    rd_kafka_metadata_update_op as *const () == __wrap_rd_kafka_metadata_update_op as *const ()
}

/// Warns, once, where this program was linked without what the top of this file tells.
pub(crate) fn warn_of_defect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !is_linked_around() {
            tracing::warn!(
                "linked without --wrap=rd_kafka_metadata_update_op: a broker's restart may end this process; build \
                 it where the linker knows that option"
            );
        }
    });
}

fn is_answered_later(error: &KafkaError) -> bool {
    matches!(
        code_of(error),
        Some(
            Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::OffsetNotAvailable
                | Code::DestroyBroker
        )
    )
}

#[cfg(test)]
mod tests;
