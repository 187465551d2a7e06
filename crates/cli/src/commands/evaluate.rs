//! `chartwarden evaluate`: how many cases a day cost what, and what they catch, on recorded houses with their truth.
//!
//! Read next: `casework.rs`, which counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _};
use comfy_table::{Table, presets};
use engine::{ModelUse, PipelineSpec};
use findings::{Activity, Severity};
use risk::Model;
use serde::Deserialize;
use serde_json::json;

use crate::casework::{
    Act, EntityCase, House, Incident, Outcome, Row, Voices, outcome, random_precision, threshold_for,
};
use crate::report::{Answer, Failure, disk, json_line, line};
use crate::training::{self, FINDINGS, Grain};

/// Budgets that are always shown, in new cases a day.
const BUDGETS: [f64; 6] = [1.0, 3.0, 5.0, 10.0, 20.0, 50.0];
const DAY_MS: i64 = 86_400_000;

/// Arguments of `evaluate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the pipeline: which of its rules open cases, and its user model.
    pipeline: PathBuf,
    /// Folders that `chartwarden record --models pairs` wrote, of houses that the model was not trained on.
    #[arg(long, num_args = 1.., required = true, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Another user model than the pipeline's.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Days at the beginning to leave out, as `learn_days` of the pipeline does.
    #[arg(long, default_value_t = 14, value_name = "D")]
    skip_days: i64,
    /// New cases a day and house that scenarios and false cases are told for.
    #[arg(long, default_value_t = 3.0, value_name = "N", value_parser = budget)]
    budget: f64,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let spec = PipelineSpec::load(&arguments.pipeline, ModelUse::Score)?;
    let other = arguments.model.as_ref().map(|path| model(path)).transpose()?;
    let no_model = || Failure::invalid("the pipeline has no user model").hint("name one with --model");
    let model = other.as_ref().or(spec.models().user.as_ref()).ok_or_else(no_model)?;
    // What is only told beside other things opens nothing.
    let opening = spec.rules().iter().filter(|rule| rule.severity > Severity::Informational);
    let rules: Vec<&str> = opening.map(|rule| rule.column.as_str()).collect();
    let read = |folder: &PathBuf| house(folder, &spec, model, &rules, arguments.skip_days);
    let houses = arguments.data.iter().map(read).collect::<Result<Vec<House>>>()?;
    let incidents: usize = houses.iter().map(|house| house.incidents.len()).sum();
    if incidents == 0 {
        let failure = Failure::invalid("no incident happened in these houses after the days left out");
        return Err(failure.hint("record more days, or more incidents").into());
    }
    let at = |budget| outcome(&houses, threshold_for(&houses, budget, Voices::Both), Voices::Both);
    let mut budgets: Vec<f64> = BUDGETS.into_iter().chain([arguments.budget]).collect();
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let budgets: Vec<(f64, Outcome)> = budgets.into_iter().map(|budget| (budget, at(budget))).collect();
    let chosen = at(arguments.budget);
    let alone = [
        ("rules and watches alone", outcome(&houses, 2.0, Voices::Rules)),
        ("model alone", outcome(&houses, threshold_for(&houses, arguments.budget, Voices::Model), Voices::Model)),
    ];
    let random = random_precision(&houses);
    if arguments.json {
        json_line(json!({
            "model": model.digest(), "houses": houses.len(), "incidents": incidents, "random_precision": random,
            "budgets": budgets.iter().map(|(budget, outcome)| json!({
                "budget": budget, "precision": outcome.precision(), "caught_share": outcome.recall(),
                "ceiling": outcome.ceiling(), "outcome": outcome,
            })).collect::<Vec<_>>(),
            "at": arguments.budget, "chosen": chosen, "voices": BTreeMap::from(alone),
        }));
        return Ok(Answer::Yes);
    }
    line(format!("{} houses, {incidents} incidents; model {}", houses.len(), model.digest().short()));
    line(budget_table(&budgets, random));
    line(format!("\nat {} new cases a day and house:", arguments.budget));
    line(scenario_table(&chosen));
    line("\nfalse cases, by what the user was innocently busy with, or of a watch:");
    for (what, count) in &chosen.false_cases {
        line(format!("  {count:>4}  {what}"));
    }
    line("");
    for (name, outcome) in &alone {
        line(format!(
            "{name}: {:.2} new cases a day, precision {:.2}, {} of {} incidents caught",
            outcome.per_day,
            outcome.precision(),
            outcome.caught,
            outcome.incidents
        ));
    }
    Ok(Answer::Yes)
}

fn model(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|error| disk(path, &error))?;
    Model::from_bytes(&bytes).with_context(|| path.display().to_string())
}

fn budget_table(budgets: &[(f64, Outcome)], random: f64) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["budget", "cases a day", "threshold", "precision", "random", "incidents caught", "ceiling"]);
    for (budget, outcome) in budgets {
        table.add_row([
            format!("{budget}"),
            format!("{:.2}", outcome.per_day),
            if outcome.threshold > 1.0 { "rules only".to_owned() } else { format!("{:.3}", outcome.threshold) },
            format!("{:.2}", outcome.precision()),
            format!("{random:.3}"),
            format!("{:.2} ({} of {})", outcome.recall(), outcome.caught, outcome.incidents),
            format!("{:.2}", outcome.ceiling()),
        ]);
    }
    table.to_string()
}

fn scenario_table(outcome: &Outcome) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["scenario", "caught", "hours to the case, median", "p90"]);
    for (scenario, (caught, all, hours)) in &outcome.scenarios {
        let mut hours = hours.clone();
        hours.sort_by(f64::total_cmp);
        let at = |share: f64| match hours.len() {
            0 => "-".to_owned(),
            count => format!("{:.1}", hours[((count - 1) as f64 * share).round() as usize]),
        };
        table.add_row([scenario.clone(), format!("{caught} of {all}"), at(0.5), at(0.9)]);
    }
    table.to_string()
}

/// Reads a recorded house and scores its rows.
fn house(folder: &Path, spec: &PipelineSpec, model: &Model, rules: &[&str], skip_days: i64) -> Result<House> {
    let mut users: HashMap<String, usize> = HashMap::new();
    let mut known = |user: &str| {
        let next = users.len();
        *users.entry(user.to_owned()).or_insert(next)
    };
    let mut house = House::default();
    for file in training::files(folder, Grain::Users)? {
        for batch in training::batches(&file)? {
            let batch = batch?;
            let scores = model.bind(&batch.schema())?.score(&batch)?;
            let (ends, names) = (training::ends(&batch, &file)?, training::texts(&batch, "user_key", &file)?);
            let rules = rules.iter().filter_map(|name| batch.column_by_name(name)?.as_boolean_opt());
            let rules: Vec<_> = rules.collect();
            for (place, score) in scores.into_iter().enumerate() {
                let rule = rules.iter().any(|rule| rule.is_valid(place) && rule.value(place));
                house.rows.push(Row { user: known(&names[place]), end: ends[place], score, rule });
            }
        }
    }
    let first = house.rows.iter().map(|row| row.end).min().unwrap_or(0) + skip_days * DAY_MS;
    house.rows.retain(|row| row.end >= first);
    house.rows.sort_by_key(|row| (row.end, row.user));
    let last = house.rows.last().map_or(first, |row| row.end);
    house.days = (last - first) as f64 / DAY_MS as f64;
    house.entities = entities(folder, spec, &mut known, first)?;
    truth(folder, &mut house, &mut known, first)?;
    Ok(house)
}

/// Reads cases a day.
fn budget(text: &str) -> std::result::Result<f64, String> {
    let cases = text.parse().ok().filter(|cases: &f64| cases.is_finite() && *cases > 0.0);
    cases.ok_or_else(|| format!("`{text}` is no number of cases a day: write one above 0, as in `--budget 2`"))
}

/// Cases that watches opened in a recorded house.
fn entities(
    folder: &Path,
    spec: &PipelineSpec,
    known: &mut impl FnMut(&str) -> usize,
    first: i64,
) -> Result<Vec<EntityCase>> {
    let path = folder.join(FINDINGS);
    let text = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
    let charts = spec.watches().iter().map(|watch| &watch.subject).filter(|subject| subject.column == "patient_key");
    let charts: Vec<_> = charts.filter_map(|subject| subject.entity.as_deref()).collect();
    let mut cases = Vec::new();
    for (line, number) in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).zip(1..) {
        let view = findings::read(line).with_context(|| format!("{}:{number}", path.display()))?;
        let at = view.tick_end.millis();
        let Some(entity) = view.entity.as_deref().filter(|_| view.activity == Activity::Opened && at >= first) else {
            continue;
        };
        let users = view.evidence.iter().map(|user| known(user.other.key())).collect();
        let patient = charts.contains(&entity).then_some(view.subject);
        cases.push(EntityCase { at, title: view.title, users, patient });
    }
    Ok(cases)
}

fn truth(folder: &Path, house: &mut House, known: &mut impl FnMut(&str) -> usize, first: i64) -> Result<()> {
    #[derive(Deserialize)]
    struct Event {
        time: i64,
        user: String,
        patient: Option<String>,
        incident: Option<Of>,
    }
    #[derive(Deserialize)]
    struct Of {
        id: u64,
    }
    #[derive(Deserialize)]
    struct Told {
        id: u64,
        scenario: String,
        user: String,
    }
    #[derive(Deserialize)]
    struct Odd {
        kind: String,
        user: String,
        from: i64,
        to: i64,
    }
    let keys = crate::keys::pseudonyms(&folder.join("keys/pseudonym.key"))?;
    #[derive(Default)]
    struct Acts {
        all: Vec<Act>,
        accounts: BTreeSet<usize>,
    }
    let mut acts: BTreeMap<u64, Acts> = BTreeMap::new();
    for event in lines::<Event>(&folder.join("truth/truth.ndjson"))?.into_iter().filter(|event| event.time >= first) {
        if let Some(incident) = event.incident {
            let acts = acts.entry(incident.id).or_default();
            let patient = event.patient.map(|patient| keys.patient(&patient));
            acts.all.push(Act { at: event.time, patient });
            acts.accounts.insert(known(&keys.user(&event.user)));
        }
    }
    for told in lines::<Told>(&folder.join("truth/incidents.ndjson"))? {
        if let Some(Acts { all: mut acts, accounts }) = acts.remove(&told.id) {
            acts.sort_unstable();
            let user = known(&keys.user(&told.user));
            house.incidents.push(Incident { user, scenario: told.scenario, acts, accounts });
        }
    }
    for odd in lines::<Odd>(&folder.join("truth/oddities.ndjson"))? {
        let user = known(&keys.user(&odd.user));
        house.oddities.entry(user).or_default().push((odd.kind, odd.from, odd.to));
    }
    Ok(())
}

fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).map_err(|error| disk(path, &error))?;
    let rows = BufReader::new(file)
        .lines()
        .zip(1..)
        .map(|(text, number)| serde_json::from_str(&text?).with_context(|| format!("{}:{number}", path.display())));
    rows.collect()
}
