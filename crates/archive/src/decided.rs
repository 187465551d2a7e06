//! What the journal of an archive decided that its input and reference alone do not tell: why a replay without it differs.

use std::collections::BTreeSet;

use base::Timestamp;
use engine::{PipelineSpec, when};
use events::Offset;

use crate::error::Result;
use crate::listing::{Lanes, Listing};
use crate::read;

/// By lane, what was decided there, in sentences; nothing, if input and reference alone give the same.
pub fn decided(archive: &Listing, spec: &PipelineSpec) -> Result<Vec<String>> {
    let mut told = Vec::new();
    let mut genesis = None;
    let Lanes { dir, runs } = &archive.users;
    for (lane, runs) in runs {
        // Records repeat what is decided at or above where a lane resumes.
        let mut idle: Vec<BTreeSet<(Offset, Timestamp)>> = vec![BTreeSet::new(); spec.inputs().len()];
        let (mut older, mut renewed) = (Vec::new(), Vec::new());
        let mut digests = None;
        for run in runs {
            for record in read::records(dir, run)? {
                if *genesis.get_or_insert_with(|| record.genesis.clone()) != record.genesis && digests.is_none() {
                    told.push(format!("lane {lane}: it began later than others, where the reference stood elsewhere"));
                }
                for (idle, topic) in idle.iter_mut().zip(&record.topics) {
                    idle.extend(topic.decisions.iter().map(|decision| (decision.offset, decision.watermark)));
                }
                older.extend(record.tick_end.filter(|_| record.shared.is_some()));
                let changed = digests.replace(record.digests.clone()).is_some_and(|before| before != record.digests);
                renewed.extend(record.tick_end.filter(|_| changed));
            }
        }
        for (input, idle) in spec.inputs().iter().zip(&idle) {
            let Some((offset, watermark)) = idle.first() else { continue };
            told.push(format!(
                "lane {lane}: `{}` was declared idle {}, first at offset {offset}, as if it had been read up to {}: ticks \
                 closed without waiting for it, and what came for them afterwards was late",
                input.topic,
                times(idle.len()),
                when(*watermark)
            ));
        }
        if let Some(first) = older.first() {
            told.push(format!(
                "lane {lane}: {} by what lanes had shared earlier than the rule names, first that of {}",
                if older.len() == 1 { "one tick went".to_owned() } else { format!("{} ticks went", older.len()) },
                when(*first)
            ));
        }
        if let Some(first) = renewed.first() {
            told.push(format!(
                "lane {lane}: its state was computed anew {}, first after the tick of {}; cases that were open then went on",
                times(renewed.len()),
                when(*first)
            ));
        }
    }
    Ok(told)
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
