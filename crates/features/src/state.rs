//! What a lane stores and how it is taken up again: panes by tier, last facts, the newest journal record.

use std::collections::BTreeMap;

use base::{Millis, Timestamp};

use crate::error::{Error, Result};
use crate::facts::{self, LastFacts};
use crate::lane::Lane;
use crate::panes::Tier;
use crate::sections;
use crate::seen;

/// Stored panes by tier, each with the end of its span.
#[derive(Clone, Debug, Default)]
pub struct StoredPanes(pub BTreeMap<Tier, Vec<(Timestamp, Vec<u8>)>>);

/// Section of a relation's rows of a tick, while its scoring step is under way.
pub(crate) const ROWS: &str = "rows/";
/// Section of a window group's states.
pub(crate) const STATES: &str = "states/";
/// Section of a window group's results of a day.
pub(crate) const RESULTS: &str = "results/";
/// Section of unexplained accesses that wait.
pub(crate) const PENDING: &str = "pending";
/// Section of what was seen.
pub(crate) const SEEN: &str = "seen";
/// Section of the last facts of the users a tick touched.
pub(crate) const FACTS: &str = "facts";

impl Lane {
    /// Puts stored panes and facts into a lane that stands at its journal record.
    pub(crate) fn take_up(&mut self, panes: &StoredPanes, facts: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        for (user, bytes) in facts {
            self.memory.facts.insert(user.clone(), LastFacts::from_bytes(user, bytes)?);
        }
        // Panes come in the order of their ends: the newest facts of a user are the last.
        for (tier, panes) in &panes.0 {
            for (end, bytes) in panes {
                self.take_pane(*tier, *end, bytes)?;
            }
        }
        let Some(last) = self.last else { return Ok(()) };
        let hour = last.floor(Millis::hours(1));
        let day = self.memory.local.day_start(last);
        let minutes = self.stored[&Tier::Minute].range(hour + Millis(1)..).next().is_some();
        self.unfolded_hour = minutes.then_some(hour + Millis::hours(1));
        let hours = self.stored[&Tier::Hour].range(day + Millis(1)..).next().is_some();
        self.unfolded_day = (minutes || hours).then(|| self.memory.local.day_end(last - Millis(1)));
        Ok(())
    }

    fn take_pane(&mut self, tier: Tier, end: Timestamp, bytes: &[u8]) -> Result<()> {
        let last = self.last.unwrap_or(Timestamp::MIN);
        let (hour, day) = (last.floor(Millis::hours(1)), self.memory.local.day_start(last));
        let unknown = |name: &str| Error::State(format!("a pane holds the unknown section `{name}`"));
        // What a lane has told it need not know.
        let sections = if tier == Tier::Shared { Vec::new() } else { sections::read(bytes)? };
        for (name, batch) in sections {
            if name == PENDING {
                // A pane outlives its waiting rows where windows reach further back than the grace.
                if end + self.program.spec.explain_grace > last {
                    self.pending.insert(end, batch);
                }
            } else if name == SEEN {
                self.memory.seen.restore(&batch)?;
                // What the next hour or day pane must repeat.
                match tier {
                    Tier::Minute if end > hour => self.seen_hour.extend(seen::read(&batch)),
                    Tier::Hour if end > day => self.seen_day.extend(seen::read(&batch)),
                    _ => {}
                }
            } else if name == FACTS {
                // Those of hours that have ended are in the head.
                if end > hour {
                    let facts = facts::read(&batch)?;
                    self.facts_hour.extend(facts.keys().cloned());
                    self.memory.facts.extend(facts);
                }
            } else if let Some(input) = name.strip_prefix(ROWS) {
                // Rows of steps that have ended are in their states.
                if end > last.floor(self.program.spec.scoring.hop) {
                    let place = self.plans.inputs.iter().position(|known| known.name() == input);
                    self.add_to_step(place.ok_or_else(|| unknown(&name))?, batch)?;
                }
            } else {
                let group = name.strip_prefix(STATES).or(name.strip_prefix(RESULTS)).unwrap_or(&name);
                let place = self.program.spec.windows.iter().position(|window| window.name == group);
                let panes = place.and_then(|place| self.panes[place].tier_mut(tier));
                panes.ok_or_else(|| unknown(&name))?.insert(end, batch);
            }
        }
        self.stored.entry(tier).or_default().insert(end);
        Ok(())
    }

    /// Compares the panes read with what the journal counts.
    pub(crate) fn check_panes(&self, counted: &BTreeMap<String, crate::journal::TierRecord>) -> Result<()> {
        for tier in Tier::ALL {
            let Some(record) = counted.get(tier.name()) else { continue };
            let found = self.stored[&tier].range(record.first..).count();
            if found != record.panes {
                let end = record.first.millis();
                return Err(Error::MissingPane { tier: tier.name(), end, expected: record.panes, found });
            }
        }
        Ok(())
    }
}
