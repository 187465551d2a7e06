//! When a topic is silent: the broker's time as seen from here, and when each watermark last moved.

use base::{Millis, Timestamp};
use events::TopicId;

/// What one lane knows of silence.
#[derive(Debug)]
pub(crate) struct Quiet {
    /// Newest append time seen on any topic, and when it was seen here.
    newest: Option<(Timestamp, Timestamp)>,
    /// Each topic's watermark, and when it last moved.
    moved: Vec<(Timestamp, Option<Timestamp>)>,
}

impl Quiet {
    pub(crate) fn new(topics: usize) -> Self {
        Self { newest: None, moved: vec![(Timestamp::MIN, None); topics] }
    }

    /// Records were read, the newest appended at `newest`.
    pub(crate) fn saw(&mut self, newest: Option<Timestamp>, now: Timestamp) {
        if let Some(newest) = newest
            && self.newest.is_none_or(|(known, _)| newest > known)
        {
            self.newest = Some((newest, now));
        }
    }

    /// The newest append time seen.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.newest.map(|(newest, _)| newest)
    }

    /// The broker's time: the newest append time plus what has passed here since.
    pub(crate) fn broker_time(&self, now: Timestamp) -> Option<Timestamp> {
        self.newest.map(|(newest, seen)| newest + (now - seen).max(Millis(0)))
    }

    /// Notes a topic's watermark.
    pub(crate) fn moved(&mut self, topic: TopicId, watermark: Timestamp, now: Timestamp) {
        let (known, at) = &mut self.moved[topic.index()];
        if at.is_none() || watermark > *known {
            (*known, *at) = (watermark, Some(now));
        }
    }

    /// The broker's time, if the topic's watermark has not moved for `after`.
    pub(crate) fn idle(&self, topic: TopicId, after: Millis, now: Timestamp) -> Option<Timestamp> {
        let at = self.moved[topic.index()].1?;
        (now - at >= after).then(|| self.broker_time(now)).flatten()
    }
}
