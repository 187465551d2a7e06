//! The decisions: when a case is opened, updated and closed.
//!
//! One case per user, or per entity that is watched. It opens when the score reaches the threshold or a rule fires; it is told again when a rule
//! fires that was not told, and, after a cool-down and up to a cap, when the score has risen or further patients are
//! implicated; it closes after quiet. What is held back by the cool-down is told after it, not forgotten. Everything
//! follows from the ticks alone. Read next: `tell.rs`, the words; `case.rs`, what is remembered.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use base::Timestamp;

use crate::canonical;
use crate::case::Case;
use crate::definitions::{self, Definitions};
use crate::error::{Error, Result};
use crate::evidence::{Contribution, Evidence, Other, PairEvidence, check_key, json_time};
use crate::limits::PATIENTS_MAX;
use crate::ocsf;
use crate::policy::{Activity, FeatureMeaning, Origin, Policy, Rule, Severity, Subject};
use crate::score::Micros;
use crate::tell::{At, News, Report, Scene};
use crate::value::Value;

/// One scoring tick of one lane.
pub struct Tick<'a> {
    /// The end of the tick; the `time` of its findings.
    pub end: Timestamp,
    /// One row per user that was active (or entity that was met), in strict order of the text column that names it.
    pub features: &'a RecordBatch,
    /// The score of each row, 0 to 1.
    pub scores: &'a [f64],
    /// Why a row scored as it did, in any order. Called only for rows that become findings.
    pub explain: &'a dyn Fn(usize) -> Vec<Contribution>,
    /// What the user did with which patients (or which users did with the entity), in any order. Called only for those
    /// with a case.
    pub evidence: &'a dyn Fn(&str) -> Vec<PairEvidence>,
}

/// What a step produced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Findings, ordered by user key and, within a user, as they follow each other.
    pub findings: Vec<Finding>,
    /// The state to store for each user whose case changed, in order; `None` deletes it.
    pub touched: Vec<(String, Option<Vec<u8>>)>,
}

/// A finding, and the bytes that are sent, stored and sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Identifier: a hash over pipeline, case, ordinal, tick end and content.
    pub id: String,
    /// Identifier of the case.
    pub case_id: String,
    /// Pseudonym of the user or entity it is about.
    pub subject: String,
    /// End of the tick it was told at.
    pub tick_end: Timestamp,
    /// What it says about the case.
    pub activity: Activity,
    /// The gravest so far in the case.
    pub severity: Severity,
    /// The score of the tick, in millionths; in a closing, the highest of the case.
    pub score: f64,
    /// The case's title.
    pub title: String,
    /// What happened, most telling first.
    pub sentences: Vec<String>,
    /// Ids of the rules of the case, strongest first.
    pub rules: Vec<String>,
    /// The canonical bytes: OCSF Detection Finding 2004 as RFC 8785 JSON.
    pub bytes: Vec<u8>,
}

/// The open cases of one lane.
#[derive(Debug)]
pub struct Cases {
    definitions: Definitions,
    open_score: Micros,
    open: BTreeMap<String, Case>,
}

impl Cases {
    /// No case open. Policy, rules and meanings are checked against the columns of the feature batch; the error lists
    /// every problem.
    pub fn new(
        policy: Policy,
        rules: Vec<Rule>,
        meanings: Vec<FeatureMeaning>,
        origin: Origin,
        columns: &Schema,
    ) -> Result<Self> {
        Self::checked(Definitions::new(Subject::user(), policy, rules, meanings, origin, columns)?)
    }

    /// The same about entities, of which rules alone speak.
    pub fn about(subject: Subject, policy: Policy, rules: Vec<Rule>, origin: Origin, columns: &Schema) -> Result<Self> {
        Self::checked(Definitions::new(subject, policy, rules, Vec::new(), origin, columns)?)
    }

    fn checked(definitions: Definitions) -> Result<Self> {
        Ok(Self { open_score: definitions.open_score, definitions, open: BTreeMap::new() })
    }

    /// Sets the threshold for the ticks that follow: the alert budget names a new one each day.
    pub fn set_open_score(&mut self, open_score: f64) -> Result<()> {
        let micros = Micros::probability(open_score).filter(|micros| *micros > Micros(0));
        let problem = || format!("policy: `open_score` is {open_score}, expected more than 0 and at most 1");
        self.open_score = micros.ok_or_else(|| Error::Definitions(vec![problem()]))?;
        Ok(())
    }

    /// Takes up a stored case.
    pub fn restore(&mut self, subject: &str, bytes: &[u8]) -> Result<()> {
        check_key("subject", subject)?;
        self.open.insert(subject.to_owned(), Case::from_bytes(bytes)?);
        Ok(())
    }

    /// Lets go of every open case without a word; gives whom they were about.
    pub fn clear(&mut self) -> Vec<String> {
        std::mem::take(&mut self.open).into_keys().collect()
    }

    /// When the first of the open cases will have been quiet for long enough, if nothing happens before.
    pub fn next_close(&self) -> Option<Timestamp> {
        let close_after = self.definitions.policy.close_after;
        self.open.values().map(|case| case.quiet_at(close_after)).min()
    }

    /// How many cases are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Judges one tick. After an error the lane's cases are to be restored before the next.
    pub fn step(&mut self, tick: &Tick<'_>) -> Result<Step> {
        let rows = Rows::new(tick, &self.definitions)?;
        let mut step = Step::default();
        for index in 0..rows.users.len() {
            let row = rows.row(index, tick)?;
            if self.open.contains_key(row.user) || self.opens(&row) {
                self.judge(&row, &mut step)?;
            }
        }
        Ok(step)
    }

    /// Closes the cases that have been quiet for long enough at this time, among them those of users who are not
    /// active any more.
    pub fn close_quiet(&mut self, end: Timestamp) -> Result<Step> {
        let close_after = self.definitions.policy.close_after;
        let quiet = self.open.iter().filter(|(_, case)| case.is_quiet(end, close_after));
        let quiet: Vec<String> = quiet.map(|(user, _)| user.clone()).collect();
        let mut step = Step::default();
        for user in quiet {
            if let Some(mut case) = self.open.remove(&user) {
                self.close(&mut case, self.at(&user, end), &mut step)?;
                step.touched.push((user, None));
            }
        }
        Ok(step)
    }

    /// One user's row: closes what had fallen quiet, then opens or follows.
    fn judge(&mut self, row: &Row<'_>, step: &mut Step) -> Result<()> {
        let stored = self.open.remove(row.user);
        let mut case = stored.clone();
        if let Some(quiet) =
            case.take_if(|case| case.is_quiet(row.tick.end, self.definitions.policy.close_after)).as_mut()
        {
            self.close(quiet, self.at(row.user, row.tick.end), step)?;
        }
        case = match case {
            Some(case) => Some(self.follow(case, row, step)?),
            None if self.opens(row) => Some(self.begin(row, step)?),
            None => None,
        };
        if case != stored {
            let bytes = case.as_ref().map(Case::to_bytes).transpose()?;
            step.touched.push((row.user.to_owned(), bytes));
        }
        if let Some(case) = case {
            self.open.insert(row.user.to_owned(), case);
        }
        Ok(())
    }

    /// A material rule fires, or the score is at the threshold.
    fn opens(&self, row: &Row<'_>) -> bool {
        row.score >= self.open_score || self.material(row).next().is_some()
    }

    fn material(&self, row: &Row<'_>) -> impl Iterator<Item = usize> {
        row.firing.iter().copied().filter(|index| definitions::is_material(&self.definitions.rules[*index].rule))
    }

    fn begin(&self, row: &Row<'_>, step: &mut Step) -> Result<Case> {
        check_key("subject", row.user)?;
        let end = row.tick.end;
        let pipeline = self.definitions.origin.pipeline.as_bytes();
        let id = canonical::identifier("c-", &[pipeline, row.user.as_bytes(), &end.millis().to_be_bytes()]);
        let mut case = Case::new(id, end);
        case.peak_score = row.score;
        let evidence = Evidence::new((row.tick.evidence)(row.user))?;
        let patients = self.implicated(&case, &evidence);
        let news = News { rules: self.material(row).collect(), rise: None, patients };
        self.tell(&mut case, Activity::Opened, row, evidence, &news, step)?;
        Ok(case)
    }

    fn follow(&self, mut case: Case, row: &Row<'_>, step: &mut Step) -> Result<Case> {
        let policy = &self.definitions.policy;
        let end = row.tick.end;
        if self.opens(row) {
            case.active = end;
        }
        case.peak_score = case.peak_score.max(row.score);
        let rules: Vec<usize> =
            self.material(row).filter(|index| !case.rules.contains(&self.definitions.rules[*index].rule.id)).collect();
        let may_wait = end - case.told < policy.update_gap || case.updates >= policy.updates_max;
        if rules.is_empty() && may_wait {
            return Ok(case);
        }
        let evidence = Evidence::new((row.tick.evidence)(row.user))?;
        let patients = self.implicated(&case, &evidence);
        let risen = case.peak_score >= case.told_score + self.definitions.update_rise;
        let rise = risen.then_some((case.told_score, case.peak_score));
        let news = News { rules, rise, patients };
        if !news.is_empty() {
            case.active = end;
            self.tell(&mut case, Activity::Updated, row, evidence, &news, step)?;
        }
        Ok(case)
    }

    /// Patients whose pair score is high and who were not told yet, most telling first, as far as a case remembers.
    fn implicated(&self, case: &Case, evidence: &Evidence) -> BTreeSet<String> {
        let high = evidence.pairs.iter().filter(|pair| pair.micros >= self.definitions.pair_score);
        // Of an entity, every user is told from the beginning.
        let patients = high.filter(|pair| matches!(pair.other, Other::Patient(_)));
        let new = patients.map(|pair| pair.other.key()).filter(|patient| !case.patients.contains(*patient));
        new.take(PATIENTS_MAX.saturating_sub(case.patients.len())).map(str::to_owned).collect()
    }

    fn tell(
        &self,
        case: &mut Case,
        activity: Activity,
        row: &Row<'_>,
        evidence: Evidence,
        news: &News,
        step: &mut Step,
    ) -> Result<()> {
        let cell = |column: &str| Value::of(row.tick.features, column, row.index);
        let contributions = (row.tick.explain)(row.index);
        let scene = Scene { cell: &cell, firing: &row.firing, score: row.score, contributions, evidence };
        self.definitions.absorb(case, &scene, &news.patients, self.open_score);
        let at = self.at(row.user, row.tick.end);
        let report = self.definitions.report(case, activity, scene, news, at);
        self.emit(case, report, step)
    }

    fn close(&self, case: &mut Case, at: At<'_>, step: &mut Step) -> Result<()> {
        let report = self.definitions.closing(case, at);
        self.emit(case, report, step)
    }

    fn emit(&self, case: &mut Case, report: Report, step: &mut Step) -> Result<()> {
        let (id, bytes) = ocsf::encode(&report, &self.definitions.origin)?;
        case.tell(id.clone(), report.activity, report.end);
        step.findings.push(Finding {
            id,
            case_id: report.case_id,
            subject: report.subject,
            tick_end: report.end,
            activity: report.activity,
            severity: report.severity,
            score: report.score.number(),
            title: report.title,
            sentences: report.sentences,
            rules: report.rules.into_iter().map(|(id, _)| id).collect(),
            bytes,
        });
        Ok(())
    }

    fn at<'a>(&self, subject: &'a str, end: Timestamp) -> At<'a> {
        At { subject, end: json_time(end), open_score: self.open_score }
    }
}

impl News {
    fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.rise.is_none() && self.patients.is_empty()
    }
}

/// The columns of a tick that every row is judged by.
struct Rows<'a> {
    users: StringArray,
    rules: Vec<&'a BooleanArray>,
}

/// One row.
struct Row<'a> {
    tick: &'a Tick<'a>,
    index: usize,
    user: &'a str,
    score: Micros,
    /// Indices of the rules that fire, strongest first.
    firing: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(tick: &'a Tick<'a>, definitions: &Definitions) -> Result<Self> {
        let batch = tick.features;
        if batch.num_rows() != tick.scores.len() {
            return Err(Error::Lengths { rows: batch.num_rows(), scores: tick.scores.len() });
        }
        let key = &definitions.subject.column;
        let no_users = || Error::Column { column: key.clone(), expected: "text without nulls" };
        let users = batch.column_by_name(key).filter(|column| column.null_count() == 0).ok_or_else(no_users)?;
        let users = cast(users, &DataType::Utf8).map_err(|_| no_users())?;
        let users = users.as_string_opt::<i32>().ok_or_else(no_users)?.clone();
        if let Some(row) = (1..users.len()).find(|row| users.value(row - 1) >= users.value(*row)) {
            return Err(Error::Order { row });
        }
        let boolean = |column: &str| {
            let found = batch.column_by_name(column).and_then(|column| column.as_boolean_opt());
            found.ok_or_else(|| Error::Column { column: column.to_owned(), expected: "Boolean" })
        };
        let rules = definitions.rules.iter().map(|checked| boolean(&checked.rule.column)).collect::<Result<_>>()?;
        Ok(Self { users, rules })
    }

    fn row<'b>(&'b self, index: usize, tick: &'b Tick<'b>) -> Result<Row<'b>> {
        let score = tick.scores[index];
        let score = Micros::probability(score).ok_or(Error::Score { row: index, score })?;
        let fires = |rule: &&BooleanArray| rule.is_valid(index) && rule.value(index);
        let firing = self.rules.iter().enumerate().filter(|(_, rule)| fires(rule)).map(|(rule, _)| rule).collect();
        Ok(Row { tick, index, user: self.users.value(index), score, firing })
    }
}

#[cfg(test)]
mod tests;
