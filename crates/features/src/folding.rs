//! From a tick's rows to panes: rows of a scoring step become states, steps become hours, hours become days.
//!
//! What is kept is what windows, baselines and waiting rows still need; what is stored is enough to stand here again.

use std::collections::BTreeMap;

use base::{Millis, Timestamp};

use crate::error::Result;
use crate::facts;
use crate::journal::TierRecord;
use crate::lane::Lane;
use crate::panes::{Tier, drop_before};
use crate::plan::Relation;
use crate::sections;
use crate::seen::{self, SeenToday};
use crate::state::{FACTS, PENDING, RESULTS, ROWS, SEEN, STATES};

impl Lane {
    /// Folds what ended before the tick that begins.
    pub(crate) fn fold_before(&mut self, end: Timestamp) -> Result<()> {
        let tick = self.program.spec.tick;
        for group in 0..self.panes.len() {
            self.fold_hour(group, end - tick)?;
            self.fold_day(group, end - tick)?;
        }
        self.folded(end - tick)
    }

    /// Folds what ends with this tick: windows over streams before pairs are scored, scores of pairs after.
    pub(crate) fn fold_groups(&mut self, end: Timestamp, scores: bool) -> Result<()> {
        for group in 0..self.panes.len() {
            if (self.program.relations[group] == Relation::PairScores) == scores {
                self.fold_hour(group, end)?;
                self.fold_day(group, end)?;
            }
        }
        if scores { self.folded(end) } else { Ok(()) }
    }

    pub(crate) fn fold_hour(&mut self, group: usize, now: Timestamp) -> Result<()> {
        let Some(hour) = self.unfolded_hour.filter(|hour| *hour <= now) else { return Ok(()) };
        if self.panes[group].hour.contains_key(&hour) {
            return Ok(());
        }
        let panes = self.panes[group].within(Tier::Minute, hour - Millis::hours(1), hour);
        if !panes.is_empty() {
            let pane = self.plans.groups[group].reduce(panes)?;
            self.panes[group].hour.insert(hour, pane);
        }
        Ok(())
    }

    fn fold_day(&mut self, group: usize, now: Timestamp) -> Result<()> {
        let Some(day) = self.unfolded_day.filter(|day| *day <= now) else { return Ok(()) };
        if !self.program.spec.windows[group].days || self.panes[group].day.contains_key(&day) {
            return Ok(());
        }
        let start = self.memory.local.day_start(day - Millis(1));
        let panes = self.panes[group].within(Tier::Hour, start, day);
        if !panes.is_empty() {
            let result = self.plans.groups[group].finish(panes)?;
            self.panes[group].day.insert(day, result);
        }
        Ok(())
    }

    /// Writes the hour and day panes that are complete.
    fn folded(&mut self, now: Timestamp) -> Result<()> {
        if let Some(hour) = self.unfolded_hour.filter(|hour| *hour <= now) {
            let seen = std::mem::take(&mut self.seen_hour);
            self.store(Tier::Hour, hour, STATES, &seen)?;
            self.seen_day.extend(seen);
            self.unfolded_hour = None;
            self.facts_due.append(&mut self.facts_hour);
            self.facts_due.extend(self.memory.forget(hour));
        }
        if let Some(day) = self.unfolded_day.filter(|day| *day <= now) {
            let seen = std::mem::take(&mut self.seen_day);
            self.store(Tier::Day, day, RESULTS, &SeenToday::new())?;
            self.store(Tier::Seen, day, RESULTS, &seen)?;
            self.unfolded_day = None;
            let local_day = self.memory.local.at(day - Millis(1)).day;
            for (kind, spec) in self.program.spec.seen.iter().enumerate() {
                self.memory.seen.forget_before(kind, local_day.saturating_sub(spec.horizon_days()));
            }
        }
        Ok(())
    }

    fn store(&mut self, tier: Tier, end: Timestamp, prefix: &str, seen: &SeenToday) -> Result<()> {
        let mut batches = Vec::new();
        for (window, panes) in self.program.spec.windows.iter().zip(&self.panes) {
            if let Some(batch) = panes.tier(tier).and_then(|panes| panes.get(&end)) {
                batches.push((format!("{prefix}{}", window.name), batch.clone()));
            }
        }
        if tier == Tier::Minute {
            for (input, step) in self.plans.inputs.iter().zip(&mut self.open) {
                batches.extend(step.of_tick.take().map(|rows| (format!("{ROWS}{}", input.name()), rows)));
            }
        }
        if tier == Tier::Minute
            && let Some(waiting) = self.pending.get(&end)
        {
            batches.push((PENDING.to_owned(), waiting.clone()));
        }
        if let Some(seen) = seen::batch(seen)? {
            batches.push((SEEN.to_owned(), seen));
        }
        if tier == Tier::Minute
            && let Some(facts) = facts::batch(&std::mem::take(&mut self.memory.touched), &self.memory.facts)?
        {
            batches.push((FACTS.to_owned(), facts));
        }
        if !batches.is_empty() {
            let sections: Vec<_> = batches.iter().map(|(name, batch)| (name.clone(), batch)).collect();
            self.new_panes.push((tier, end, sections::write(&sections)?));
            self.stored.entry(tier).or_default().insert(end);
        }
        Ok(())
    }

    pub(crate) fn store_minute(&mut self, end: Timestamp) -> Result<()> {
        let seen = std::mem::take(&mut self.memory.seen_today);
        self.store(Tier::Minute, end, STATES, &seen)
    }

    /// Drops panes that no window, baseline or waiting row needs any more, and says which are still needed.
    pub(crate) fn forget(&mut self) -> BTreeMap<String, TierRecord> {
        // Before the first tick there is nothing to keep or drop.
        let Some(last) = self.last else { return BTreeMap::new() };
        let (tick, hour) = (self.program.spec.tick, Millis::hours(1));
        let day_start = self.memory.local.day_start(last);
        let mut first = BTreeMap::from([
            (Tier::Minute, last.floor(hour).min(last.floor(self.program.spec.scoring.hop)) + tick),
            (Tier::Hour, day_start + hour),
            (Tier::Day, last - Millis::days(1)),
            (Tier::Seen, last - Millis::days(1)),
            // Nobody is further behind than whom this lane waits for.
            (Tier::Shared, self.shared_in_use.map_or(Timestamp::MIN, |day| day - self.program.spec.shares_kept())),
        ]);
        let mut keep = |tier: Tier, end: Timestamp| {
            first.entry(tier).and_modify(|first| *first = (*first).min(end));
        };
        for size in self.program.spec.windows.iter().flat_map(|window| &window.sizes) {
            let (tier, step) = if size.in_hours() { (Tier::Hour, hour) } else { (Tier::Minute, tick) };
            keep(tier, last.floor(size.hop) - size.size + step);
        }
        // Evidence looks a day back.
        keep(Tier::Hour, last.floor(hour) - Millis::hours(24) + hour);
        if let Some(waiting) = self.pending.keys().next() {
            keep(Tier::Minute, *waiting);
        }
        for baseline in &self.program.spec.baselines {
            // What is shared is kept for as long as others need it.
            if !baseline.is_shared() {
                keep(Tier::Day, last - Millis::days(i64::from(baseline.days) + 2));
            }
        }
        for seen in &self.program.spec.seen {
            keep(Tier::Seen, last - seen.horizon - Millis::days(2));
        }
        let mut tiers = BTreeMap::new();
        for (tier, first) in first {
            for panes in self.panes.iter_mut().filter_map(|panes| panes.tier_mut(tier)) {
                drop_before(panes, first);
            }
            let stored = self.stored.entry(tier).or_default();
            *stored = stored.split_off(&first);
            tiers.insert(tier.name().to_owned(), TierRecord { first, panes: stored.len() });
        }
        tiers
    }
}
