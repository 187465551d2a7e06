//! What librdkafka reports about partitions, and about the brokers that they are fetched from.
//!
//! A broker that leaves the cluster and comes back, as at any restart, is a new handle to the library (2.12.1), and the
//! former one stays in its reports under the same name for as long as anything refers to it. A map by name, as rdkafka
//! makes one of them, keeps the last, and that is the dead one: the broker seems never to answer again, and no silence of
//! the partitions that it leads is noticed (seen here in a cluster of three). So every handle is read.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::limits::ANSWERS_WITHIN_US;

/// Statistics of a client, as far as they are used.
#[derive(Debug, Deserialize)]
pub(crate) struct Report<'r> {
    #[serde(borrow, deserialize_with = "every")]
    brokers: Vec<Handle<'r>>,
    /// By name.
    #[serde(borrow)]
    pub(crate) topics: HashMap<&'r str, Topic<'r>>,
}

/// A handle of a broker.
#[derive(Debug, Deserialize)]
struct Handle<'r> {
    nodeid: i32,
    state: &'r str,
    /// Microseconds since anything came from it; -1 while it is not connected.
    rxidle: i64,
}

/// A topic.
#[derive(Debug, Deserialize)]
pub(crate) struct Topic<'r> {
    /// By number.
    #[serde(borrow)]
    pub(crate) partitions: HashMap<i32, Partition<'r>>,
}

/// A partition.
#[derive(Debug, Deserialize)]
pub(crate) struct Partition<'r> {
    /// The broker that it is fetched from.
    pub(crate) broker: i32,
    /// Whether it is fetched: `active`.
    pub(crate) fetch_state: &'r str,
    /// Everything below it has been fetched.
    pub(crate) next_offset: i64,
    /// Offset at which its end was last signalled; negative if never.
    pub(crate) eof_offset: i64,
    /// High watermark; negative if unknown.
    pub(crate) hi_offset: i64,
}

impl Report<'_> {
    /// Brokers that answer.
    pub(crate) fn answering(&self) -> BTreeSet<i32> {
        let answers = |handle: &&Handle<'_>| handle.state == "UP" && (0..ANSWERS_WITHIN_US).contains(&handle.rxidle);
        self.brokers.iter().filter(answers).map(|handle| handle.nodeid).collect()
    }
}

/// The values of a map in which a name may stand twice.
fn every<'de, D: Deserializer<'de>>(map: D) -> Result<Vec<Handle<'de>>, D::Error> {
    struct Values;

    impl<'de> Visitor<'de> for Values {
        type Value = Vec<Handle<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("handles of brokers by name")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut handles = Vec::new();
            while let Some((_, handle)) = map.next_entry::<IgnoredAny, Handle<'de>>()? {
                handles.push(handle);
            }
            Ok(handles)
        }
    }

    map.deserialize_map(Values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a restart of broker 3: its new handle and, last, the one of before. Broker 2 is away, 1 has fallen silent.
    const AFTER_A_RESTART: &str = r#"{
        "name": "reader", "ts": 1, "replyq": 0,
        "brokers": {
            "one:9092/1": {"name": "one:9092/1", "nodeid": 1, "state": "UP", "rxidle": 6000000, "toppars": {}},
            "three:9092/3": {"name": "three:9092/3", "nodeid": 3, "state": "UP", "rxidle": 1000, "toppars": {}},
            "two:9092/2": {"name": "two:9092/2", "nodeid": 2, "state": "TRY_CONNECT", "rxidle": -1, "toppars": {}},
            "three:9092/3": {"name": "three:9092/3", "nodeid": 3, "state": "INIT", "rxidle": -1, "toppars": {}}
        },
        "topics": {"events": {"topic": "events", "partitions": {
            "0": {"partition": 0, "broker": 3, "leader": 3, "fetch_state": "active", "next_offset": 12, "eof_offset": 12,
                  "lo_offset": 0, "hi_offset": 12, "ls_offset": 12},
            "-1": {"partition": -1, "broker": -1, "leader": -1, "fetch_state": "none", "next_offset": -1001,
                   "eof_offset": -1001, "lo_offset": -1001, "hi_offset": -1001, "ls_offset": -1001}
        }}}
    }"#;

    #[test]
    fn a_broker_that_came_back_answers_though_its_former_handle_is_still_reported() {
        let report: Report<'_> = serde_json::from_str(AFTER_A_RESTART).unwrap();
        assert_eq!(report.answering(), BTreeSet::from([3]));
        let partition = &report.topics["events"].partitions[&0];
        assert_eq!((partition.broker, partition.fetch_state, partition.next_offset), (3, "active", 12));
        assert_eq!((partition.eof_offset, partition.hi_offset), (12, 12));
    }
}
