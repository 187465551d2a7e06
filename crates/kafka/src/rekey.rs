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
//! `rekey/writer.rs` (a transaction), `rekey/sweep.rs` (how one that hangs ends), `rekey/offsets.rs` (where it stands),
//! `rekey/abreast.rs` (whether it keeps up).

mod abreast;
mod align;
mod offsets;
mod options;
mod sweep;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base::Timestamp;
use events::{Offset, Record};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::message::{BorrowedMessage, Message};

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::error::{Result, unavailable};
use crate::leaders::Place;
use crate::limits::{
    POLL_BYTES_MAX, REFERENCE_STATISTICS_MS, REKEY_BYTES_MAX, REKEY_LINGER, REKEY_PARTITIONS_EVERY,
    REKEY_PROGRESS_EVERY, REKEY_RECORDS_AHEAD, REKEY_RETRY_PAUSE, REKEY_TROUBLE_MAX, SLEEP_MAX,
};
use crate::reader::{Key, Reader};
use crate::signal::Signal;
use crate::speaker::partition_of;
use abreast::Abreast;
use align::Alignment;
pub use offsets::rekeyed_to;
use options::check;
pub use options::{Address, Addresser, RekeyOptions, Rekeyed};
use sweep::{Hanging, Stamp};
use writer::{Keyed, Trouble, Writer};

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
    /// How close to the end of each it has come.
    abreast: Vec<Abreast>,
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
            abreast: Vec::new(),
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
        let hanging = sweep::look(
            self.config,
            &self.admin,
            stable,
            &target,
            &offsets::partitions(&self.admin, &self.options.sources)?,
        )?;
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

    fn group_metadata(&self) -> Result<ConsumerGroupMetadata> {
        let group = self.reader.client().group_metadata();
        group.ok_or_else(|| unavailable("the library gave no metadata for the group"))
    }

    /// Starts reading every source partition that is not being read yet.
    fn take_up(&mut self) -> Result<()> {
        let all = offsets::partitions(&self.admin, &self.options.sources)?;
        let index = |topic: &str| self.options.sources.iter().position(|source| source == topic);
        let all = all.elements().into_iter().filter_map(|element| Some((index(element.topic())?, element.partition())));
        let new: Vec<Key> = all.filter(|key| !self.keys.contains(key)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for (key, (start, newest)) in new.iter().zip(self.stands(&new)?) {
            self.reader.add(*key, start)?;
            self.keys.push(*key);
            self.align.add(newest);
            self.still.push(Stopwatch::start());
            self.positions.push(start);
            self.abreast.push(Abreast::default());
        }
        tracing::info!(partitions = self.keys.len(), target = self.options.target, lanes = self.lanes, "copying");
        Ok(())
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
                *healthy |= self.tell()?;
            }
            let newest: Vec<_> = (0..self.keys.len()).map(|part| self.align.newest(part)).collect();
            let released = self.align.release(&rests, self.options.records_max - batch.len());
            for (part, newest) in newest.into_iter().enumerate() {
                if self.align.newest(part) > newest {
                    self.still[part] = Stopwatch::start();
                }
            }
            for (part, copy) in released {
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

    /// Tells every lane that the copy keeps up, if it does. A lane whose topic is silent goes on without it; one whose copy
    /// is away must not, or what comes once it is back would be late.
    ///
    /// Says whether it has.
    fn tell(&mut self) -> std::result::Result<bool, Trouble> {
        let lately = self.told.as_ref().is_some_and(|told| told.elapsed() < REKEY_PROGRESS_EVERY);
        if !self.keeps_up() || lately {
            return Ok(false);
        }
        let lanes = i32::try_from(self.lanes).unwrap_or(i32::MAX);
        let words: Vec<Keyed> = (0..lanes).map(Keyed::progress).collect();
        let (stamp, nowhere) = (self.writer.stamp(&self.options.target, 0, 0), TopicPartitionList::new());
        let group = self.group_metadata()?;
        self.writer.write(&self.options.target, words.iter(), &stamp, &nowhere, &group)?;
        self.told = Some(Stopwatch::start());
        Ok(true)
    }

    /// Whether all that was in the sources a while ago is copied: under a steady stream none of them ever ends.
    fn keeps_up(&mut self) -> bool {
        for part in 0..self.keys.len() {
            let (ended, high) = (self.ended(part), self.reader.high(self.keys[part]));
            self.abreast[part].look(ended, self.positions[part], high);
        }
        self.abreast.iter().all(Abreast::is_close)
    }

    /// One transaction of copies and of where source partitions stand behind them.
    fn write(
        &mut self,
        batch: &[(usize, Keyed)],
        stamp: &Stamp,
        next: BTreeMap<usize, i64>,
        version: &str,
    ) -> std::result::Result<(), Trouble> {
        let positions = self.positions(&next, version)?;
        let group = self.group_metadata()?;
        let copies = batch.iter().map(|(_, copy)| copy);
        self.writer.write(&self.options.target, copies, stamp, &positions, &group)?;
        next.into_iter().for_each(|(part, offset)| self.positions[part] = Some(offset));
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

#[cfg(test)]
mod tests;
