//! A follower of what a lane committed, which hands it over in pieces of any size and in any order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::ports::{Followed, Follower, LaneId, ReferenceRecord};
use events::{Offset, TopicId};

use super::{LANE, Log, Result, World, offset, records};

impl World {
    /// A follower that hands over so many records of each topic, and so many transactions, per poll.
    pub(crate) fn follower(&self, records: usize, transactions: usize) -> Box<dyn Follower> {
        self.follower_over(records, transactions, <[u8]>::to_vec)
    }

    /// The same over a journal that somebody else has written.
    pub(crate) fn follower_over(
        &self,
        records: usize,
        transactions: usize,
        written: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Box<dyn Follower> {
        self.follower_of(records, transactions, self.handed_over(written))
    }

    /// The same of something else than what was committed.
    pub(crate) fn follower_of(
        &self,
        records: usize,
        transactions: usize,
        committed: Vec<Vec<Followed>>,
    ) -> Box<dyn Follower> {
        Box::new(Memory {
            logs: Arc::clone(&self.logs),
            reference: Some(self.reference.to_vec()),
            next: [0; 2],
            committed: committed.into(),
            records,
            transactions,
        })
    }

    /// Each transaction as it is handed over: its results, and its journal records.
    pub(crate) fn handed_over(&self, written: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<Followed>> {
        let transactions = self.committed.iter().map(|transaction| {
            let journal = transaction.journal.iter().map(|message| written(&message.value)).collect();
            let results = Followed::Results { lane: LANE, messages: transaction.results.clone() };
            vec![results, Followed::Journal { lane: LANE, records: journal }]
        });
        transactions.collect()
    }
}

struct Memory {
    logs: Arc<[Log; 2]>,
    reference: Option<Vec<ReferenceRecord>>,
    next: [usize; 2],
    committed: VecDeque<Vec<Followed>>,
    records: usize,
    transactions: usize,
}

impl Follower for Memory {
    fn start(&mut self, lane: LaneId, inputs: &[Offset], _: Option<(Offset, Offset)>) -> Result<()> {
        assert_eq!(lane, LANE);
        for (topic, from) in inputs.iter().enumerate() {
            self.next[topic] = (0..=self.logs[topic].len()).find(|place| offset(*place) >= from.0).unwrap();
        }
        Ok(())
    }

    fn poll(&mut self, _: Duration) -> Result<Vec<Followed>> {
        let mut followed: Vec<_> = self.reference.take().map(Followed::Reference).into_iter().collect();
        for _ in 0..self.transactions {
            followed.extend(self.committed.pop_front().into_iter().flatten());
        }
        for topic in 0..2 {
            let (from, log) = (self.next[topic], &self.logs[topic]);
            let to = (from + self.records).min(log.len());
            if to > from {
                let records = records(log, from, to);
                followed.push(Followed::Input { lane: LANE, topic: TopicId(topic as u8), records });
                self.next[topic] = to;
            }
        }
        Ok(followed)
    }
}
