//! The laws of the product, one plain function each. Asserted in production, in tests and after every crash.

use features::{Counts, JournalRecord};

/// Conservation: for every topic, parts read = kept + late + duplicates + rejects.
pub fn conservation(counts: &[Counts]) -> Result<(), String> {
    match counts.iter().position(|counts| !counts.balance()) {
        None => Ok(()),
        Some(topic) => Err(format!("conservation: topic {topic} counts {:?}, which do not add up", counts[topic])),
    }
}

/// Once: journal records of a lane follow each other without gap, ticks only move forward, positions never go back.
pub fn succession(before: Option<&JournalRecord>, after: &JournalRecord) -> Result<(), String> {
    let Some(before) = before else { return Ok(()) };
    if after.sequence != before.sequence + 1 {
        return Err(format!("once: journal record {} follows record {}", after.sequence, before.sequence));
    }
    let forward = match after.pins {
        Some(_) => before.tick_end < after.tick_end,
        None => before.tick_end == after.tick_end,
    };
    if !forward {
        return Err(format!("once: tick {:?} follows tick {:?}", after.tick_end, before.tick_end));
    }
    let back = before.topics.iter().zip(&after.topics).position(|(old, new)| new.position < old.position);
    back.map_or(Ok(()), |topic| Err(format!("once: the position of topic {topic} goes back")))
}

/// Nothing identifying leaves by a side door: every key in a finding is a pseudonym.
pub fn pseudonymous(key: &str) -> Result<(), String> {
    match key.split_once(':') {
        Some((prefix, rest)) if !prefix.is_empty() && rest.len() == 26 => Ok(()),
        _ => Err("privacy: a finding names a key that is no pseudonym".to_owned()),
    }
}

#[cfg(test)]
mod tests;
