//! Reads partitions that were given to it, each through its own queue, and knows when one has been read to its end.
//!
//! A queue of its own per partition makes holding a topic back free (it is just not asked) and tells the ends of two
//! topics with the same partition number apart. What "the end" means: the library's statistics say up to which offset
//! a partition was fetched; if the queue was found empty *after* such a report, everything below that offset has been
//! handed out. Offsets of records say nothing about it, because transaction markers occupy offsets.
//! It is never a member of a group. Read next: `source.rs`, `restore.rs`, `reference.rs`, its three users.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Timestamp, guarded};
use events::{Header, Offset, Record};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::deadline::Stopwatch;
use crate::error::{Result, code_of, corrupt, passing, told, unavailable};
use crate::limits::{CLIENT_EVENTS_MAX, REKEY_SILENT_MAX, REQUEST_MAX, STATISTICS_MIN};
use crate::report::Report;
use crate::signal::Signal;
use crate::stable::{is_broom, is_progress};

/// What the library last reported about a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Reports since the partition was added.
    reports: u64,
    /// Offset at which the end of the partition was last signalled.
    eof: i64,
    /// High watermark.
    high: i64,
    /// Everything below it has been fetched.
    fetched: i64,
    /// Whether the broker that it is fetched from answers. While it does not, the other numbers are those of before.
    answers: bool,
}

/// Receives the library's reports.
#[derive(Debug, Default)]
pub(crate) struct ReaderContext {
    /// Events served so far: the library does not say whether a poll that returned nothing found an event.
    served: AtomicU64,
    ends: Mutex<HashMap<String, BTreeMap<i32, Ends>>>,
}

impl ReaderContext {
    fn with<T>(&self, topic: &str, partition: i32, f: impl FnOnce(&mut Ends) -> T) -> Option<T> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get_mut(topic)?.get_mut(&partition).map(f)
    }
}

impl ClientContext for ReaderContext {
    fn stats_raw(&self, report: &[u8]) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let report: Report<'_> = match serde_json::from_slice(report) {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(%error, "the library reports in a form that is not known");
                return;
            }
        };
        let answering = report.answering();
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, partitions) in &mut *ends {
            let Some(reported) = report.topics.get(topic.as_str()) else { continue };
            for (partition, ends) in partitions {
                if let Some(now) = reported.partitions.get(partition) {
                    *ends = Ends {
                        reports: ends.reports + 1,
                        eof: now.eof_offset,
                        high: now.hi_offset,
                        fetched: now.next_offset,
                        answers: now.fetch_state == "active" && answering.contains(&now.broker),
                    };
                }
            }
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        crate::admin::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka reader");
    }
}

impl ConsumerContext for ReaderContext {}

/// A partition being read: the index of its topic (in the caller's order) and its number.
pub(crate) type Key = (usize, i32);

struct Feed {
    queue: PartitionQueue<ReaderContext>,
    /// Where it was started, if at an offset.
    start: Option<i64>,
    /// Right after the last record handed out.
    next: Option<i64>,
    /// The newest report after which the queue was found empty.
    confirmed: Option<Ends>,
    /// Nothing has come from the broker since the partition was started again, so that the library's reports may speak
    /// of its former life.
    doubted: bool,
    /// Since `rekey` last said that it keeps up.
    progress: Option<Stopwatch>,
}

/// Readers of partitions behind one client.
pub(crate) struct Reader {
    feeds: BTreeMap<Key, Feed>,
    consumer: Arc<BaseConsumer<ReaderContext>>,
    topics: Vec<String>,
    /// Topics the library has asked its brokers about.
    met: BTreeSet<usize>,
    /// Partitions that were read before.
    read: BTreeSet<Key>,
    signal: Signal,
}

/// What one `take` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Records handed out.
    pub(crate) records: usize,
    /// Bytes of their keys, values and headers.
    pub(crate) bytes: usize,
}

impl Reader {
    /// Builds the client; nothing is read yet. `signal` is set when something arrives.
    pub(crate) fn new(client: &ClientConfig, topics: Vec<String>, signal: Signal) -> Result<Self> {
        let mut consumer = BaseConsumer::from_config_and_context(client, ReaderContext::default())
            .map_err(|error| told("kafka configuration", &error))?;
        let wake = signal.clone();
        consumer.set_nonempty_callback(move || wake.set());
        Ok(Self {
            feeds: BTreeMap::new(),
            consumer: Arc::new(consumer),
            topics,
            met: BTreeSet::new(),
            read: BTreeSet::new(),
            signal,
        })
    }

    /// Starts reading a partition at `start`, or at its beginning.
    pub(crate) fn add(&mut self, key: Key, start: Option<i64>) -> Result<()> {
        let (topic, partition) = (&self.topics[key.0], key.1);
        let fail =
            |error: &KafkaError| told(&format!("topic `{topic}` partition {partition}: starting to read"), error);
        {
            let mut ends = self.consumer.context().ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.entry(topic.clone()).or_default().insert(partition, Ends::default());
        }
        // Without this the library looks for an unknown topic once a second.
        if self.met.insert(key.0) {
            self.consumer.fetch_metadata(Some(topic), REQUEST_MAX).map_err(|error| fail(&error))?;
        }
        // The queue is split off before the partition is assigned, so that no record can take the common one.
        let mut queue = self.consumer.split_partition_queue(topic, partition).ok_or_else(|| {
            unavailable(format!("topic `{topic}` partition {partition}: the library gave no queue for it"))
        })?;
        let wake = self.signal.clone();
        queue.set_nonempty_callback(move || wake.set());
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, start.map_or(Position::Beginning, Position::Offset))
            .and_then(|()| self.consumer.incremental_assign(&list))
            .map_err(|error| fail(&error))?;
        let doubted = !self.read.insert(key);
        self.feeds.insert(key, Feed { queue, start, next: start, confirmed: None, doubted, progress: None });
        Ok(())
    }

    /// Stops reading a partition and forgets what it had fetched ahead.
    pub(crate) fn remove(&mut self, key: Key) -> Result<()> {
        if self.feeds.remove(&key).is_none() {
            return Ok(());
        }
        let (topic, partition) = (&self.topics[key.0], key.1);
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| told(&format!("topic `{topic}` partition {partition}: stopping to read"), &error))?;
        let mut ends = self.consumer.context().ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partitions) = ends.get_mut(topic) {
            partitions.remove(&partition);
        }
        Ok(())
    }

    /// The topic of a partition.
    pub(crate) fn topic(&self, key: Key) -> &str {
        &self.topics[key.0]
    }

    /// The partitions being read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.feeds.keys().copied()
    }

    /// Serves the client's own queue until it is empty: statistics, errors that concern no single partition. A queue
    /// left half full would not wake anybody.
    pub(crate) fn serve(&self) -> Result<()> {
        for _ in 0..CLIENT_EVENTS_MAX {
            let before = self.consumer.context().served.load(Ordering::Relaxed);
            match self.consumer.poll(Duration::ZERO) {
                None if self.consumer.context().served.load(Ordering::Relaxed) == before => break,
                None => {}
                Some(Ok(message)) => {
                    panic!("a record of `{}` arrived outside its partition's queue", message.topic())
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if passing(&error) => tracing::debug!(%error, "kafka reader"),
                Some(Err(error)) => return Err(told("reading from kafka", &error)),
            }
        }
        Ok(())
    }

    /// Hands out what has arrived for one partition, in offset order, up to the given numbers.
    pub(crate) fn take(
        &mut self,
        key: Key,
        records_max: usize,
        bytes_max: usize,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
    ) -> Result<Taken> {
        let (topic, partition) = (self.topics[key.0].as_str(), key.1);
        let Some(feed) = self.feeds.get_mut(&key) else { return Ok(Taken::default()) };
        // The report is read before the queue: what it says was fetched is then in the queue or already handed out.
        let report = self.consumer.context().with(topic, partition, |ends| *ends).unwrap_or_default();
        let mut taken = Taken::default();
        let mut heard = false;
        while taken.records < records_max && taken.bytes < bytes_max {
            match feed.queue.poll(Duration::ZERO) {
                None => {
                    if report.reports >= STATISTICS_MIN && !feed.doubted {
                        feed.confirmed = Some(report);
                    }
                    break;
                }
                Some(Ok(message)) => {
                    heard = true;
                    if feed.next.is_some_and(|next| message.offset() < next) {
                        continue; // fetched for an earlier start of the same partition
                    }
                    if is_broom(&message) {
                        if is_progress(&message) {
                            feed.progress = Some(Stopwatch::start());
                        }
                        feed.next = Some(message.offset() + 1);
                        continue;
                    }
                    each(&message)?;
                    feed.next = Some(message.offset() + 1);
                    taken.records += 1;
                    taken.bytes += message.key_len() + message.payload_len() + header_bytes(&message);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => heard = true,
                Some(Err(error)) if code_of(&error) == Some(Code::AutoOffsetReset) => {
                    return Err(corrupt(format!(
                        "topic `{topic}` partition {partition}: offset {} is no longer there (the log was deleted or \
                         cut below it); raise the topic's retention, and begin anew under another `state_prefix`",
                        feed.next.or(feed.start).unwrap_or_default()
                    )));
                }
                Some(Err(error)) if passing(&error) => tracing::debug!(%error, topic, partition, "kafka reader"),
                Some(Err(error)) => {
                    return Err(told(&format!("topic `{topic}` partition {partition}: reading"), &error));
                }
            }
        }
        if feed.doubted && heard {
            // What comes through the queue is of the present life, and so is what is reported from now on.
            feed.doubted = false;
            self.serve()?;
            self.consumer.context().with(&self.topics[key.0], partition, |ends| *ends = Ends::default());
        }
        Ok(taken)
    }

    /// The offset at which the partition ends, if it has been read up to there and nothing lies beyond it, as far as
    /// anybody knows who can be asked: neither records nor a transaction that somebody holds open.
    pub(crate) fn end(&self, key: Key) -> Option<i64> {
        let feed = self.feeds.get(&key)?;
        let ends = feed.confirmed?;
        let now = self.consumer.context().with(&self.topics[key.0], key.1, |ends| *ends)?;
        let read = feed.next.is_none_or(|next| next <= ends.eof);
        (now.answers && ends.eof >= 0 && ends.eof == ends.high && ends.eof == now.high && read).then_some(ends.eof)
    }

    /// Whether the broker answers that the partition is fetched from. One that is away says of nothing that it ended.
    pub(crate) fn answers(&self, key: Key) -> bool {
        self.consumer.context().with(&self.topics[key.0], key.1, |ends| ends.answers).unwrap_or(false)
    }

    /// Whether `rekey`, which writes the partition, has said lately that it keeps up.
    pub(crate) fn is_kept_up(&self, key: Key) -> bool {
        let progress = self.feeds.get(&key).and_then(|feed| feed.progress.as_ref());
        progress.is_some_and(|progress| progress.elapsed() < REKEY_SILENT_MAX)
    }

    /// The high watermark that was last reported, if the broker answers.
    pub(crate) fn high(&self, key: Key) -> Option<i64> {
        let now = self.consumer.context().with(&self.topics[key.0], key.1, |ends| *ends)?;
        (now.answers && now.high >= 0).then_some(now.high)
    }

    /// Right after the last record handed out, or where reading began.
    pub(crate) fn next(&self, key: Key) -> Option<i64> {
        self.feeds.get(&key)?.next
    }

    /// Whether everything below `target` has been handed out.
    pub(crate) fn reached(&self, key: Key, target: i64) -> bool {
        let Some(feed) = self.feeds.get(&key) else { return false };
        feed.next.is_some_and(|next| next >= target)
            || feed.confirmed.is_some_and(|ends| ends.eof >= target || ends.fetched >= target)
    }

    /// What was last confirmed of a partition, for the log.
    pub(crate) fn ends(&self, key: Key) -> Option<Ends> {
        self.feeds.get(&key)?.confirmed
    }

    /// Offsets between what was handed out and the high watermark; markers of transactions that have been passed are none.
    pub(crate) fn lag(&self, key: Key) -> Option<u64> {
        let next = self.feeds.get(&key)?.next.unwrap_or_default();
        let ends = self.consumer.context().with(&self.topics[key.0], key.1, |ends| *ends)?;
        if ends.reports < STATISTICS_MIN || ends.high < 0 {
            return None;
        }
        Some(if self.reached(key, ends.high) { 0 } else { u64::try_from(ends.high - next).unwrap_or(0) })
    }

    /// Sleeps until something arrives, at most `wait`.
    pub(crate) fn sleep(&self, wait: Duration) {
        self.signal.wait(wait);
    }

    /// The client, for questions about partitions.
    pub(crate) fn client(&self) -> &BaseConsumer<ReaderContext> {
        &self.consumer
    }
}

/// Gives a message to `each` as a record. Headers are copied; key and value are borrowed.
pub(crate) fn with_record<T>(message: &BorrowedMessage<'_>, each: impl FnOnce(Record<'_>) -> T) -> T {
    let headers = headers(message);
    each(Record {
        offset: Offset(message.offset()),
        append_time: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    })
}

fn header_bytes(message: &BorrowedMessage<'_>) -> usize {
    let Some(headers) = message.headers() else { return 0 };
    let read = |index| {
        guarded(|| headers.try_get(index).map_or(0, |header| header.key.len() + header.value.map_or(0, <[u8]>::len)))
    };
    (0..headers.count()).map(|index| read(index).unwrap_or(0)).sum()
}

/// The headers of a message. One whose name is not UTF-8 is left out: rdkafka panics on it, and a record that anybody
/// may write must not stop the process.
pub(crate) fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = |index| {
        guarded(|| headers.try_get(index).map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))))
    };
    (0..headers.count()).filter_map(|index| read(index).flatten()).collect()
}
