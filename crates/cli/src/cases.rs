//! Findings put together as cases, and cases as a table.
//!
//! Read next: `findings::FindingView`.

use std::collections::BTreeMap;

use anyhow::Result;
use base::Timestamp;
use comfy_table::{Table, presets};
use findings::{Activity, FindingView};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::report::fit;

/// A case as its findings tell it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Case {
    /// Identifier of the case.
    pub(crate) case: String,
    /// Identifier of its first finding.
    pub(crate) finding: String,
    /// Pseudonym of the user or entity it is about.
    pub(crate) subject: String,
    /// What it is, where it is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entity: Option<String>,
    /// Pseudonyms of the users involved.
    pub(crate) users: Vec<String>,
    /// When it was opened, and the newest finding about it.
    pub(crate) opened: Timestamp,
    /// The house's time zone.
    #[serde(skip)]
    pub(crate) time_zone: TimeZone,
    pub(crate) last: Timestamp,
    pub(crate) severity: &'static str,
    /// The highest score told, and the threshold of that day.
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) title: String,
    pub(crate) reasons: Vec<String>,
    /// How many findings it has.
    pub(crate) findings: usize,
    /// What only a simulator knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) truth: Option<String>,
}

/// Cases in the order they were opened.
pub(crate) fn cases<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Case>> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for line in lines {
        let view = findings::read(line)?;
        match cases.get_mut(&view.case_id) {
            None => {
                cases.insert(view.case_id.clone(), begun(view));
            }
            Some(case) => {
                case.findings += 1;
                case.last = case.last.max(view.tick_end);
                let known = |user: &String| !case.users.contains(user);
                let new: Vec<_> = users(&view).into_iter().filter(known).collect();
                case.users.extend(new);
                if view.activity != Activity::Closed && view.score >= case.score {
                    (case.score, case.threshold) = (view.score, view.open_score);
                    (case.title, case.reasons) = (view.title, view.sentences);
                    case.severity = view.severity.caption();
                }
            }
        }
    }
    let mut cases: Vec<_> = cases.into_values().collect();
    cases.sort_by(|a, b| (a.opened, &a.case).cmp(&(b.opened, &b.case)));
    Ok(cases)
}

/// The users a finding names.
fn users(view: &FindingView) -> Vec<String> {
    match view.entity {
        None => vec![view.subject.clone()],
        Some(_) => view.evidence.iter().map(|pair| pair.other.key().to_owned()).collect(),
    }
}

fn begun(view: FindingView) -> Case {
    Case {
        case: view.case_id.clone(),
        finding: view.id.clone(),
        users: users(&view),
        subject: view.subject,
        entity: view.entity,
        opened: view.opened,
        time_zone: view.origin.time_zone.clone(),
        last: view.tick_end,
        severity: view.severity.caption(),
        score: view.score,
        threshold: view.open_score,
        title: view.title,
        reasons: view.sentences,
        findings: 1,
        truth: None,
    }
}

/// Most reasons a table shows of a case.
const REASONS_SHOWN: usize = 3;

/// The table; with the simulator's truth in the last column where it is known.
pub(crate) fn table(cases: &[Case], plain: bool) -> String {
    let mut table = Table::new();
    table.load_style(if plain { presets::ASCII_MARKDOWN } else { presets::UTF8_HORIZONTAL_ONLY });
    fit(&mut table);
    if plain {
        table.set_width(160);
    }
    let with_truth = cases.iter().any(|case| case.truth.is_some());
    let mut header = vec!["opened", "who or what", "severity", "score", "why"];
    if with_truth {
        header.push("known only to the simulator");
    }
    table.set_header(header);
    for case in cases {
        // Sentences stand in one list here, so they lose their full stops.
        let reasons = case.reasons.iter().take(REASONS_SHOWN).map(|reason| reason.trim_end_matches('.'));
        let why = std::iter::once(case.title.as_str()).chain(reasons).collect::<Vec<_>>().join("; ");
        let mut row = vec![
            findings::moment(case.opened, &case.time_zone),
            short(&case.subject),
            case.severity.to_owned(),
            // A score below the threshold opened nothing: beside a grave rule it would only confuse.
            if case.score < case.threshold { "rule".to_owned() } else { format!("{:.2}", case.score) },
            why,
        ];
        if with_truth {
            row.push(case.truth.clone().unwrap_or_default());
        }
        table.add_row(row);
    }
    table.to_string()
}

/// Enough of a pseudonym for people to tell two apart.
pub(crate) fn short(key: &str) -> String {
    match key.split_once(':') {
        Some((id, rest)) => format!("{id}:{}", rest.get(..10).unwrap_or(rest)),
        None => key.to_owned(),
    }
}
