//! Policy, rules and meanings, checked against the columns of the feature batch once and trusted from then on.
//!
//! Every problem is reported at once, each naming the rule or feature, the column and the nearest name that exists.
//! Read next: `cases.rs`, which uses them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};

use crate::attack;
use crate::error::{Error, Result};
use crate::limits::{
    EVIDENCE_TOP_MAX, EXPLAIN_TOP_MAX, NAME_BYTES_MAX, RULES_MAX, TECHNIQUES_PER_RULE_MAX, TITLE_BYTES_MAX, UPDATES_MAX,
};
use crate::policy::{FeatureMeaning, Origin, Policy, Rule, Severity, Subject};
use crate::score::Micros;
use crate::template::Template;

/// In a meaning's template: the feature itself.
pub(crate) const VALUE: &str = "value";

/// A rule and its parsed sentence.
#[derive(Debug)]
pub(crate) struct CheckedRule {
    pub(crate) rule: Rule,
    pub(crate) sentence: Template,
}

/// A meaning and its parsed sentences.
#[derive(Debug)]
pub(crate) struct CheckedMeaning {
    pub(crate) group: String,
    pub(crate) sentence: Template,
    pub(crate) zero: Option<Template>,
    pub(crate) baseline: Option<String>,
}

/// Everything that was decided before the first tick.
#[derive(Debug)]
pub(crate) struct Definitions {
    pub(crate) subject: Subject,
    pub(crate) policy: Policy,
    pub(crate) open_score: Micros,
    pub(crate) pair_score: Micros,
    pub(crate) update_rise: Micros,
    /// Strongest first: by severity, then as configured.
    pub(crate) rules: Vec<CheckedRule>,
    pub(crate) meanings: BTreeMap<String, CheckedMeaning>,
    /// Columns of an entity's row that are shown: all but its key and its rules. Of users, the model says which.
    pub(crate) shown: Vec<String>,
    pub(crate) origin: Origin,
}

impl Definitions {
    pub(crate) fn new(
        subject: Subject,
        policy: Policy,
        rules: Vec<Rule>,
        meanings: Vec<FeatureMeaning>,
        origin: Origin,
        columns: &Schema,
    ) -> Result<Self> {
        let mut problems = Problems { columns, found: Vec::new() };
        problems.policy(&policy);
        problems.origin(&origin);
        if rules.len() > RULES_MAX {
            problems.found.push(format!("{} rules, at most {RULES_MAX} allowed", rules.len()));
        }
        let mut checked: Vec<_> = rules.into_iter().filter_map(|rule| problems.rule(rule)).collect();
        let mut seen = BTreeSet::new();
        for CheckedRule { rule, .. } in &checked {
            if !seen.insert(&rule.id) {
                problems.found.push(format!("rule `{}` is defined twice", rule.id));
            }
        }
        checked.sort_by_key(|checked| std::cmp::Reverse(checked.rule.severity));
        let mut by_name = BTreeMap::new();
        for meaning in meanings {
            let name = meaning.name.clone();
            if let Some(meaning) = problems.meaning(meaning)
                && by_name.insert(name.clone(), meaning).is_some()
            {
                problems.found.push(format!("feature `{name}` is given a meaning twice"));
            }
        }
        if !problems.found.is_empty() {
            return Err(Error::Definitions(problems.found));
        }
        let micros = |number: f64| Micros::of(number).unwrap_or_default();
        let is_shown = |name: &String| {
            subject.entity.is_some()
                && *name != subject.column
                && checked.iter().all(|checked| checked.rule.column != *name)
        };
        let shown = columns.fields().iter().map(|field| field.name().clone()).filter(is_shown).collect();
        Ok(Self {
            shown,
            subject,
            open_score: micros(policy.open_score),
            pair_score: micros(policy.pair_score),
            update_rise: micros(policy.update_rise),
            policy,
            rules: checked,
            meanings: by_name,
            origin,
        })
    }

    /// The rule with this id, if the pipeline still has it.
    pub(crate) fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().map(|checked| &checked.rule).find(|rule| rule.id == id)
    }
}

/// Whether a rule opens and updates cases, or is only told in them.
pub(crate) fn is_material(rule: &Rule) -> bool {
    rule.severity > Severity::Informational
}

struct Problems<'a> {
    columns: &'a Schema,
    found: Vec<String>,
}

impl Problems<'_> {
    fn policy(&mut self, policy: &Policy) {
        for (name, value) in [("open_score", policy.open_score), ("pair_score", policy.pair_score)] {
            if !(value > 0.0 && value <= 1.0) {
                self.found.push(format!("policy: `{name}` is {value}, expected more than 0 and at most 1"));
            }
        }
        if !(policy.update_rise > 0.0 && policy.update_rise <= 1.0) {
            let rise = policy.update_rise;
            self.found.push(format!("policy: `update_rise` is {rise}, expected more than 0 and at most 1"));
        }
        if policy.update_gap.0 < 0 {
            self.found.push(format!("policy: `update_gap` is {}, expected 0 or more", policy.update_gap));
        }
        if policy.close_after.0 <= 0 {
            self.found.push(format!("policy: `close_after` is {}, expected more than 0", policy.close_after));
        }
        if policy.updates_max > UPDATES_MAX {
            self.found.push(format!("policy: `updates_max` is {}, at most {UPDATES_MAX} allowed", policy.updates_max));
        }
        for (name, value, max) in [
            ("explain_top", policy.explain_top, EXPLAIN_TOP_MAX),
            ("evidence_top", policy.evidence_top, EVIDENCE_TOP_MAX),
        ] {
            if value > max {
                self.found.push(format!("policy: `{name}` is {value}, at most {max} allowed"));
            }
        }
    }

    fn origin(&mut self, origin: &Origin) {
        for (name, text) in [
            ("pipeline", &origin.pipeline),
            ("version", &origin.version),
            ("model_name", &origin.model_name),
            ("engine_version", &origin.engine_version),
        ] {
            self.text("origin", name, text, NAME_BYTES_MAX);
        }
    }

    fn rule(&mut self, rule: Rule) -> Option<CheckedRule> {
        let place = format!("rule `{}`", rule.id);
        self.text(&place, "id", &rule.id, NAME_BYTES_MAX);
        self.text(&place, "title", &rule.title, TITLE_BYTES_MAX);
        match self.columns.field_with_name(&rule.column).map(|field| field.data_type()) {
            Ok(DataType::Boolean) => {}
            Ok(other) => {
                self.found.push(format!("{place}: column `{}` is {other}, expected Boolean", rule.column));
            }
            Err(_) => self.unknown(&place, &rule.column, |data_type| *data_type == DataType::Boolean),
        }
        if rule.attack.len() > TECHNIQUES_PER_RULE_MAX {
            let count = rule.attack.len();
            self.found.push(format!("{place}: {count} techniques, at most {TECHNIQUES_PER_RULE_MAX} allowed"));
        }
        for id in rule.attack.iter().filter(|id| !attack::is_id(id)) {
            self.found.push(format!("{place}: `{id}` is no technique id: write `T1078` or `T1110.003`"));
        }
        let sentence = self.template(&place, &rule.sentence, &[])?;
        Some(CheckedRule { sentence, rule })
    }

    fn meaning(&mut self, meaning: FeatureMeaning) -> Option<CheckedMeaning> {
        let place = format!("feature `{}`", meaning.name);
        self.text(&place, "name", &meaning.name, NAME_BYTES_MAX);
        if !meaning.group.is_empty() {
            self.text(&place, "group", &meaning.group, TITLE_BYTES_MAX - 32);
        }
        if let Some(baseline) = &meaning.baseline {
            self.text(&place, "baseline", baseline, NAME_BYTES_MAX);
        }
        for column in [Some(&meaning.name), meaning.baseline.as_ref()].into_iter().flatten() {
            if self.columns.field_with_name(column).is_err() {
                self.unknown(&place, column, |_| true);
            }
        }
        let sentence = self.template(&place, &meaning.sentence, &[VALUE]);
        let zero = meaning.zero.as_ref().map(|zero| self.template(&place, zero, &[VALUE]));
        Some(CheckedMeaning {
            group: meaning.group,
            sentence: sentence?,
            zero: match zero {
                Some(zero) => Some(zero?),
                None => None,
            },
            baseline: meaning.baseline,
        })
    }

    fn template(&mut self, place: &str, text: &str, also: &[&str]) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(problem) => {
                self.found.push(format!("{place}: {problem}"));
                return None;
            }
        };
        for column in template.columns() {
            if !also.contains(&column) && self.columns.field_with_name(column).is_err() {
                self.unknown(place, column, |_| true);
            }
        }
        Some(template)
    }

    fn text(&mut self, place: &str, what: &str, text: &str, max: usize) {
        let odd = text.chars().find(|c| c.is_control() || (max <= NAME_BYTES_MAX && matches!(c, '"' | '\\')));
        if text.trim().is_empty() || text.len() > max {
            self.found.push(format!("{place}: `{what}` has {} bytes, expected 1 to {max}", text.len()));
        } else if let Some(odd) = odd {
            self.found.push(format!("{place}: `{what}` holds {odd:?}"));
        }
    }

    fn unknown(&mut self, place: &str, column: &str, fits: impl Fn(&DataType) -> bool) {
        let names = self.columns.fields().iter().filter(|field| fits(field.data_type())).map(|field| field.name());
        let nearest = names
            .map(|name| (strsim::damerau_levenshtein(name, column), name))
            .min()
            .filter(|(distance, _)| *distance <= (column.len() / 3).max(2));
        let hint = nearest.map(|(_, name)| format!("; did you mean `{name}`?")).unwrap_or_default();
        self.found.push(format!("{place}: unknown column `{column}`{hint}"));
    }
}

#[cfg(test)]
mod tests;
