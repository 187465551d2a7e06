//! A lane taken up: from what it stored, or from the start of its logs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::Timestamp;
use events::{Decoder, Offset, PseudonymKeys, TopicId};
use features::{JournalRecord, Lane, LaneConfig, StoredPanes, Tier};
use reference::Pins;

use super::head::{BORN, CASE, FACTS, JOURNAL, newest_record, same_definitions, with_prefix};
use super::{Done, Worker};
use crate::error::Result;
use crate::guide::Guide;
use crate::judge::Judge;
use crate::ports::{LaneId, LaneStore, PortError, Transaction};
use crate::spec::PipelineSpec;

impl Worker {
    /// Takes a lane up where it stands: its newest journal record if there is one, else the start of its logs with
    /// `genesis` as the reference's beginning. The first record of a lane is committed before anything is read.
    #[expect(clippy::too_many_arguments, reason = "a lane is made of all these")]
    pub(crate) fn open(
        id: LaneId,
        spec: &PipelineSpec,
        keys: &Arc<PseudonymKeys>,
        mut store: Box<dyn LaneStore>,
        lanes: u32,
        log_start: &[Offset],
        genesis: Pins,
        guide: Option<Vec<JournalRecord>>,
    ) -> Result<Self> {
        let mut judge = Judge::new(spec)?;
        let head = store.head()?;
        // A replay begins where its journal did, whatever the reference holds by now.
        let first = guide.as_ref().and_then(|records| records.first());
        let genesis = first.map_or(genesis, |record| record.genesis.clone());
        let record = newest_record(id, &head)?;
        let lane = opened(id, spec, store.as_mut(), &head, record.as_ref(), log_start, genesis)?;
        for (user, case) in with_prefix(&head, CASE) {
            judge.restore(&user, &case)?;
        }
        let born = head.get(BORN).and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
        let decoders = spec
            .inputs()
            .iter()
            .map(|input| Decoder::new(input.stream, input.format, Arc::clone(keys), spec.decode_options().clone()));
        let stands = record.as_ref().and_then(|record| record.tick_end);
        let mut worker = Self {
            id,
            lanes,
            lane,
            judge,
            decoders: decoders.collect::<std::result::Result<_, _>>()?,
            store,
            letters: VecDeque::new(),
            open: Transaction::default(),
            open_ticks: 0,
            settles: record.as_ref().is_some_and(|record| record.shared.is_some()),
            last_record: record,
            trimmed: BTreeMap::new(),
            guide: guide.map(|records| Guide::new(records, stands, spec.digests().clone())),
            born: born.map(Timestamp::from_millis),
            done: Done::default(),
        };
        worker.learn_decisions();
        worker.take_over_cases()?;
        if worker.last_record.is_none() {
            // The genesis record: a crash after it leaves a lane that starts again from the same reference and logs.
            worker.take_journal(None)?;
            worker.commit()?;
        }
        Ok(worker)
    }

    fn learn_decisions(&mut self) {
        for record in self.guide.iter().flat_map(Guide::records) {
            for (topic, at) in (0u8..).zip(&record.topics) {
                self.lane.learn_decisions(TopicId(topic), &at.decisions);
            }
        }
    }
}

/// The lane where its newest journal record stands, else one that begins.
fn opened(
    id: LaneId,
    spec: &PipelineSpec,
    store: &mut dyn LaneStore,
    head: &BTreeMap<Vec<u8>, Vec<u8>>,
    record: Option<&JournalRecord>,
    log_start: &[Offset],
    genesis: Pins,
) -> Result<Lane> {
    let program = Arc::clone(spec.program());
    let config = LaneConfig {
        topics: spec.inputs().iter().map(|input| (input.stream, input.lateness)).collect(),
        digests: spec.digests().clone(),
        epoch: record.map_or(0, |record| record.epoch),
    };
    let Some(record) = record else {
        // Reading the empty tiers tells the store where they begin, so that it can trim them later.
        for tier in Tier::ALL {
            store.panes(tier, Timestamp::MIN)?;
        }
        return Ok(Lane::new(program, config, log_start, genesis)?);
    };
    same_definitions(id, &record.digests, spec)?;
    let facts = with_prefix(head, FACTS).collect();
    let restored =
        stored_panes(store, record).and_then(|panes| Ok(Lane::restore(program, config, record, &panes, &facts)?));
    match restored {
        // Whoever was stopped while it read has read of two times; what is stored is whole.
        Err(_) if store.head()?.get(JOURNAL) != head.get(JOURNAL) => Err(PortError::Fenced(id).into()),
        restored => restored,
    }
}

fn stored_panes(store: &mut dyn LaneStore, record: &JournalRecord) -> Result<StoredPanes> {
    let mut panes = StoredPanes::default();
    for tier in Tier::ALL {
        if let Some(needed) = record.tiers.get(tier.name()) {
            let read = store.panes(tier, needed.first)?;
            // Panes of a tick that never committed are invisible; what is read is what the journal counts.
            panes.0.insert(tier, read.into_iter().map(|pane| (pane.end, pane.bytes)).collect());
        }
    }
    Ok(panes)
}
