//! When a topic is silent: the broker's time as seen from here, and how long each watermark has stood still in our hearing.

use base::{Millis, Timestamp};
use events::TopicId;

use crate::limits::LISTEN_GAP_MAX;

/// What is known of the broker's time: the newest append time seen, and when it was seen here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BrokerTime(Option<(Timestamp, Timestamp)>);

impl BrokerTime {
    /// Records were read that had been appended at these times. Where producers stamp what they append, one of them may be
    /// of next year: none is believed that lies beyond `latest`. Says whether one did.
    pub(crate) fn saw(&mut self, times: impl Iterator<Item = Timestamp>, latest: Timestamp, now: Timestamp) -> bool {
        let (mut newest, mut is_ahead) = (None, false);
        for time in times {
            is_ahead |= time > latest;
            newest = newest.max(Some(time).filter(|time| *time <= latest));
        }
        self.learn(Self(newest.map(|newest| (newest, now))));
        is_ahead
    }

    /// Something happened that cannot have come before this time.
    pub(crate) fn is_past(&mut self, time: Timestamp, now: Timestamp) {
        if self.at(now) < Some(time) {
            self.learn(Self(Some((time, now))));
        }
    }

    /// Takes over what another knows, if that is newer.
    pub(crate) fn learn(&mut self, other: Self) {
        if other.newest() > self.newest() {
            *self = other;
        }
    }

    /// The newest append time seen.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.0.map(|(newest, _)| newest)
    }

    /// The newest append time plus what has passed here since.
    pub(crate) fn at(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.map(|(newest, seen)| newest + (now - seen).max(Millis(0)))
    }
}

/// What one lane knows of silence.
#[derive(Debug)]
pub(crate) struct Quiet {
    /// By its own topics.
    pub(crate) broker: BrokerTime,
    /// A record was appended later than it can be by now.
    pub(crate) is_ahead: bool,
    topics: Vec<Option<Silence>>,
}

/// Of one topic.
#[derive(Clone, Copy, Debug)]
struct Silence {
    watermark: Timestamp,
    since: Timestamp,
    listened: Timestamp,
}

impl Quiet {
    pub(crate) fn new(topics: usize) -> Self {
        Self { broker: BrokerTime::default(), is_ahead: false, topics: vec![None; topics] }
    }

    /// Notes where a topic's watermark stands, and whether its broker `answers`. Silence is what was listened to: it begins
    /// anew behind an outage, and behind a pause of ours, since what was written meanwhile is only about to arrive.
    pub(crate) fn listen(&mut self, topic: TopicId, watermark: Timestamp, answers: bool, now: Timestamp) {
        let known = &mut self.topics[topic.index()];
        let goes_on =
            |known: &Silence| watermark <= known.watermark && answers && now - known.listened <= LISTEN_GAP_MAX;
        let since = known.filter(goes_on).map_or(now, |known| known.since);
        *known = Some(Silence { watermark, since, listened: now });
    }

    /// The broker's time, if the topic has been silent for `after`. A lane that has read nothing since it was opened, or only
    /// again what had come long before, goes by what was seen `elsewhere`: without that it would hold back whoever waits for
    /// it for as long as it is silent.
    pub(crate) fn idle(
        &self,
        topic: TopicId,
        after: Millis,
        now: Timestamp,
        elsewhere: BrokerTime,
    ) -> Option<Timestamp> {
        let silence = self.topics[topic.index()]?;
        (now - silence.since >= after).then(|| self.broker.at(now).max(elsewhere.at(now))).flatten()
    }
}

/// Ends of ticks that a lane's watermark last passed by decision, not by a record: after the first, up to the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided(Timestamp, Timestamp);

impl Decided {
    /// No tick was passed so.
    pub(crate) const NONE: Self = Self(Timestamp::MIN, Timestamp::MIN);

    /// Decisions, and nothing else, have moved the lane's watermark.
    pub(crate) fn raised(&mut self, from: Timestamp, to: Timestamp) {
        if to > from {
            *self = Self(if from == self.1 { self.0 } else { from }, to);
        }
    }

    /// Whether the tick that ends then was passed so.
    pub(crate) fn holds(&self, end: Timestamp) -> bool {
        self.0 < end && end <= self.1
    }
}

#[cfg(test)]
mod tests;
