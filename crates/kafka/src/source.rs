//! The engine's source over Kafka: lanes from the group, records from the lanes that were started.
//!
//! Two clients: a member of the group that is handed lanes (`group.rs`) and a reader of the partitions of started
//! lanes (`reader.rs`). Both are served inside `poll`, by the caller's thread. Read next: `store.rs`, what `open`
//! returns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::ports::{Flow, LaneId, LaneStore, PortError, Source, StoredPane, Wake};
use events::{Offset, Records, TopicId};

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, corrupt, invalid};
use crate::group::{Change, Member};
use crate::limits::{INPUT_STATISTICS_MS, POLL_BYTES_MAX, POLL_RECORDS_MAX, POLL_SHARE_MIN, SLEEP_MAX};
use crate::reader::{Key, Reader, with_record};
use crate::restore::Restorer;
use crate::shares::Shares;
use crate::signal::Signal;
use crate::stable::Stable;
use crate::store::{Outside, Store};

/// Input topics of a pipeline, read in lanes by one member of a consumer group.
pub struct KafkaSource {
    config: Config,
    admin: Arc<Admin>,
    member: Arc<Member>,
    stable: Arc<Stable>,
    reader: Reader,
    signal: Signal,
    /// The number of partitions of each input topic.
    lane_count: u32,
    /// Topics that are held, by (topic, lane). Not among them: read.
    held: BTreeSet<Key>,
    /// Stores given out, to be closed when their lane goes.
    open: BTreeMap<LaneId, Arc<AtomicBool>>,
    restorer: Restorer,
    /// From the first poll on; lanes of watches tell each other nothing.
    shares: Option<Shares>,
    /// The first feed the next poll looks at, so that none is always last.
    turn: usize,
}

impl KafkaSource {
    /// Checks the configuration and the input topics and joins the group. Lanes arrive in later polls.
    pub fn connect(config: &Config) -> Result<Self> {
        config.check()?;
        if config.input_topics.is_empty() {
            return Err(invalid("no input topic is configured"));
        }
        let admin = Arc::new(Admin::new(config)?);
        let lane_count = lane_count(&admin, &config.input_topics)?;
        let signal = Signal::default();
        let reader =
            Reader::new(&config.reader(INPUT_STATISTICS_MS, "error")?, config.input_topics.clone(), signal.clone())?;
        let member = Member::join(config, &signal)?;
        let names = config.topics();
        let state = std::iter::once(names.head).chain(names.panes).collect();
        let restorer = Restorer::new(config, Arc::clone(&admin), state);
        tracing::info!(
            group = config.group,
            lanes = lane_count,
            topics = config.input_topics.len(),
            "joining the group"
        );
        Ok(Self {
            config: config.clone(),
            admin,
            member,
            stable: Arc::new(Stable::new(config)?),
            reader,
            signal,
            lane_count,
            held: BTreeSet::new(),
            open: BTreeMap::new(),
            restorer,
            shares: None,
            turn: 0,
        })
    }

    /// The offset behind the last record of each input topic of the lane.
    pub fn log_end(&self, lane: LaneId) -> Result<Vec<Offset>> {
        let end = |(topic, partition): Key| {
            self.admin.watermarks(&self.config.input_topics[topic], partition).map(|(_, high)| Offset(high))
        };
        self.keys(lane).into_iter().map(end).collect()
    }

    fn key(&self, lane: LaneId, topic: TopicId) -> Key {
        (topic.index(), i32::try_from(lane.0).unwrap_or(i32::MAX))
    }

    fn keys(&self, lane: LaneId) -> Vec<Key> {
        let count = self.config.input_topics.len();
        (0..count).map(|topic| (topic, i32::try_from(lane.0).unwrap_or(i32::MAX))).collect()
    }

    /// Forgets a lane: its reading stops, its store answers `Fenced` from now on.
    fn drop_lane(&mut self, lane: LaneId) -> Result<()> {
        if let Some(open) = self.open.remove(&lane) {
            open.store(false, Ordering::Release);
        }
        for key in self.keys(lane) {
            self.held.remove(&key);
            self.reader.remove(key)?;
        }
        Ok(())
    }

    fn moves(&mut self) -> Result<Vec<Wake>> {
        let mut wakes = Vec::new();
        for change in self.member.poll()? {
            match change {
                Change::Assigned(lanes) => {
                    tracing::info!(?lanes, "lanes assigned");
                    self.same_lanes()?;
                    wakes.push(Wake::Assigned(lanes));
                }
                Change::Revoked(lanes) => {
                    tracing::info!(?lanes, "lanes revoked");
                    for lane in &lanes {
                        self.drop_lane(*lane)?;
                    }
                    wakes.push(Wake::Revoked(lanes));
                }
            }
        }
        Ok(wakes)
    }

    /// An error if partitions were added since: users have then moved to other lanes, and their state has not. The group
    /// gives lanes out anew when that happens, to every member.
    fn same_lanes(&self) -> Result<()> {
        let (now, then) = match lane_count(&self.admin, &self.config.input_topics) {
            Ok(now) => (now, self.lane_count),
            // Nobody can tell just now; who cannot be asked has nothing to read either.
            Err(PortError::Unavailable(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        if now == then {
            return Ok(());
        }
        Err(invalid(format!(
            "input topics have {now} partitions, and had {then}: their users are in other lanes now, where nothing is known of \
             them; let `chartwarden rekey` write keyed copies with {then} partitions, and name those as inputs"
        )))
    }

    fn gather(&mut self, wakes: &mut Vec<Wake>) -> Result<()> {
        let mut keys: Vec<Key> = self.reader.keys().filter(|key| !self.held.contains(key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.turn = (self.turn + 1) % keys.len();
        keys.rotate_left(self.turn);
        let share = (POLL_RECORDS_MAX / keys.len()).max(POLL_SHARE_MIN);
        let bytes_share = POLL_BYTES_MAX / keys.len();
        for (topic, partition) in keys {
            let mut records = Records::default();
            self.reader.take((topic, partition), share, bytes_share, |message| {
                with_record(message, |record| records.push(record));
                Ok(())
            })?;
            if !records.is_empty() {
                let lane = LaneId(u32::try_from(partition).unwrap_or(u32::MAX));
                let topic = TopicId(u8::try_from(topic).unwrap_or(u8::MAX));
                wakes.push(Wake::Records { lane, topic, records });
            }
        }
        Ok(())
    }
}

/// The number of partitions all input topics agree on.
pub(crate) fn lane_count(admin: &Admin, topics: &[String]) -> Result<u32> {
    let counts = topics.iter().map(|topic| Ok((topic, admin.partitions_of(topic)?))).collect::<Result<Vec<_>>>()?;
    let lanes = counts.first().map_or(0, |(_, count)| *count);
    if counts.iter().any(|(_, count)| *count != lanes) {
        let list: Vec<_> = counts.iter().map(|(topic, count)| format!("`{topic}` has {count}")).collect();
        return Err(invalid(format!(
            "input topics must have the same number of partitions, but {}; recreate them, or write keyed copies with \
             `chartwarden rekey`",
            list.join(", ")
        )));
    }
    Ok(lanes)
}

/// An error where a lane has been further in a topic than that reaches now.
fn is_reached(topic: &str, partition: i32, offset: Offset, end: i64) -> Result<()> {
    if offset.0 <= end {
        return Ok(());
    }
    Err(corrupt(format!(
        "topic `{topic}` partition {partition}: the lane has read up to offset {offset}, beyond the end {end}: the topic was \
         cut or created anew; begin anew under another `state_prefix`"
    )))
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration) -> Result<Vec<Wake>> {
        let deadline = Deadline::after(wait);
        if self.shares.is_none() && !self.config.is_of_watches {
            // They come while the group gives lanes out and these are restored.
            match Shares::connect(&self.config, self.lane_count, self.signal.clone()) {
                Ok(shares) => self.shares = Some(shares),
                Err(PortError::Unavailable(problem)) => tracing::warn!(problem, "what lanes share is asked for again"),
                Err(error) => return Err(error),
            }
        }
        // Lanes are opened between polls.
        self.restorer.rest();
        loop {
            let mut wakes = self.moves()?;
            self.reader.serve()?;
            self.gather(&mut wakes)?;
            if !wakes.is_empty() || deadline.passed() {
                return Ok(wakes);
            }
            self.signal.wait(deadline.left().min(SLEEP_MAX));
        }
    }

    fn open(&mut self, lane: LaneId) -> Result<Box<dyn LaneStore>> {
        if let Some(former) = self.open.remove(&lane) {
            former.store(false, Ordering::Release);
        }
        let open = Arc::new(AtomicBool::new(true));
        let outside = Outside {
            admin: Arc::clone(&self.admin),
            member: Arc::clone(&self.member),
            stable: Arc::clone(&self.stable),
            open: Arc::clone(&open),
        };
        let store = Store::open(&self.config, lane, outside, self.restorer.clone())?;
        self.open.insert(lane, open);
        Ok(Box::new(store))
    }

    fn log_start(&mut self, lane: LaneId) -> Result<Vec<Offset>> {
        let ends = self.keys(lane).into_iter().map(|(topic, partition)| {
            let topic = &self.config.input_topics[topic];
            self.admin.watermarks(topic, partition).map(|(low, _)| Offset(low))
        });
        ends.collect()
    }

    fn reaches(&mut self, lane: LaneId, to: &[Offset]) -> Result<()> {
        for (key, to) in self.keys(lane).into_iter().zip(to) {
            let topic = &self.config.input_topics[key.0];
            let (_, high) = self.admin.watermarks_reaching(topic, key.1, to.0)?;
            is_reached(topic, key.1, *to, high)?;
        }
        Ok(())
    }

    fn start(&mut self, lane: LaneId, from: &[Offset]) -> Result<()> {
        let keys = self.keys(lane);
        assert_eq!(from.len(), keys.len(), "a lane starts with one offset per input topic");
        for (key, from) in keys.iter().zip(from) {
            let topic = &self.config.input_topics[key.0];
            let (low, high) = self.admin.watermarks_reaching(topic, key.1, from.0)?;
            if from.0 < low {
                return Err(corrupt(format!(
                    "topic `{topic}` partition {}: resume offset {from} is below the log start {low}: records that \
                     lane {lane} still needs were deleted; raise the topic's retention, and begin anew under another \
                     `state_prefix`",
                    key.1
                )));
            }
            is_reached(topic, key.1, *from, high)?;
        }
        for (key, from) in keys.into_iter().zip(from) {
            self.held.remove(&key);
            self.reader.remove(key)?;
            self.reader.add(key, Some(from.0))?;
        }
        Ok(())
    }

    fn set_flow(&mut self, lane: LaneId, topic: TopicId, flow: Flow) -> Result<()> {
        let key = self.key(lane, topic);
        match flow {
            Flow::Read => self.held.remove(&key),
            Flow::Hold => self.held.insert(key),
        };
        Ok(())
    }

    fn shares(&mut self) -> Result<Vec<(LaneId, StoredPane)>> {
        self.shares.as_mut().map_or(Ok(Vec::new()), Shares::take)
    }

    fn lane_count(&self) -> u32 {
        self.lane_count
    }

    fn at_end(&self, lane: LaneId, topic: TopicId) -> Option<Offset> {
        let key = self.key(lane, topic);
        // What waits in a held queue has not been looked at.
        if self.held.contains(&key) { None } else { self.reader.end(key).map(Offset) }
    }

    fn answers(&self, lane: LaneId, topic: TopicId) -> bool {
        let key = self.key(lane, topic);
        let is_rekeyed = self.config.rekeyed_topics.contains(&self.config.input_topics[key.0]);
        self.reader.answers(key) && (!is_rekeyed || self.reader.is_kept_up(key))
    }

    fn lag(&self, lane: LaneId, topic: TopicId) -> Option<u64> {
        self.reader.lag(self.key(lane, topic))
    }
}

#[cfg(test)]
mod tests;
