//! When a topic is silent: the broker's time as seen from here, and when each watermark last moved.

use base::{Millis, Timestamp};
use events::TopicId;

/// What is known of the broker's time: the newest append time seen, and when it was seen here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BrokerTime(Option<(Timestamp, Timestamp)>);

impl BrokerTime {
    /// Records were read, the newest appended at `newest`.
    pub(crate) fn saw(&mut self, newest: Option<Timestamp>, now: Timestamp) {
        self.learn(Self(newest.map(|newest| (newest, now))));
    }

    /// Something happened that cannot have come before this time.
    pub(crate) fn is_past(&mut self, time: Timestamp, now: Timestamp) {
        if self.at(now) < Some(time) {
            self.saw(Some(time), now);
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
    /// Each topic's watermark, and when it last moved.
    moved: Vec<(Timestamp, Option<Timestamp>)>,
}

impl Quiet {
    pub(crate) fn new(topics: usize) -> Self {
        Self { broker: BrokerTime::default(), moved: vec![(Timestamp::MIN, None); topics] }
    }

    /// Notes a topic's watermark.
    pub(crate) fn moved(&mut self, topic: TopicId, watermark: Timestamp, now: Timestamp) {
        let (known, at) = &mut self.moved[topic.index()];
        if at.is_none() || watermark > *known {
            (*known, *at) = (watermark, Some(now));
        }
    }

    /// The broker's time, if the topic's watermark has not moved for `after`. A lane that has read nothing since it was
    /// opened goes by what was seen `elsewhere`: without that it would hold back for ever whoever waits for it.
    pub(crate) fn idle(
        &self,
        topic: TopicId,
        after: Millis,
        now: Timestamp,
        elsewhere: BrokerTime,
    ) -> Option<Timestamp> {
        let at = self.moved[topic.index()].1?;
        (now - at >= after).then(|| self.broker.at(now).or(elsewhere.at(now))).flatten()
    }
}

#[cfg(test)]
mod tests;
