//! Who may go next: source partitions side by side in event time, the one behind never waiting for anybody.
//!
//! A lane's watermark follows the newest event written to it, so a partition that ran ahead would make everything of
//! the others late. A record may go out while it lies at most `skew_max` after where each other partition stands: the
//! later of its newest event and the one it will bring next. No I/O, no clock: who rests is told from outside.

use std::collections::VecDeque;

use base::{Millis, Timestamp};

/// Source partitions with what they have brought and what has gone out.
pub(super) struct Alignment<T> {
    skew_max: Millis,
    parts: Vec<Part<T>>,
}

struct Part<T> {
    newest: Option<Timestamp>,
    waiting: VecDeque<(Option<Timestamp>, T)>,
}

impl<T> Part<T> {
    /// How far this partition has come.
    fn stands_at(&self) -> Timestamp {
        let next = self.waiting.front().and_then(|(time, _)| *time);
        self.newest.max(next).unwrap_or(Timestamp::MIN)
    }
}

impl<T> Alignment<T> {
    pub(super) fn new(skew_max: Millis) -> Self {
        Self { skew_max, parts: Vec::new() }
    }

    /// One more partition, which had come to `newest` before.
    pub(super) fn add(&mut self, newest: Option<Timestamp>) {
        self.parts.push(Part { newest, waiting: VecDeque::new() });
    }

    /// Takes the next record of a partition; without a time it holds nobody back and waits for nobody.
    pub(super) fn push(&mut self, part: usize, time: Option<Timestamp>, item: T) {
        self.parts[part].waiting.push_back((time, item));
    }

    pub(super) fn is_empty(&self, part: usize) -> bool {
        self.parts[part].waiting.is_empty()
    }

    /// The newest event of a partition that has gone out.
    pub(super) fn newest(&self, part: usize) -> Option<Timestamp> {
        self.parts[part].newest
    }

    /// How far the newest events lie apart.
    pub(super) fn skew(&self) -> Millis {
        let newest = || self.parts.iter().filter_map(|part| part.newest);
        newest().max().zip(newest().min()).map_or(Millis(0), |(max, min)| max - min)
    }

    /// The records that may go out, with their partitions, at most `most`. A partition that `rests` and has nothing
    /// waiting holds nobody back.
    pub(super) fn release(&mut self, rests: &[bool], most: usize) -> Vec<(usize, T)> {
        let mut out = Vec::new();
        loop {
            let before = out.len();
            let stands: Vec<Option<Timestamp>> = self
                .parts
                .iter()
                .zip(rests)
                .map(|(part, rests)| (!rests || !part.waiting.is_empty()).then(|| part.stands_at()))
                .collect();
            let mut order: Vec<usize> = (0..self.parts.len()).collect();
            // Those behind go first, so that what one batch writes is aligned as well.
            order.sort_by_key(|part| stands[*part]);
            for part in order {
                let others = stands.iter().enumerate().filter(|(other, _)| *other != part);
                let lowest = others.filter_map(|(_, at)| *at).min();
                let bound = lowest.map_or(i64::MAX, |at| at.millis().saturating_add(self.skew_max.0));
                let part_of = &mut self.parts[part];
                while out.len() < most
                    && part_of.waiting.front().is_some_and(|(time, _)| time.is_none_or(|time| time.millis() <= bound))
                {
                    let Some((time, item)) = part_of.waiting.pop_front() else { break };
                    part_of.newest = part_of.newest.max(time);
                    out.push((part, item));
                }
            }
            if out.len() == before {
                return out;
            }
        }
    }
}

#[cfg(test)]
mod tests;
