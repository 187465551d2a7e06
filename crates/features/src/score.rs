//! The scoring tick: feature rows of the pairs and users that were active since the last one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use base::{Millis, Timestamp};
use reference::{Known, Pins, Reference};

use crate::baseline::BaselinePlan;
use crate::error::Result;
use crate::lane::Lane;
use crate::pair_scores;
use crate::panes::Tier;
use crate::rows::{BASE, Origin, RowKeys, gather};
use crate::sorted::{find, rows_of};
use crate::spec::WindowSpec;

/// Results of windows at one scoring tick, by group and size.
type Results = BTreeMap<(usize, usize), RecordBatch>;

impl Lane {
    /// Feature rows of the pairs touched since the last scoring tick, sorted by (user, patient); `None` between scoring
    /// ticks and when no pair was touched.
    pub fn pair_rows(&mut self, reference: &Reference, pins: &Pins) -> Result<Option<RecordBatch>> {
        let end = self.tick_under_way();
        if !self.scores_at(end) {
            return Ok(None);
        }
        let pairs = self.active_pairs(end);
        if pairs.is_empty() {
            return Ok(None);
        }
        let keys = RowKeys::of_pairs(pairs.iter().map(|(user, patient)| (user.as_str(), patient.as_str())));
        let origins = self.plans.pairs.origins().to_vec();
        let columns = self.columns(&origins, &keys, end, reference, pins)?;
        self.plans.pairs.run(columns).map(Some)
    }

    /// Feature rows of the users active since the last scoring tick, sorted by user; `None` between scoring ticks and
    /// when nobody was active.
    pub fn user_rows(&mut self, reference: &Reference, pins: &Pins) -> Result<Option<RecordBatch>> {
        let end = self.tick_under_way();
        if !self.scores_at(end) {
            return Ok(None);
        }
        // Scores of pairs belong to the hour that may end with this tick.
        let group = self.pair_score_group();
        self.fold_hour(group, end)?;
        let keys = RowKeys::of_users(self.active_users.iter().map(String::as_str));
        let origins = self.plans.users.origins().to_vec();
        let columns = self.columns(&origins, &keys, end, reference, pins)?;
        self.plans.users.run(columns).map(Some)
    }

    /// What a finding about `user` shows: a row for each patient of the last day, by the pipeline's evidence SQL.
    pub fn evidence(&mut self, user: &str, reference: &Reference, pins: &Pins) -> Result<RecordBatch> {
        let end = self.tick_under_way();
        let hour = end.floor(Millis::hours(1));
        let mut merged: BTreeMap<usize, RecordBatch> = BTreeMap::new();
        let mut patients: BTreeSet<String> = BTreeSet::new();
        let ours = StringArray::from_iter_values([user]);
        let pairs = |(_, window): &(usize, &WindowSpec)| window.is_of_pairs();
        for (group, window) in self.program.spec.windows.iter().enumerate().filter(pairs) {
            let mut panes = self.panes[group].within(Tier::Hour, hour - Millis::hours(24), hour);
            let folded = self.panes[group].hour.contains_key(&hour);
            let minutes_after = if folded || end != hour { hour } else { hour - Millis::hours(1) };
            panes.extend(self.panes[group].within(Tier::Minute, minutes_after, end));
            let panes = rows_of(&panes, &[&ours])?;
            let result = self.plans.groups[group].finish(panes)?;
            if window.name != pair_scores::RELATION {
                patients.extend(result.column(1).as_string::<i32>().iter().flatten().map(str::to_owned));
            }
            merged.insert(group, result);
        }
        let keys = RowKeys::of_pairs(patients.iter().map(|patient| (user, patient.as_str())));
        let base = self.base_columns(&keys, end, reference, pins);
        let mut columns = Vec::new();
        for origin in self.plans.evidence.origins() {
            columns.push(match origin {
                Origin::Merged { group, column } => {
                    let result = merged.get(group);
                    let rows = result.map(|result| find(&keys.first(2), result));
                    let kind = self.plans.groups[*group].result_schema().field(*column).data_type().clone();
                    let rows = rows.unwrap_or_else(|| UInt32Array::new_null(keys.len()));
                    gather(result, *column, &rows, &kind)?
                }
                Origin::Base(index) => Arc::clone(&base[*index]),
                Origin::Baseline { baseline, column } => {
                    let rows = self.baseline_rows(*baseline, &keys, &base);
                    self.baseline_column((*baseline, *column), &rows)?
                }
                _ => unreachable!("evidence rows offer windows only as they are merged"),
            });
        }
        self.plans.evidence.run(columns)
    }

    fn columns(
        &mut self,
        origins: &[Origin],
        keys: &RowKeys,
        end: Timestamp,
        reference: &Reference,
        pins: &Pins,
    ) -> Result<Vec<ArrayRef>> {
        let results = self.results(origins, keys, end)?;
        self.refresh_baselines(end)?;
        let base = self.base_columns(keys, end, reference, pins);
        let mut places: BTreeMap<(u8, usize, usize), UInt32Array> = BTreeMap::new();
        let mut rolled: BTreeMap<usize, RecordBatch> = BTreeMap::new();
        let scores = self.pair_score_group();
        let mut columns = Vec::with_capacity(origins.len());
        for origin in origins {
            columns.push(match *origin {
                Origin::Base(index) => Arc::clone(&base[index]),
                Origin::Window { group, size, column } => {
                    let result = &results[&(group, size)];
                    let by = self.program.spec.windows[group].keys.len();
                    let rows = places.entry((0, group, size)).or_insert_with(|| find(&keys.first(by), result));
                    gather(Some(result), column, rows, result.schema().field(column).data_type())?
                }
                Origin::RollUp { size, column } => {
                    let result = match rolled.entry(size) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(free) => free.insert(pair_scores::roll_up(&results[&(scores, size)])?),
                    };
                    let rows = places.entry((1, size, 0)).or_insert_with(|| find(&keys.first(1), result));
                    gather(Some(result), column, rows, result.schema().field(column).data_type())?
                }
                Origin::Baseline { baseline, column } => {
                    let found = places.entry((2, baseline, 0));
                    let rows = found.or_insert_with(|| self.baseline_rows(baseline, keys, &base));
                    self.baseline_column((baseline, column), rows)?
                }
                Origin::Merged { .. } => unreachable!("feature rows offer no merged windows"),
            });
        }
        Ok(columns)
    }

    /// Where in a baseline, as it was last worked out, the rows of `keys` are.
    fn baseline_rows(&self, baseline: usize, keys: &RowKeys, base: &[ArrayRef]) -> UInt32Array {
        let Some((_, result)) = &self.baselines[baseline] else { return UInt32Array::new_null(keys.len()) };
        let names = &self.program.spec.baselines[baseline].keys;
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["user_key"] => find(&keys.first(1), result),
            ["user_key", "patient_key"] => find(&keys.first(2), result),
            names => {
                let place = |name: &&str| BASE.iter().position(|(base, _)| base == name);
                let values = names.iter().map(|name| base[place(name)?].as_string_opt::<i32>());
                let values: Option<Vec<_>> = values.collect();
                values.map_or_else(|| UInt32Array::new_null(keys.len()), |values| find(&values, result))
            }
        }
    }

    fn baseline_column(&self, (baseline, column): (usize, usize), rows: &UInt32Array) -> Result<ArrayRef> {
        let kind = self.plans.baselines[baseline].schema().field(column).data_type().clone();
        gather(self.baselines[baseline].as_ref().map(|(_, result)| result), column, rows, &kind)
    }

    /// The newest closed value of every window that the columns need. Windows of pairs are computed for those of `keys`
    /// only, since few of a day's are touched in a step; others that step with the scoring tick for the active users, and
    /// longer steps once, to be kept.
    fn results(&mut self, origins: &[Origin], keys: &RowKeys, end: Timestamp) -> Result<Results> {
        let scores = self.pair_score_group();
        let mut needed: Vec<(usize, usize)> = origins
            .iter()
            .filter_map(|origin| match *origin {
                Origin::Window { group, size, .. } => Some((group, size)),
                Origin::RollUp { size, .. } => Some((scores, size)),
                _ => None,
            })
            .collect();
        needed.sort_unstable();
        needed.dedup();
        let scoring_hop = self.program.spec.scoring.hop;
        let active = RowKeys::of_users(self.active_users.iter().map(String::as_str));
        let mut results = Results::new();
        for (group, place) in needed {
            let window = &self.program.spec.windows[group];
            let size = window.sizes[place];
            let to = end.floor(size.hop);
            // All of a user's scores count for what they come to.
            let pairs = window.is_of_pairs() && group != scores;
            let kept = self.windows.get(&(group, place)).filter(|(at, _)| *at == to && !pairs);
            if let Some((_, result)) = kept {
                results.insert((group, place), result.clone());
                continue;
            }
            let tier = if size.in_hours() { Tier::Hour } else { Tier::Minute };
            let mut panes = self.panes[group].within(tier, to - size.size, to);
            if pairs || size.hop == scoring_hop {
                let wanted = if pairs { keys } else { &active };
                panes = rows_of(&panes, &wanted.first(2))?;
            }
            let result = self.plans.groups[group].finish(panes)?;
            if !pairs {
                self.windows.insert((group, place), (to, result.clone()));
            }
            results.insert((group, place), result);
        }
        Ok(results)
    }

    /// Pairs touched in the scoring step that ends at `end`, sorted.
    fn active_pairs(&self, end: Timestamp) -> BTreeSet<(String, String)> {
        let mut pairs = BTreeSet::new();
        for (window, panes) in self.program.spec.windows.iter().zip(&self.panes) {
            let Some(pane) = panes.minute.get(&end).filter(|_| window.is_of_pairs()) else { continue };
            let (users, patients) = (pane.column(0).as_string::<i32>(), pane.column(1).as_string::<i32>());
            let known = users.iter().zip(patients).filter_map(|(user, patient)| user.zip(patient));
            pairs.extend(known.map(|(user, patient)| (user.to_owned(), patient.to_owned())));
        }
        pairs
    }

    /// Baselines of users as of the last day that closed before this tick.
    fn refresh_baselines(&mut self, end: Timestamp) -> Result<()> {
        let day = self.memory.local.day_start(end - Millis(1));
        for (plan, kept) in self.plans.baselines.iter().zip(&mut self.baselines) {
            let BaselinePlan::Own(plan) = plan else { continue };
            if kept.as_ref().is_none_or(|(at, _)| *at != day) {
                *kept = Some((day, plan.run(&self.panes, day)?));
            }
        }
        Ok(())
    }

    /// The columns of `rows::BASE`, as known at the tick.
    fn base_columns(&mut self, keys: &RowKeys, end: Timestamp, reference: &Reference, pins: &Pins) -> Vec<ArrayRef> {
        let genesis = self.genesis().clone();
        let known = Known { pins, genesis: &genesis, tick_end: end };
        let at = end - Millis(1);
        let local = self.memory.local.at(at);
        let staff: Vec<_> = keys.users.iter().flatten().map(|user| reference.staff(user, at, &known)).collect();
        let text = |of: &dyn Fn(&reference::StaffView<'_>) -> Option<String>| -> ArrayRef {
            Arc::new(staff.iter().map(|staff| staff.as_ref().and_then(of)).collect::<StringArray>())
        };
        let days = |of: &dyn Fn(&reference::StaffView<'_>) -> Option<Millis>| -> ArrayRef {
            let day = Millis::days(1).0;
            let days = staff.iter().map(|staff| staff.as_ref().and_then(of).map(|span| span.0.div_euclid(day)));
            Arc::new(days.collect::<Int64Array>())
        };
        let rows = keys.len();
        vec![
            Arc::new(keys.users.clone()),
            Arc::new(keys.patients.clone().unwrap_or_else(|| StringArray::new_null(rows))),
            Arc::new(Int32Array::from(vec![local.hour; rows])),
            Arc::new(Int32Array::from(vec![local.weekday; rows])),
            text(&|staff| staff.role.map(str::to_owned)),
            text(&|staff| staff.unit.map(str::to_owned)),
            text(&|staff| staff.shift.map(str::to_owned)),
            text(&|staff| Some(staff.kind.name().to_owned())),
            days(&|staff| staff.hired.map(|hired| at - hired)),
            days(&|staff| staff.ends.map(|ends| ends - at)),
        ]
    }
}
