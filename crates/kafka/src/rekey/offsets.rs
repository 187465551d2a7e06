//! Where a copy stands in its sources: offsets of its group, with what is stored beside them.
//!
//! A broker drops the offsets of a group that nobody has committed for `offsets.retention.minutes` (a week by default), each
//! by itself, since the group has no members. They are committed again long before; where they are gone all the same,
//! copying from the beginning would double what was copied, so that ends with an error. Read next: `rekey.rs`, the loop.

use std::collections::BTreeMap;
use std::thread;

use base::Timestamp;
use events::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset as Position, TopicPartitionList};

use super::writer::Trouble;
use super::{Session, sweep};
use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::error::{Result, code_of, corrupt, told};
use crate::limits::{OPEN_MAX, REKEY_METADATA_MAX, REQUEST_MAX, VISIBLE_PAUSE};
use crate::reader::Key;
use crate::stable::Stable;

/// How far the group of a copy stands in each partition of its sources, where it stands anywhere.
pub fn rekeyed_to(config: &Config, sources: &[String]) -> Result<BTreeMap<(String, u32), Offset>> {
    let found = Stable::new(config)?.offsets(&partitions(&Admin::new(config)?, sources)?)?;
    let stands = |element: &TopicPartitionListElem<'_>| {
        Some(((element.topic().to_owned(), u32::try_from(element.partition()).ok()?), Offset(offset_of(element)?)))
    };
    Ok(found.elements().iter().filter_map(stands).collect())
}

/// Every partition of these topics.
pub(super) fn partitions(admin: &Admin, topics: &[String]) -> Result<TopicPartitionList> {
    let mut all = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX) {
            all.add_partition(topic, partition);
        }
    }
    Ok(all)
}

impl Session<'_> {
    /// Where the group stands in these partitions: the offset, if it has one, and the newest event time copied.
    pub(super) fn stands(&self, keys: &[Key]) -> Result<Vec<(Option<i64>, Option<Timestamp>)>> {
        let committed = self.committed(keys)?;
        if self.keys.is_empty() && !self.options.copy_again {
            self.check_whole(&committed)?;
        }
        let stand = |key: &Key| {
            let element = committed.find_partition(&self.options.sources[key.0], key.1);
            let Some((offset, element)) = element.and_then(|element| Some((offset_of(&element)?, element))) else {
                return Ok((None, None));
            };
            Ok((Some(self.start_within(*key, offset)?), newest_of(element.metadata())))
        };
        keys.iter().map(stand).collect()
    }

    fn committed(&self, keys: &[Key]) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in keys {
            list.add_partition(&self.options.sources[*topic], *partition);
        }
        let deadline = Deadline::after(OPEN_MAX);
        loop {
            let error = match self.reader.client().committed_offsets(list.clone(), REQUEST_MAX) {
                // A list answers for each partition by itself.
                Ok(found) => match found.elements().iter().find_map(|element| element.error().err()) {
                    None => return Ok(found),
                    Some(error) => error,
                },
                Err(error) => error,
            };
            let passing = crate::error::passing(&error) || code_of(&error) == Some(Code::UnstableOffsetCommit);
            if !passing || deadline.passed() {
                return Err(told(&format!("group `{}`: asking for its offsets", self.config.group), &error));
            }
            thread::sleep(VISIBLE_PAUSE);
        }
    }

    /// An error where offsets are gone: a group without any has copied nothing, or a broker has forgotten them.
    fn check_whole(&self, committed: &TopicPartitionList) -> Result<()> {
        const HINT: &str = "it was deleted, or not committed for longer than the broker keeps offsets \
                            (`offsets.retention.minutes`); set it with your Kafka tools (`kafka-consumer-groups \
                            --reset-offsets`), or copy once more with --copy-again";
        let group = &self.config.group;
        let gone = self.options.sources.iter().find_map(|topic| Some((topic, forgotten(committed, topic)?)));
        if let Some((topic, partition)) = gone {
            return Err(corrupt(format!(
                "topic `{topic}` partition {partition}: the group `{group}` had an offset there, and has it no more: {HINT}"
            )));
        }
        let is_new = committed.elements().iter().all(|element| offset_of(element).is_none());
        if !is_new || !sweep::has_copies(self.config, &self.admin, self.writer.stable(), &self.target(), committed)? {
            return Ok(());
        }
        let target = &self.options.target;
        Err(corrupt(format!(
            "the group `{group}` has no offset, but topic `{target}` holds copies that it made: {HINT}"
        )))
    }

    /// The committed offset, if its records are there.
    fn start_within(&self, key: Key, committed: i64) -> Result<i64> {
        let topic = &self.options.sources[key.0];
        let (low, high) = self.admin.watermarks_reaching(topic, key.1, committed)?;
        if committed > high {
            return Err(corrupt(format!(
                "topic `{topic}` partition {}: the committed offset {committed} is beyond the end {high}: the topic was \
                 cut or created anew; delete the group `{}`, and begin at its beginning with --copy-again",
                key.1, self.config.group
            )));
        }
        if committed >= low {
            return Ok(committed);
        }
        if !self.options.skip_deleted {
            return Err(corrupt(format!(
                "topic `{topic}` partition {}: the records from offset {committed} to the log start {low} were deleted \
                 before they were copied; raise its retention, and go on without them with --skip-deleted",
                key.1
            )));
        }
        tracing::warn!(topic, partition = key.1, from = committed, to = low, "records deleted before they were copied");
        Ok(low)
    }

    /// Says once more where every partition stands, when nothing waits to be committed: a broker drops offsets that were
    /// not committed for a week, and a partition may be silent for longer. One that was read to its end stands there,
    /// behind markers that no copy stands for: what lies before may be deleted.
    pub(super) fn renew(&mut self, version: &str) -> std::result::Result<(), Trouble> {
        let ends = |part: usize| self.align.is_empty(part).then(|| self.reader.end(self.keys[part])).flatten();
        let stand = |part: usize| Some((part, ends(part).max(self.positions[part])?));
        let next: BTreeMap<_, _> = (0..self.keys.len()).filter_map(stand).collect();
        self.renewed = Stopwatch::start();
        if next.is_empty() {
            return Ok(());
        }
        let stamp = self.writer.stamp(&self.options.target, 0, 0);
        self.write(&[], &stamp, next, version)
    }

    /// Source offsets as a transaction takes them, with what is stored beside each.
    pub(super) fn positions(&self, next: &BTreeMap<usize, i64>, version: &str) -> Result<TopicPartitionList> {
        let mut positions = TopicPartitionList::new();
        for (part, offset) in next {
            let (source, partition) = self.keys[*part];
            let topic = &self.options.sources[source];
            positions
                .add_partition_offset(topic, partition, Position::Offset(*offset))
                .map_err(|error| told("source offsets", &error))?;
            if let Some(mut element) = positions.find_partition(topic, partition) {
                element.set_metadata(metadata(self.align.newest(*part), self.whole(source, next), version));
            }
        }
        Ok(positions)
    }

    /// How many partitions of a topic have offsets, from the first on.
    fn whole(&self, topic: usize, next: &BTreeMap<usize, i64>) -> i32 {
        let has = |partition: &i32| {
            let part = self.keys.iter().position(|key| *key == (topic, *partition));
            part.is_some_and(|part| self.positions[part].is_some() || next.contains_key(&part))
        };
        (0..).take_while(has).last().map_or(0, |last| last + 1)
    }
}

fn offset_of(element: &TopicPartitionListElem<'_>) -> Option<i64> {
    match element.offset() {
        Position::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// What stands beside an offset: the newest event time copied, how many partitions of its topic have offsets, and what the
/// keys rest on.
fn metadata(newest: Option<Timestamp>, whole: i32, version: &str) -> String {
    let newest = newest.map_or(String::new(), |newest| newest.millis().to_string());
    let mut text = format!("newest={newest} whole={whole} {version}");
    text.truncate(text.floor_char_boundary(REKEY_METADATA_MAX));
    text
}

fn newest_of(metadata: &str) -> Option<Timestamp> {
    let text = metadata.strip_prefix("newest=")?.split(' ').next()?;
    text.parse().ok().map(Timestamp::from_millis)
}

/// Offsets say how many partitions of their topic had some: one of those without any was forgotten by the broker.
fn forgotten(committed: &TopicPartitionList, topic: &str) -> Option<i32> {
    let elements = committed.elements_for_topic(topic);
    let whole = elements.iter().filter_map(|element| whole_of(element.metadata())).max().unwrap_or(0);
    let gone = elements.iter().find(|element| element.partition() < whole && offset_of(element).is_none());
    gone.map(TopicPartitionListElem::partition)
}

fn whole_of(metadata: &str) -> Option<i32> {
    metadata.split(' ').find_map(|word| word.strip_prefix("whole="))?.parse().ok()
}

#[cfg(test)]
mod tests;
