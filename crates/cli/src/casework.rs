//! How well scores and rules do, counted as a reviewer meets them: in cases.
//!
//! A case is a user, opened by a score at the threshold or by a rule, and open until seven quiet days have passed; or an
//! entity, as its watch opened it. An incident is caught if a case was opened on evidence from it: one of its acts lies in
//! the 24 hours before, and of a patient's chart, was on that chart. An address names the accounts it tried, of which one
//! gave in, so that any of them will do. Rows are those of `chartwarden record`; the truth beside them is read here and
//! nowhere near the model.
//! Read next: `commands/evaluate.rs`, which asks and prints.

use std::collections::{BTreeMap, BTreeSet};

use base::Millis;
use serde::Serialize;

/// How long a case stays open without anything new.
const QUIET: Millis = Millis::days(7);
/// How far back the evidence of a row reaches.
const REACH: Millis = Millis::hours(24);

/// A scored row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index of the user.
    pub(crate) user: usize,
    /// End of the tick, in milliseconds.
    pub(crate) end: i64,
    /// Score of the model, 0 to 1.
    pub(crate) score: f64,
    /// Whether a rule fired.
    pub(crate) rule: bool,
}

/// What somebody did that they had no business doing.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// Index of the user.
    pub(crate) user: usize,
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// Its acts, in order of time.
    pub(crate) acts: Vec<Act>,
    /// Indices of the users as whom something was done or tried.
    pub(crate) accounts: BTreeSet<usize>,
}

/// One act of an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Act {
    /// When, in milliseconds.
    pub(crate) at: i64,
    /// Pseudonym of the patient whose chart it was on, if on any.
    pub(crate) patient: Option<String>,
}

/// A case about an entity.
#[derive(Clone, Debug)]
pub(crate) struct EntityCase {
    /// End of the tick it was opened at, in milliseconds.
    pub(crate) at: i64,
    /// Title of the finding.
    pub(crate) title: String,
    /// Indices of the users it names.
    pub(crate) users: Vec<usize>,
    /// Pseudonym of the patient, where it is about a chart.
    pub(crate) patient: Option<String>,
}

/// A house and what was recorded of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct House {
    /// Rows in order of time.
    pub(crate) rows: Vec<Row>,
    /// Cases about entities, in order of time.
    pub(crate) entities: Vec<EntityCase>,
    pub(crate) incidents: Vec<Incident>,
    /// Users who look odd and are innocent: what for, and from when to when.
    pub(crate) oddities: BTreeMap<usize, Vec<(String, i64, i64)>>,
    /// Days of rows.
    pub(crate) days: f64,
}

/// Who may open a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voices {
    /// Rules, those of watches among them, and score.
    Both,
    /// Rules alone, those of watches among them: the threshold does not matter.
    Rules,
    /// The score alone.
    Model,
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) user: usize,
    pub(crate) at: i64,
}

/// What a threshold comes to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// New cases a day and house.
    pub(crate) per_day: f64,
    /// Score at and above which a case is opened.
    pub(crate) threshold: f64,
    /// Cases.
    pub(crate) cases: usize,
    /// Of those, about an incident.
    pub(crate) good: usize,
    /// Incidents caught.
    pub(crate) caught: usize,
    /// Incidents there were.
    pub(crate) incidents: usize,
    /// Per scenario: caught, there were, hours from the first act to the case of each that was caught.
    pub(crate) scenarios: BTreeMap<String, (usize, usize, Vec<f64>)>,
    /// False cases by what the user was innocently busy with, or by the title of the watch.
    pub(crate) false_cases: BTreeMap<String, usize>,
}

impl Outcome {
    /// Share of cases that are about an incident.
    pub(crate) fn precision(&self) -> f64 {
        self.good as f64 / (self.cases as f64).max(1.0)
    }

    /// Share of incidents that were caught.
    pub(crate) fn recall(&self) -> f64 {
        self.caught as f64 / (self.incidents as f64).max(1.0)
    }

    /// No reviewer could catch more: one case for each incident at most.
    pub(crate) fn ceiling(&self) -> f64 {
        (self.cases as f64 / (self.incidents as f64).max(1.0)).min(1.0)
    }
}

impl House {
    /// Cases that open at a threshold.
    pub(crate) fn cases(&self, threshold: f64, voices: Voices) -> Vec<Opened> {
        let mut last: BTreeMap<usize, i64> = BTreeMap::new();
        let mut opened = Vec::new();
        for row in &self.rows {
            let model = voices != Voices::Rules && row.score >= threshold;
            let rule = voices != Voices::Model && row.rule;
            if !model && !rule {
                continue;
            }
            let before = last.insert(row.user, row.end);
            if before.is_none_or(|before| row.end - before >= QUIET.0) {
                opened.push(Opened { user: row.user, at: row.end });
            }
        }
        opened
    }

    /// How many cases open at a threshold, those of watches among them.
    fn case_count(&self, threshold: f64, voices: Voices) -> usize {
        self.cases(threshold, voices).len() + self.watched(voices).len()
    }

    /// Cases that watches open.
    fn watched(&self, voices: Voices) -> &[EntityCase] {
        if voices == Voices::Model { &[] } else { &self.entities }
    }

    /// The incidents with an act of a kind that a case opened at `at` rests on, with the time since the first act of each.
    fn grounds(&self, at: i64, is_about: impl Fn(&Incident, &Act) -> bool) -> Vec<(usize, i64)> {
        let grounds = self.incidents.iter().enumerate().filter_map(|(place, incident)| {
            let [after, before] = [at - REACH.0, at].map(|end| incident.acts.partition_point(|act| act.at < end));
            let found = incident.acts[after..before].iter().any(|act| is_about(incident, act));
            found.then(|| (place, at - incident.acts[0].at))
        });
        grounds.collect()
    }

    /// What the user of a false case was innocently busy with.
    fn excuse(&self, case: Opened) -> &str {
        let mut busy = self.oddities.get(&case.user).into_iter().flatten();
        let then = busy.find(|(_, from, to)| *from <= case.at && case.at - REACH.0 <= *to);
        then.map_or("nothing in particular", |(what, _, _)| what)
    }

    fn add_to(&self, threshold: f64, voices: Voices, outcome: &mut Outcome) {
        let mut caught: BTreeMap<usize, i64> = BTreeMap::new();
        let mut count = |grounds: Vec<(usize, i64)>, otherwise: &str| {
            outcome.cases += 1;
            outcome.good += usize::from(!grounds.is_empty());
            if grounds.is_empty() {
                *outcome.false_cases.entry(otherwise.to_owned()).or_default() += 1;
            }
            for (incident, since) in grounds {
                let sooner = caught.entry(incident).or_insert(since);
                *sooner = since.min(*sooner);
            }
        };
        for case in self.cases(threshold, voices) {
            count(self.grounds(case.at, |incident, _| incident.user == case.user), self.excuse(case));
        }
        for case in self.watched(voices) {
            let grounds = self.grounds(case.at, |incident, act| match &case.patient {
                Some(_) => act.patient == case.patient && case.users.contains(&incident.user),
                None => case.users.iter().any(|user| incident.accounts.contains(user)),
            });
            count(grounds, &case.title);
        }
        outcome.caught += caught.len();
        outcome.incidents += self.incidents.len();
        for (place, incident) in self.incidents.iter().enumerate() {
            let entry = outcome.scenarios.entry(incident.scenario.clone()).or_default();
            entry.1 += 1;
            if let Some(since) = caught.get(&place) {
                entry.0 += 1;
                entry.2.push(*since as f64 / 3_600_000.0);
            }
        }
    }
}

/// What a threshold comes to in all houses together.
pub(crate) fn outcome(houses: &[House], threshold: f64, voices: Voices) -> Outcome {
    let mut outcome = Outcome { threshold, ..Outcome::default() };
    houses.iter().for_each(|house| house.add_to(threshold, voices, &mut outcome));
    outcome.per_day = outcome.cases as f64 / houses.iter().map(|house| house.days).sum::<f64>().max(1e-9);
    outcome
}

/// The lowest threshold at which no more than `per_day` new cases a day and house open. Rules open theirs whatever it is.
pub(crate) fn threshold_for(houses: &[House], per_day: f64, voices: Voices) -> f64 {
    let scores: BTreeSet<u64> = houses.iter().flat_map(|house| &house.rows).map(|row| row.score.to_bits()).collect();
    let scores: Vec<f64> = scores.into_iter().map(f64::from_bits).collect();
    let days = houses.iter().map(|house| house.days).sum::<f64>();
    let fits = |threshold: f64| {
        let cases: usize = houses.iter().map(|house| house.case_count(threshold, voices)).sum();
        cases as f64 <= per_day * days
    };
    // Above every score only rules are left.
    let place = scores.partition_point(|score| !fits(*score));
    scores.get(place).copied().unwrap_or(1.0 + f64::EPSILON)
}

/// Precision of a reviewer who picks as many (user, day) at random.
pub(crate) fn random_precision(houses: &[House]) -> f64 {
    const DAY_MS: i64 = 86_400_000;
    let (mut all, mut good) = (0usize, 0usize);
    for house in houses {
        let days: BTreeMap<(usize, i64), i64> =
            house.rows.iter().map(|row| ((row.user, row.end.div_euclid(DAY_MS)), row.end)).collect();
        all += days.len();
        let hit = |(user, _): (usize, i64), at: i64| !house.grounds(at, |incident, _| incident.user == user).is_empty();
        good += days.into_iter().filter(|(day, at)| hit(*day, *at)).count();
    }
    good as f64 / (all as f64).max(1.0)
}

#[cfg(test)]
mod tests;
