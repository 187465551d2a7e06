//! Writes a keyed copy of topics that are not keyed by user, exactly once and aligned in event time.
//!
//! One process owns a target topic: its transactional id is `<group>`, which is one per target. A second process with
//! the same target fences the first: what that had open is aborted, and its next commit is refused. Source partitions
//! are read by assignment, not by membership, so ownership is fencing and nothing else.
//!
//! One transaction holds copies and the source offsets behind them, with the newest event time of each partition and
//! the version of the staff directory as the offsets' metadata. What a death leaves behind:
//!
//! | killed | visible | who repairs it |
//! | --- | --- | --- |
//! | before the first record of a transaction | nothing | offsets are where they were; read again |
//! | with records sent, offsets not | nothing | `init_transactions` of the next process aborts; read again |
//! | with offsets sent, commit not asked for | nothing | the same |
//! | while the commit is asked for | all or nothing | the next process waits for its end before it asks for offsets |
//! | after the commit | all | offsets stand behind it; nothing is read again |
//! | the broker, before the commit's markers stand | a part or nothing | the next opening makes it whole, or undoes it (see `stable.rs`) |
//! | stopped, and continued after another took over | nothing more | its producer is fenced; it ends |
//!
//! In between, any error drops everything in memory and opens anew: the offsets tell what was done. A value and its
//! headers are passed on byte for byte, with the source's time; the key changes, and a header is added that names the
//! transaction. Order is kept within each source partition. Read next: `rekey/align.rs` (who may go next),
//! `rekey/writer.rs` (a transaction), `rekey/sweep.rs` (how one that hangs ends).

mod align;
mod sweep;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use base::{Clock as _, Millis, SystemClock, Timestamp};
use events::{Offset, Record};
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset as Position, TopicPartitionList};

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::error::{Result, code_of, corrupt, invalid, told, unavailable};
use crate::leaders::Place;
use crate::limits::{
    OPEN_MAX, POLL_BYTES_MAX, REFERENCE_STATISTICS_MS, REKEY_BEHIND_MAX, REKEY_BYTES_MAX, REKEY_LINGER,
    REKEY_METADATA_MAX, REKEY_PARTITIONS_EVERY, REKEY_PROGRESS_EVERY, REKEY_RECORDS_AHEAD, REKEY_RECORDS_MAX,
    REKEY_RENEW_EVERY, REKEY_RETRY_PAUSE, REKEY_TROUBLE_MAX, REQUEST_MAX, SLEEP_MAX, VISIBLE_PAUSE,
};
use crate::reader::{Key, Reader};
use crate::signal::Signal;
use crate::speaker::partition_of;
use crate::stable::Stable;
use align::Alignment;
use sweep::{Hanging, Stamp};
use writer::{Keyed, Trouble, Writer};

/// What is copied, where to, and how.
#[derive(Clone, Debug)]
pub struct RekeyOptions {
    /// Topics to read; they may have any numbers of partitions.
    pub sources: Vec<String>,
    /// Topic to write; it decides how many lanes there are.
    pub target: String,
    /// How far one source partition may run ahead of another in event time.
    pub skew_max: Millis,
    /// A partition that has been read to its end holds the others back for so long.
    pub idle_after: Duration,
    /// Records of one transaction.
    pub records_max: usize,
    /// End once every partition has been read to its end.
    pub until_end: bool,
    /// Where the log starts above the committed offset, go on there instead of ending with an error.
    pub skip_deleted: bool,
    /// Where the group has no offsets although the target holds copies, copy everything again instead of ending with an
    /// error.
    pub copy_again: bool,
    /// How often offsets are committed that have not moved.
    pub renew_every: Duration,
}

impl RekeyOptions {
    /// A copy that goes on for ever and stops where something is missing.
    pub fn new(sources: Vec<String>, target: String, skew_max: Millis, idle_after: Duration) -> Self {
        Self {
            sources,
            target,
            skew_max,
            idle_after,
            records_max: REKEY_RECORDS_MAX,
            until_end: false,
            skip_deleted: false,
            copy_again: false,
            renew_every: REKEY_RENEW_EVERY,
        }
    }
}

/// Where a record belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The user's key; the record keeps the key it has where absent.
    pub key: Option<Vec<u8>>,
    /// When it happened; absent where no decoder would believe it. Such a record holds nobody back.
    pub time: Option<Timestamp>,
    /// What became of it, for the counts.
    pub outcome: &'static str,
}

/// What one committed transaction did, and where the copy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Records by what became of them.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// How far the newest event times of the source partitions lie apart.
    pub skew: Millis,
    /// Records not yet read, by source topic.
    pub lag: BTreeMap<String, u64>,
}

/// Who knows where records belong.
pub trait Addresser {
    /// Takes in what is new about people; called before records are addressed.
    fn refresh(&mut self) -> Result<()>;
    /// Where a record of a source topic belongs. Called again for records whose transaction failed.
    fn address(&mut self, topic: &str, record: &Record<'_>) -> Address;
    /// Names what the answers rest on, in a few ASCII characters: it is stored with the offsets.
    fn version(&self) -> String;
    /// Called before a transaction begins: what must not be lost with the process is made durable now.
    fn before_commit(&mut self) -> Result<()>;
    /// A transaction is committed.
    fn committed(&mut self, done: &Rekeyed);
}

/// Copies until `stop` is set, or until the end if so asked. An error that time may heal is lived through for some
/// minutes; one that a person must mend, and being fenced, end it.
pub fn rekey(config: &Config, options: &RekeyOptions, desk: &mut dyn Addresser, stop: &AtomicBool) -> Result<()> {
    check(config, options)?;
    let mut trouble: Option<Deadline> = None;
    loop {
        let mut healthy = false;
        let ended = Session::open(config, options).and_then(|mut session| session.run(desk, stop, &mut healthy));
        match ended {
            Ok(()) => return Ok(()),
            Err(Trouble::Over(error)) => return Err(error),
            Err(Trouble::Again(error)) => {
                let deadline = match trouble.filter(|_| !healthy) {
                    Some(deadline) => deadline,
                    None => Deadline::after(REKEY_TROUBLE_MAX),
                };
                if deadline.passed() {
                    return Err(error);
                }
                trouble = Some(deadline);
                tracing::warn!(%error, "opening again");
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                thread::sleep(REKEY_RETRY_PAUSE);
            }
        }
    }
}

/// How far the group of a copy stands in each partition of its sources, where it stands anywhere.
pub fn rekeyed_to(config: &Config, sources: &[String]) -> Result<BTreeMap<(String, u32), Offset>> {
    let admin = Admin::new(config)?;
    let mut all = TopicPartitionList::new();
    for topic in sources {
        for partition in 0..i32::try_from(admin.partitions_of(topic)?).unwrap_or(i32::MAX) {
            all.add_partition(topic, partition);
        }
    }
    let found = Stable::new(config)?.offsets(&all)?;
    let stands = |element: &TopicPartitionListElem<'_>| match element.offset() {
        Position::Offset(offset) => {
            Some(((element.topic().to_owned(), u32::try_from(element.partition()).ok()?), Offset(offset)))
        }
        _ => None,
    };
    Ok(found.elements().iter().filter_map(stands).collect())
}

fn check(config: &Config, options: &RekeyOptions) -> Result<()> {
    config.check()?;
    if options.sources.is_empty() {
        return Err(invalid("no source topic is named"));
    }
    if let Some(same) = options.sources.iter().find(|source| **source == options.target) {
        return Err(invalid(format!("topic `{same}` cannot be its own copy: name another target")));
    }
    let mut seen = std::collections::BTreeSet::new();
    options
        .sources
        .iter()
        .find(|source| !seen.insert(*source))
        .map_or(Ok(()), |twice| Err(invalid(format!("source topic `{twice}` is named twice"))))
}

/// One life between two openings.
struct Session<'a> {
    config: &'a Config,
    options: &'a RekeyOptions,
    admin: Admin,
    writer: Writer,
    reader: Reader,
    lanes: u32,
    /// Source partitions in the order of the alignment.
    keys: Vec<Key>,
    align: Alignment<Keyed>,
    /// Since when the newest event time of a partition has not moved.
    still: Vec<Stopwatch>,
    /// The committed offset of each.
    positions: Vec<Option<i64>>,
    renewed: Stopwatch,
    /// When what was copied last of each partition had been appended there.
    appended: Vec<Option<i64>>,
    /// Since lanes were told that the copy keeps up.
    told: Option<Stopwatch>,
    looked: Stopwatch,
}

impl<'a> Session<'a> {
    /// Fences whoever wrote the target before, and only then asks where it had got to.
    fn open(config: &'a Config, options: &'a RekeyOptions) -> std::result::Result<Self, Trouble> {
        let admin = Admin::new(config)?;
        let lanes = admin.partitions_of(&options.target)?;
        let writer = Writer::open(config, &config.group)?;
        let reader =
            Reader::new(&config.reader(REFERENCE_STATISTICS_MS, "error")?, options.sources.clone(), Signal::default())?;
        let mut session = Self {
            config,
            options,
            admin,
            writer,
            reader,
            lanes,
            keys: Vec::new(),
            align: Alignment::new(options.skew_max),
            still: Vec::new(),
            positions: Vec::new(),
            renewed: Stopwatch::start(),
            appended: Vec::new(),
            told: None,
            looked: Stopwatch::start(),
        };
        session.sweep()?;
        session.take_up()?;
        Ok(session)
    }

    /// Ends what a former writer's last transaction left hanging, before the offsets it may have moved are asked for.
    fn sweep(&self) -> std::result::Result<(), Trouble> {
        let target = self.target();
        let stable = self.writer.stable();
        let hanging = sweep::look(self.config, &self.admin, stable, &target, &self.sources()?)?;
        let Some(hanging) = hanging else { return Ok(()) };
        let Hanging { places, offsets, committed } = &hanging;
        tracing::warn!(committed, ?places, offsets, "a former transaction hangs: ending it");
        self.writer.sweep(&self.options.target, &hanging, &self.group_metadata()?)?;
        Ok(stable.swept(&target)?)
    }

    fn target(&self) -> Vec<Place> {
        let lanes = i32::try_from(self.lanes).unwrap_or(i32::MAX);
        (0..lanes).map(|lane| (self.options.target.clone(), lane)).collect()
    }

    /// Every source partition there is.
    fn sources(&self) -> Result<TopicPartitionList> {
        let mut sources = TopicPartitionList::new();
        for topic in &self.options.sources {
            for partition in 0..i32::try_from(self.admin.partitions_of(topic)?).unwrap_or(i32::MAX) {
                sources.add_partition(topic, partition);
            }
        }
        Ok(sources)
    }

    fn group_metadata(&self) -> Result<ConsumerGroupMetadata> {
        let group = self.reader.client().group_metadata();
        group.ok_or_else(|| unavailable("the library gave no metadata for the group"))
    }

    /// Starts reading every source partition that is not being read yet.
    fn take_up(&mut self) -> Result<()> {
        let sources = self.sources()?;
        let index = |topic: &str| self.options.sources.iter().position(|source| source == topic);
        let all =
            sources.elements().into_iter().filter_map(|element| Some((index(element.topic())?, element.partition())));
        let new: Vec<Key> = all.filter(|key| !self.keys.contains(key)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let committed = self.committed(&new)?;
        if self.keys.is_empty() && !self.options.copy_again {
            self.check_whole(&committed)?;
        }
        let stands = |element: &TopicPartitionListElem<'_>| matches!(element.offset(), Position::Offset(_));
        if self.keys.is_empty() && !self.options.copy_again && !committed.elements().iter().any(stands) {
            self.check_untouched(&sources)?;
        }
        for key in new {
            let topic = &self.options.sources[key.0];
            let element = committed.find_partition(topic, key.1);
            let (mut start, mut newest) = (None, None);
            if let Some(element) = &element
                && let Position::Offset(offset) = element.offset()
            {
                (start, newest) = (Some(self.start_within(key, offset)?), newest_of(element.metadata()));
            }
            self.reader.add(key, start)?;
            self.keys.push(key);
            self.align.add(newest);
            self.still.push(Stopwatch::start());
            self.positions.push(start);
            self.appended.push(None);
        }
        tracing::info!(partitions = self.keys.len(), target = self.options.target, lanes = self.lanes, "copying");
        Ok(())
    }

    fn check_whole(&self, committed: &TopicPartitionList) -> Result<()> {
        let gone = self.options.sources.iter().find_map(|topic| Some((topic, forgotten(committed, topic)?)));
        gone.map_or(Ok(()), |(topic, partition)| {
            Err(corrupt(format!(
                "topic `{topic}` partition {partition}: the group `{}` had an offset there, and has it no more: it was \
                 deleted, or not committed for longer than the broker keeps offsets (`offsets.retention.minutes`); set it \
                 with your Kafka tools (`kafka-consumer-groups --reset-offsets`), or copy the partition once more with \
                 --copy-again",
                self.config.group
            )))
        })
    }

    /// How many partitions of a topic have offsets, from the first on.
    fn whole(&self, topic: usize, next: &BTreeMap<usize, i64>) -> i32 {
        let has = |partition: &i32| {
            let part = self.keys.iter().position(|key| *key == (topic, *partition));
            part.is_some_and(|part| self.positions[part].is_some() || next.contains_key(&part))
        };
        (0..).take_while(has).last().map_or(0, |last| last + 1)
    }

    /// A group without offsets has copied nothing, or a broker has forgotten them.
    fn check_untouched(&self, sources: &TopicPartitionList) -> Result<()> {
        if !sweep::has_copies(self.config, &self.admin, self.writer.stable(), &self.target(), sources)? {
            return Ok(());
        }
        Err(corrupt(format!(
            "the group `{}` has no offsets, but topic `{}` holds copies that it made: it was deleted, or did not run for \
             longer than the broker keeps offsets (`offsets.retention.minutes`); set them with your Kafka tools \
             (`kafka-consumer-groups --reset-offsets`), or copy everything once more with --copy-again",
            self.config.group, self.options.target
        )))
    }

    /// The committed offset, if its records are there.
    fn start_within(&self, key: Key, committed: i64) -> Result<i64> {
        let topic = &self.options.sources[key.0];
        let (low, high) = self.admin.watermarks(topic, key.1)?;
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

    fn run(
        &mut self,
        desk: &mut dyn Addresser,
        stop: &AtomicBool,
        healthy: &mut bool,
    ) -> std::result::Result<(), Trouble> {
        let mut batch: Vec<(usize, Keyed)> = Vec::new();
        let mut bytes = 0;
        let mut begun = Stopwatch::start();
        loop {
            if self.looked.elapsed() >= REKEY_PARTITIONS_EVERY {
                self.take_up()?;
                self.looked = Stopwatch::start();
            }
            desk.refresh()?;
            let arrived = self.gather(desk)?;
            let rests = self.rests();
            if batch.is_empty() {
                begun = Stopwatch::start();
                if self.renewed.elapsed() >= self.options.renew_every {
                    self.renew(&desk.version())?;
                }
                self.tell()?;
            }
            let released = self.align.release(&rests, self.options.records_max - batch.len());
            for (part, copy) in released {
                self.still[part] = Stopwatch::start();
                bytes += copy.bytes();
                batch.push((part, copy));
            }
            let stopping = stop.load(Ordering::Relaxed);
            let full = batch.len() >= self.options.records_max || bytes >= REKEY_BYTES_MAX;
            let over = self.options.until_end && self.at_end();
            if !batch.is_empty() && (full || stopping || over || begun.elapsed() >= REKEY_LINGER) {
                desk.before_commit()?;
                self.commit(&batch, &desk.version())?;
                desk.committed(&self.done(&batch));
                batch.clear();
                bytes = 0;
                *healthy = true;
            } else if batch.is_empty() && (stopping || over) {
                self.renew(&desk.version())?;
                return self.writer.prove();
            } else if !arrived {
                self.reader.sleep(if batch.is_empty() { SLEEP_MAX } else { REKEY_LINGER });
            }
        }
    }

    /// Takes records of partitions whose earlier ones have all gone out; those ahead are simply not asked.
    fn gather(&mut self, desk: &mut dyn Addresser) -> Result<bool> {
        self.reader.serve()?;
        let mut arrived = false;
        let (lanes, sources) = (self.lanes, &self.options.sources);
        for (part, key) in self.keys.iter().enumerate() {
            if !self.align.is_empty(part) {
                continue;
            }
            let mut taken = Vec::new();
            let share = POLL_BYTES_MAX / self.keys.len().max(1);
            self.reader.take(*key, REKEY_RECORDS_AHEAD, share.max(1), |message| {
                taken.push(addressed(message, &sources[key.0], lanes, desk));
                Ok(())
            })?;
            arrived |= !taken.is_empty();
            taken.into_iter().for_each(|(time, copy)| self.align.push(part, time, copy));
        }
        Ok(arrived)
    }

    fn ended(&self, part: usize) -> bool {
        self.align.is_empty(part) && self.reader.end(self.keys[part]).is_some()
    }

    fn at_end(&self) -> bool {
        (0..self.keys.len()).all(|part| self.ended(part))
    }

    /// Which partitions hold nobody back: read to their ends, and without a newer event time for a while in which their
    /// brokers answered.
    fn rests(&mut self) -> Vec<bool> {
        for (still, key) in self.still.iter_mut().zip(&self.keys) {
            if !self.reader.answers(*key) {
                *still = Stopwatch::start();
            }
        }
        let idle = |part: usize| self.options.until_end || self.still[part].elapsed() >= self.options.idle_after;
        (0..self.keys.len()).map(|part| self.ended(part) && idle(part)).collect()
    }

    fn commit(&mut self, batch: &[(usize, Keyed)], version: &str) -> std::result::Result<(), Trouble> {
        let Some((part, first)) = batch.first() else { return Ok(()) };
        let (topic, partition) = self.keys[*part];
        let stamp = self.writer.stamp(&self.options.sources[topic], partition, first.offset);
        let next = batch.iter().map(|(part, copy)| (*part, copy.offset + 1)).collect();
        self.write(batch, &stamp, next, version)
    }

    /// Says once more where every partition stands, when nothing waits to be committed: a broker drops offsets that were
    /// not committed for a week, and a partition may be silent for longer. One that was read to its end stands there,
    /// behind markers that no copy stands for: what lies before may be deleted.
    fn renew(&mut self, version: &str) -> std::result::Result<(), Trouble> {
        let ends = |part: usize| self.align.is_empty(part).then(|| self.reader.end(self.keys[part])).flatten();
        let stand = |part: usize| Some((part, ends(part).or(self.positions[part])?));
        let next: BTreeMap<_, _> = (0..self.keys.len()).filter_map(stand).collect();
        self.renewed = Stopwatch::start();
        if next.is_empty() {
            return Ok(());
        }
        let stamp = self.writer.stamp(&self.options.target, 0, 0);
        self.write(&[], &stamp, next, version)
    }

    /// Tells every lane that the copy keeps up, if it does. A lane whose topic is silent goes on without it; one whose copy
    /// is away must not, or what comes once it is back would be late.
    fn tell(&mut self) -> std::result::Result<(), Trouble> {
        if self.told.as_ref().is_some_and(|told| told.elapsed() < REKEY_PROGRESS_EVERY) || !self.keeps_up() {
            return Ok(());
        }
        let lanes = i32::try_from(self.lanes).unwrap_or(i32::MAX);
        let words: Vec<Keyed> = (0..lanes).map(Keyed::progress).collect();
        let (stamp, nowhere) = (self.writer.stamp(&self.options.target, 0, 0), TopicPartitionList::new());
        let group = self.group_metadata()?;
        self.writer.write(&self.options.target, words.iter(), &stamp, &nowhere, &group)?;
        self.told = Some(Stopwatch::start());
        Ok(())
    }

    /// Whether every partition is copied to its end, or nearly: under a steady stream none ever ends.
    fn keeps_up(&self) -> bool {
        let lately = SystemClock.now().millis() - i64::try_from(REKEY_BEHIND_MAX.as_millis()).unwrap_or(i64::MAX);
        let mut parts = self.appended.iter().enumerate();
        parts.all(|(part, appended)| self.ended(part) || appended.is_some_and(|appended| appended >= lately))
    }

    /// One transaction of copies and of where source partitions stand behind them.
    fn write(
        &mut self,
        batch: &[(usize, Keyed)],
        stamp: &Stamp,
        next: BTreeMap<usize, i64>,
        version: &str,
    ) -> std::result::Result<(), Trouble> {
        let mut positions = TopicPartitionList::new();
        for (part, offset) in &next {
            let (topic, partition) = (&self.options.sources[self.keys[*part].0], self.keys[*part].1);
            positions
                .add_partition_offset(topic, partition, Position::Offset(*offset))
                .map_err(|error| told("source offsets", &error))?;
            if let Some(mut element) = positions.find_partition(topic, partition) {
                let whole = self.whole(self.keys[*part].0, &next);
                element.set_metadata(metadata(self.align.newest(*part), whole, version));
            }
        }
        let group = self.group_metadata()?;
        let copies = batch.iter().map(|(_, copy)| copy);
        self.writer.write(&self.options.target, copies, stamp, &positions, &group)?;
        next.into_iter().for_each(|(part, offset)| self.positions[part] = Some(offset));
        batch.iter().for_each(|(part, copy)| self.appended[*part] = copy.time.or(self.appended[*part]));
        Ok(())
    }

    fn done(&self, batch: &[(usize, Keyed)]) -> Rekeyed {
        let mut done = Rekeyed { skew: self.align.skew(), ..Rekeyed::default() };
        for (_, copy) in batch {
            *done.outcomes.entry(copy.outcome).or_default() += 1;
        }
        for key in &self.keys {
            *done.lag.entry(self.options.sources[key.0].clone()).or_default() += self.reader.lag(*key).unwrap_or(0);
        }
        done
    }
}

/// A message with its destination. Headers are copied as the library holds them, whatever bytes they are.
fn addressed(
    message: &BorrowedMessage<'_>,
    topic: &str,
    lanes: u32,
    desk: &mut dyn Addresser,
) -> (Option<Timestamp>, Keyed) {
    let append_time = message.timestamp().to_millis();
    let record = Record {
        offset: Offset(message.offset()),
        append_time: Timestamp::from_millis(append_time.unwrap_or(0)),
        key: message.key(),
        value: message.payload(),
        headers: &[],
    };
    let Address { key, time, outcome } = desk.address(topic, &record);
    let key = key.or_else(|| message.key().map(<[u8]>::to_vec));
    let lane = match &key {
        Some(key) => partition_of(key, lanes),
        // Nobody's records: spread, but always to the same lane, so that their order is kept.
        None => u32::try_from(message.partition()).unwrap_or(0) % lanes.max(1),
    };
    let copy = Keyed {
        lane: i32::try_from(lane).unwrap_or(i32::MAX),
        offset: message.offset(),
        key,
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map(rdkafka::message::BorrowedHeaders::detach),
        time: append_time,
        outcome,
    };
    (time, copy)
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
    let stands = |element: &&TopicPartitionListElem<'_>| matches!(element.offset(), Position::Offset(_));
    let gone = elements.iter().filter(|element| element.partition() < whole).find(|element| !stands(element));
    gone.map(TopicPartitionListElem::partition)
}

fn whole_of(metadata: &str) -> Option<i32> {
    metadata.split(' ').find_map(|word| word.strip_prefix("whole="))?.parse().ok()
}

#[cfg(test)]
mod tests;
