//! What a finding says: title, sentences and evidence of one case at one tick, still independent of any format.
//!
//! Rules come first, strongest first; then what moved the model, one sentence per group of correlated features, by
//! contribution; then the patients; then the score. Where few charts stand out, they come before what moved the model.
//! A sentence is only told where its values are there.
//! Read next: `ocsf.rs`, which turns a [`Report`] into bytes.

use std::collections::{BTreeMap, BTreeSet};

use base::{Digest, Timestamp};
use jiff::tz::TimeZone;

use crate::case::{Case, Earlier};
use crate::definitions::{CheckedMeaning, Definitions, VALUE};
use crate::evidence::{Contribution, Evidence, Other, Pair};
use crate::limits::{CONTRIBUTIONS_MAX, EVIDENCE_SENTENCES_MAX, NAME_BYTES_MAX, RULES_TOLD_MAX};
use crate::policy::{Activity, Confidence, Severity};
use crate::score::Micros;
use crate::value::Value;
use crate::words;

/// Everything one finding says.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) activity: Activity,
    pub(crate) subject: String,
    /// What it is, where it is no user.
    pub(crate) entity: Option<String>,
    pub(crate) end: Timestamp,
    pub(crate) case_id: String,
    pub(crate) ordinal: u32,
    pub(crate) opened: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) score: Micros,
    pub(crate) open_score: Micros,
    /// 0 to 100, never falling within a case.
    pub(crate) risk: i64,
    pub(crate) title: String,
    pub(crate) sentences: Vec<String>,
    /// Why the finding was told: `rule:<id>`, `score`, `score_rise`, `patients`, `quiet`.
    pub(crate) because: Vec<String>,
    /// Rules of the case, strongest first: id, and title where the pipeline still has the rule.
    pub(crate) rules: Vec<(String, Option<String>)>,
    pub(crate) techniques: BTreeSet<String>,
    /// Whether a rule, and not the model, is what the case rests on.
    pub(crate) led_by_rule: bool,
    pub(crate) contributions: Vec<Listed>,
    /// Of an entity, its row.
    pub(crate) row: Vec<(String, Value)>,
    pub(crate) features: Vec<Told>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) evidence: Option<(usize, Digest)>,
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    pub(crate) earlier: Vec<Earlier>,
}

/// A contribution as listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) feature: String,
    pub(crate) value: Value,
    pub(crate) weight: Micros,
}

/// A feature told in a sentence.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) feature: String,
    pub(crate) value: Value,
    pub(crate) baseline: Option<(String, Value)>,
    pub(crate) sentence: String,
    group: String,
}

/// Correlated features: the sum of their contributions, and those that can be told, each with its own.
type Group = (Micros, Vec<(Micros, Told)>);

/// What is new since the last finding of the case.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Indices of rules not told before, strongest first.
    pub(crate) rules: Vec<usize>,
    /// What was told of the score, and what it is now.
    pub(crate) rise: Option<(Micros, Micros)>,
    /// Patients newly implicated.
    pub(crate) patients: BTreeSet<String>,
}

/// One row of a tick as the words need it.
pub(crate) struct Scene<'a> {
    pub(crate) cell: &'a dyn Fn(&str) -> Value,
    /// Indices of the rules that fire, strongest first.
    pub(crate) firing: &'a [usize],
    pub(crate) score: Micros,
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) evidence: Evidence,
}

impl Definitions {
    /// Takes into the case what this row adds to it: rules, severity, confidence, title, patients, time.
    pub(crate) fn absorb(&self, case: &mut Case, scene: &Scene<'_>, patients: &BTreeSet<String>, open_score: Micros) {
        let by_model = scene.score >= open_score;
        if by_model {
            case.severity =
                case.severity.max(if scene.score >= HIGH_SCORE { Severity::High } else { Severity::Medium });
            case.confidence = case.confidence.max(Confidence::Medium);
        }
        for rule in scene.firing.iter().map(|index| &self.rules[*index].rule) {
            case.rules.insert(rule.id.clone());
            if !crate::definitions::is_material(rule) {
                continue;
            }
            case.severity = case.severity.max(rule.severity);
            // Two voices that agree are surer than either.
            case.confidence = if by_model { Confidence::High } else { case.confidence.max(rule.confidence) };
            if case.rule_severity.is_none_or(|severity| severity < rule.severity) {
                case.rule_severity = Some(rule.severity);
                case.title = rule.title.clone();
            }
        }
        if case.title.is_empty() {
            let group = self.features(scene).into_iter().map(|told| told.group).find(|group| !group.is_empty());
            case.title =
                group.map_or_else(|| "Unusual activity".to_owned(), |group| format!("Unusual activity: {group}"));
        }
        case.patients.extend(patients.iter().cloned());
        if let Some((first, last)) = scene.evidence.span() {
            let (before, after) = case.span.unwrap_or((first, last));
            case.span = Some((before.min(first), after.max(last)));
        }
    }

    /// The report of a case that is opened or updated.
    pub(crate) fn report(&self, case: &Case, activity: Activity, scene: Scene<'_>, news: &News, at: At<'_>) -> Report {
        let by_model = scene.score >= at.open_score;
        let features = if by_model { self.features(&scene) } else { Vec::new() };
        let mut sentences = Vec::new();
        if activity == Activity::Updated {
            sentences.push(self.news(news));
        }
        for index in scene.firing.iter().take(RULES_TOLD_MAX) {
            sentences.push(self.rules[*index].sentence.render(scene.cell, &self.origin.time_zone));
        }
        let shown = scene.evidence.pairs.len().min(self.policy.evidence_top);
        let mut striking = patients(&scene.evidence.pairs, shown, activity, news, &self.origin.time_zone);
        let others = striking.split_off(striking_charts(&scene.evidence.pairs).min(shown));
        sentences.extend(striking);
        sentences.extend(features.iter().map(|told| told.sentence.clone()));
        sentences.extend(others);
        let contributions = listed(&scene.contributions, scene.cell);
        // Of entities no model speaks.
        if self.subject.entity.is_none() {
            let (score, peak) = (scene.score, case.peak_score);
            sentences.push(score_sentence(score, peak, at.open_score, features.is_empty(), &contributions));
        }
        let rows = scene.evidence.pairs.len();
        let mut pairs = scene.evidence.pairs;
        pairs.truncate(shown);
        let mut report = self.frame(case, activity, at);
        report.score = scene.score;
        report.sentences = sentences;
        report.because = self.because(activity, news, by_model);
        report.led_by_rule = case.rule_severity.is_some() && !by_model;
        report.contributions = contributions;
        report.row = self.shown.iter().map(|column| (column.clone(), (scene.cell)(column))).collect();
        report.features = features;
        report.pairs = pairs;
        report.evidence = Some((rows, scene.evidence.digest));
        report
    }

    /// The report of a case that fell quiet.
    pub(crate) fn closing(&self, case: &Case, at: At<'_>) -> Report {
        let mut report = self.frame(case, Activity::Closed, at);
        let quiet = words::duration(self.policy.close_after);
        let updates = words::count(i64::from(case.updates), "update", "updates");
        let is_user = self.subject.entity.is_none();
        let scored = if is_user { " and the score stayed below the threshold" } else { "" };
        report.sentences = vec![
            format!(
                "Closed after {quiet} of quiet: since {} no rule that opens a case fired{scored}.",
                words::moment(case.active, &self.origin.time_zone)
            ),
            format!("The case was opened at {} and had {updates}.", words::moment(case.opened, &self.origin.time_zone)),
        ];
        if is_user {
            report.sentences.push(format!("Its highest score was {}.", case.peak_score));
        }
        let rules: Vec<_> = report
            .rules
            .iter()
            .take(RULES_TOLD_MAX)
            .map(|(id, title)| title.clone().unwrap_or_else(|| id.clone()))
            .collect();
        if !rules.is_empty() {
            report.sentences.push(words::sentence(&format!("It rested on: {}", words::list(&rules))));
        }
        report.sentences.push("It was closed by itself: nobody need have reviewed it.".to_owned());
        report.score = case.peak_score;
        report.because = vec!["quiet".to_owned()];
        report.led_by_rule = case.rule_severity.is_some();
        report
    }

    fn frame(&self, case: &Case, activity: Activity, at: At<'_>) -> Report {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|checked| &checked.rule)
            .filter(|rule| case.rules.contains(&rule.id))
            .map(|rule| (rule.id.clone(), Some(rule.title.clone())))
            .collect();
        // A case that outlived a change of the pipeline may name rules that are gone.
        let gone = case.rules.iter().filter(|id| self.rule(id).is_none()).map(|id| (id.clone(), None));
        let told = || case.rules.iter().filter_map(|id| self.rule(id));
        Report {
            activity,
            subject: at.subject.to_owned(),
            entity: self.subject.entity.clone(),
            end: at.end,
            case_id: case.id.clone(),
            ordinal: case.ordinal,
            opened: case.opened,
            severity: case.severity,
            confidence: case.confidence,
            score: Micros::default(),
            open_score: at.open_score,
            risk: case.peak_score.percent().max(case.rule_severity.map_or(0, Severity::risk_floor)),
            title: case.title.clone(),
            sentences: Vec::new(),
            because: Vec::new(),
            techniques: told().flat_map(|rule| rule.attack.iter().cloned()).collect(),
            rules: rules.into_iter().chain(gone).collect(),
            led_by_rule: false,
            contributions: Vec::new(),
            row: Vec::new(),
            features: Vec::new(),
            pairs: Vec::new(),
            evidence: None,
            span: case.span,
            earlier: case.earlier.clone(),
        }
    }

    fn because(&self, activity: Activity, news: &News, by_model: bool) -> Vec<String> {
        let mut because: Vec<_> =
            news.rules.iter().map(|index| format!("rule:{}", self.rules[*index].rule.id)).collect();
        if activity == Activity::Opened && by_model {
            because.push("score".to_owned());
        }
        if news.rise.is_some() {
            because.push("score_rise".to_owned());
        }
        if !news.patients.is_empty() && activity == Activity::Updated {
            because.push("patients".to_owned());
        }
        because
    }

    fn news(&self, news: &News) -> String {
        let titles = news.rules.iter().take(RULES_TOLD_MAX).map(|index| &self.rules[*index].rule.title);
        let mut parts: Vec<_> = titles.map(|title| format!("rule \"{title}\" fired")).collect();
        if let Some((before, now)) = news.rise {
            parts.push(format!("the score rose from {before} to {now}"));
        }
        if !news.patients.is_empty() {
            let count = i64::try_from(news.patients.len()).unwrap_or(i64::MAX);
            parts.push(format!(
                "the charts of {} stand out",
                words::count(count, "further patient", "further patients")
            ));
        }
        words::sentence(&format!("New since the last report: {}", words::list(&parts)))
    }

    /// What moved the score up, one feature per group, groups by their summed contribution. What a rule tells of is not
    /// told again.
    fn features(&self, scene: &Scene<'_>) -> Vec<Told> {
        let told_rules = scene.firing.iter().take(RULES_TOLD_MAX);
        let by_rules: BTreeSet<_> = told_rules.flat_map(|index| self.rules[*index].sentence.columns()).collect();
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for contribution in &scene.contributions {
            let Some((name, meaning)) = self.meanings.get_key_value(&contribution.feature) else { continue };
            let weight = Micros::of(contribution.weight).unwrap_or_default();
            // A feature without a group is a group of its own.
            let group = if meaning.group.is_empty() { name.as_str() } else { &meaning.group };
            let (sum, members) = groups.entry(group).or_default();
            *sum = *sum + weight;
            if weight > Micros(0)
                && !by_rules.contains(name.as_str())
                && let Some(told) = tell_feature(name, meaning, contribution.value, scene.cell, &self.origin.time_zone)
            {
                members.push((weight, told));
            }
        }
        let mut told: Vec<(Micros, Told)> = groups
            .into_values()
            .filter(|(sum, _)| *sum > Micros(0))
            .filter_map(|(sum, members)| {
                // The first of equals by name: members may arrive in any order.
                let strongest =
                    |a: &(Micros, Told), b: &(Micros, Told)| a.0.cmp(&b.0).then_with(|| b.1.feature.cmp(&a.1.feature));
                members.into_iter().max_by(strongest).map(|(_, told)| (sum, told))
            })
            .collect();
        told.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.feature.cmp(&b.1.feature)));
        told.truncate(self.policy.explain_top);
        told.into_iter().map(|(_, told)| told).collect()
    }
}

/// Whose report it is, when, and under which threshold.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) subject: &'a str,
    pub(crate) end: Timestamp,
    pub(crate) open_score: Micros,
}

/// Charts that score this much by themselves are told before what moved the model, if all of them can be told.
const STRIKING_SCORE: Micros = Micros(500_000);

/// How many charts are told first: none where many stand out, for then it is their number that counts.
fn striking_charts(pairs: &[Pair]) -> usize {
    let striking = pairs.iter().filter(|pair| pair.micros >= STRIKING_SCORE).count();
    if striking <= EVIDENCE_SENTENCES_MAX { striking } else { 0 }
}

/// Scores from here on are grave without any rule.
const HIGH_SCORE: Micros = Micros(800_000);

fn tell_feature(
    name: &str,
    meaning: &CheckedMeaning,
    value: f64,
    cell: &dyn Fn(&str) -> Value,
    zone: &TimeZone,
) -> Option<Told> {
    let value = match cell(name) {
        Value::Missing => Value::decimal(value),
        value => value,
    };
    let template = match &value {
        Value::Missing => return None,
        zero if zero.is_zero() => meaning.zero.as_ref()?,
        _ => &meaning.sentence,
    };
    let lookup = |column: &str| if column == VALUE { value.clone() } else { cell(column) };
    if template.columns().any(|column| lookup(column) == Value::Missing) {
        return None;
    }
    if template.floor(VALUE).zip(value.number()).is_some_and(|(floor, value)| value <= floor) {
        return None;
    }
    let sentence = template.render(&lookup, zone);
    let baseline = meaning.baseline.as_ref().map(|column| (column.clone(), cell(column)));
    let baseline = baseline.filter(|(_, value)| *value != Value::Missing);
    Some(Told { feature: name.to_owned(), sentence, value, baseline, group: meaning.group.clone() })
}

/// The patients (of an entity: the users) in sentences. An update tells those that are its news first; the evidence itself keeps its order.
fn patients(pairs: &[Pair], shown: usize, activity: Activity, news: &News, zone: &TimeZone) -> Vec<String> {
    let told = shown.min(EVIDENCE_SENTENCES_MAX);
    let is_news = |pair: &&Pair| activity == Activity::Updated && news.patients.contains(pair.other.key());
    let known = pairs.iter().filter(|pair| !is_news(pair));
    let order = pairs.iter().filter(is_news).chain(known);
    let mut sentences: Vec<_> = order.take(told).map(|pair| pair.sentence(zone)).collect();
    if pairs.len() > told {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (one, many) =
            if matches!(pairs[0].other, Other::User(_)) { ("user", "users") } else { ("patient", "patients") };
        let all = words::count(count(pairs.len()), one, many);
        let listed = words::whole(count(shown));
        sentences.push(match shown {
            0 => format!("{all} in all."),
            _ if shown < pairs.len() => format!("{all} in all, of whom the evidence lists {listed}."),
            _ => format!("{all} in all, listed in the evidence."),
        });
    }
    sentences
}

/// The weightiest contributions, either way; equal weights by name.
fn listed(contributions: &[Contribution], cell: &dyn Fn(&str) -> Value) -> Vec<Listed> {
    let mut listed: Vec<_> = contributions
        .iter()
        .filter(|contribution| (1..=NAME_BYTES_MAX).contains(&contribution.feature.len()))
        .map(|contribution| Listed {
            feature: contribution.feature.clone(),
            value: match cell(&contribution.feature) {
                Value::Missing => Value::decimal(contribution.value),
                value => value,
            },
            weight: Micros::of(contribution.weight).unwrap_or_default(),
        })
        .filter(|listed| listed.weight != Micros(0))
        .collect();
    listed.sort_by(|a, b| b.weight.0.abs().cmp(&a.weight.0.abs()).then_with(|| a.feature.cmp(&b.feature)));
    listed.truncate(CONTRIBUTIONS_MAX);
    listed
}

fn score_sentence(score: Micros, peak: Micros, open: Micros, silent: bool, contributions: &[Listed]) -> String {
    if score < open && peak < open {
        return format!("The model alone would not have raised this: score {score}, threshold {open}.");
    }
    if score < open {
        return format!(
            "The model's score is {score} now, under the threshold {open}; in this case it reached {peak}."
        );
    }
    let raising = contributions.iter().filter(|listed| listed.weight > Micros(0));
    let names: Vec<_> = raising.take(3).map(|listed| format!("`{}`", listed.feature)).collect();
    match names.is_empty() || !silent {
        true => format!("The model's score is {score}, the threshold {open}."),
        false => {
            format!("The model's score is {score}, the threshold {open}; it rests on {}.", words::list(&names))
        }
    }
}
