//! From recorded features and truth to a training table: which rows count, what their labels are.
//!
//! A row is positive if an act of an incident lies in its newest 24 hours: of its user, or of its user and patient. The
//! user is the one whose account opens charts: a hundred accounts that were tried in vain are not a hundred cases.
//! Users train on day-close rows, on the first row after each act and on a sample of the rest; pairs on every
//! positive row and a sample of the rest. A row that was sampled weighs as many as it stands for, so that rows weigh
//! as often as they are scored: where day-close rows stood for all others, a user who had only signed in looked like
//! an incident. Read next: `commands/train.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimestampMillisecondType};
use arrow::ipc::reader::FileReader;
use base::{Digest, Millis};
use jiff::tz::TimeZone;
use risk::Table;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::report::{Failure, disk};

/// How far back an act makes a row positive.
const LABEL_SPAN: Millis = Millis::hours(24);
const DAY_MS: i64 = 86_400_000;

/// What a folder of recorded features says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Pipeline it was recorded with.
    pub(crate) pipeline: String,
    /// Digest of the pipeline's SQL.
    pub(crate) sql: Digest,
    /// The hospital, as a person would name it.
    pub(crate) site: String,
    /// IANA time zone of local days.
    pub(crate) time_zone: String,
    /// What feature columns mean, users first.
    pub(crate) meanings: Vec<(String, String)>,
}

/// Name of the file that holds [`Recorded`].
pub(crate) const RECORDED: &str = "recorded.json";
/// Name of the file that holds what was found.
pub(crate) const FINDINGS: &str = "findings.ndjson";

/// Which model is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Grain {
    /// A user and a patient.
    Pairs,
    /// A user.
    Users,
}

/// Acts of incidents by user (and patient), in order of time, each with the number of its incident.
type Acts = BTreeMap<String, Vec<(i64, u64)>>;

/// Rows gathered from any number of folders.
pub(crate) struct Gathered {
    pub(crate) table: Table,
    pub(crate) sites: Vec<String>,
    pub(crate) meanings: BTreeMap<String, String>,
    pub(crate) pipeline: String,
    digest: Sha256,
    grain: Grain,
    one_in: u64,
}

impl Gathered {
    pub(crate) fn new(grain: Grain, one_in: u64) -> Self {
        Self {
            table: Table::default(),
            sites: Vec::new(),
            meanings: BTreeMap::new(),
            pipeline: String::new(),
            digest: Sha256::new(),
            grain,
            one_in: one_in.max(1),
        }
    }

    /// Which model the rows are for.
    pub(crate) fn grain(&self) -> Grain {
        self.grain
    }

    /// Digest of everything read.
    pub(crate) fn digest(&self) -> Digest {
        Digest(self.digest.clone().finalize().into())
    }

    /// Adds a folder.
    pub(crate) fn add(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join(RECORDED);
        let text = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
        let recorded: Recorded = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let zone = TimeZone::get(&recorded.time_zone)
            .map_err(|_| Failure::invalid(format!("unknown time zone `{}`", recorded.time_zone)).at(path.display()))?;
        if !self.pipeline.is_empty() && self.pipeline != recorded.pipeline {
            let what =
                format!("recorded with pipeline `{}`, other folders with `{}`", recorded.pipeline, self.pipeline);
            return Err(Failure::invalid(what).at(path.display()).hint("train each pipeline by itself").into());
        }
        self.digest.update(&text);
        let acts = self.acts(folder, &recorded.site)?;
        for (name, sentence) in recorded.meanings {
            self.meanings.entry(name).or_insert(sentence);
        }
        self.pipeline = recorded.pipeline;
        for file in files(folder, self.grain)? {
            self.digest.update(std::fs::read(&file).map_err(|error| disk(&file, &error))?);
            match self.grain {
                Grain::Pairs => self.pairs(&file, &recorded.site, &acts)?,
                Grain::Users => self.users(&file, &recorded.site, &acts, &zone)?,
            }
        }
        self.sites.push(recorded.site);
        Ok(())
    }

    fn acts(&mut self, folder: &Path, site: &str) -> Result<Acts> {
        #[derive(Deserialize)]
        struct Row {
            time: i64,
            user: String,
            patient: Option<String>,
            incident: Option<ActOf>,
        }
        #[derive(Deserialize)]
        struct ActOf {
            id: u64,
        }
        let keys = crate::keys::pseudonyms(&folder.join("keys/pseudonym.key"))?;
        let culprits = culprits(&folder.join("truth/incidents.ndjson"))?;
        let path = folder.join("truth/truth.ndjson");
        let file = File::open(&path).map_err(|error| disk(&path, &error))?;
        let mut acts = Acts::new();
        for (line, place) in BufReader::new(file).lines().zip(1..) {
            let line = line.map_err(|error| disk(&path, &error))?;
            self.digest.update(line.as_bytes());
            let row: Row = serde_json::from_str(&line).with_context(|| format!("{}:{place}", path.display()))?;
            let Some(ActOf { id }) = row.incident.filter(|act| culprits.get(&act.id) == Some(&row.user)) else {
                continue;
            };
            let user = keys.user(&row.user);
            let key = match (self.grain, &row.patient) {
                (Grain::Users, _) => user,
                (Grain::Pairs, Some(patient)) => format!("{user} {}", keys.patient(patient)),
                (Grain::Pairs, None) => continue,
            };
            acts.entry(key).or_default().push((row.time, number(&format!("{site}/{id}")).max(1)));
        }
        acts.values_mut().for_each(|times| times.sort_unstable());
        Ok(acts)
    }

    fn pairs(&mut self, file: &Path, site: &str, acts: &Acts) -> Result<()> {
        for batch in batches(file)? {
            let batch = batch?;
            let (ends, users) = (ends(&batch, file)?, texts(&batch, "user_key", file)?);
            let patients = texts(&batch, "patient_key", file)?;
            let mut chosen = Vec::new();
            for row in 0..batch.num_rows() {
                let key = format!("{} {}", users[row], patients[row]);
                let incident = incident_at(acts, &key, ends[row]);
                if incident.is_some() {
                    chosen.push(Chosen { row, incident, weight: 1.0 });
                } else if draw(&key, ends[row]).is_multiple_of(self.one_in) {
                    chosen.push(Chosen { row, incident, weight: self.one_in as f32 });
                }
            }
            self.take(&batch, &chosen, &ends, &users, site, file)?;
        }
        Ok(())
    }

    fn users(&mut self, file: &Path, site: &str, acts: &Acts, zone: &TimeZone) -> Result<()> {
        let telling = telling_rows(file, acts, zone)?;
        let mut number = 0;
        for batch in batches(file)? {
            let batch = batch?;
            let (ends, users) = (ends(&batch, file)?, texts(&batch, "user_key", file)?);
            let mut chosen = Vec::new();
            for row in 0..batch.num_rows() {
                let incident = incident_at(acts, &users[row], ends[row]);
                if telling.contains(&number) {
                    chosen.push(Chosen { row, incident, weight: 1.0 });
                } else if draw(&users[row], ends[row]).is_multiple_of(self.one_in) {
                    chosen.push(Chosen { row, incident, weight: self.one_in as f32 });
                }
                number += 1;
            }
            self.take(&batch, &chosen, &ends, &users, site, file)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        batch: &RecordBatch,
        chosen: &[Chosen],
        ends: &[i64],
        users: &[String],
        site: &str,
        file: &Path,
    ) -> Result<()> {
        let names: Vec<String> = feature_names(batch);
        if self.table.names.is_empty() {
            self.table.columns = vec![Vec::new(); names.len()];
            self.table.names = names;
        } else if self.table.names != names {
            let failure = Failure::invalid("its feature columns differ from those of the folders before it");
            return Err(failure.at(file.display()).hint("record all folders with the same pipeline").into());
        }
        for (name, values) in self.table.names.iter().zip(&mut self.table.columns) {
            let column = batch.column_by_name(name).and_then(|column| risk::numbers(column.as_ref()));
            let column = column.ok_or_else(|| anyhow!("column `{name}` holds no numbers"))?;
            values.extend(chosen.iter().map(|chosen| column[chosen.row]));
        }
        for Chosen { row, incident, weight } in chosen {
            self.table.labels.push(u8::from(incident.is_some()));
            self.table.incidents.push(incident.unwrap_or(0));
            self.table.weights.push(*weight);
            self.table.groups.push(number(&format!("{site}/{}", users[*row])));
            self.table.days.push(ends[*row].div_euclid(DAY_MS));
        }
        Ok(())
    }
}

/// A row that goes into the table.
struct Chosen {
    row: usize,
    /// Positive: the incident's number.
    incident: Option<u64>,
    weight: f32,
}

/// Rows (counted over the file) that close a user's local day, or come first after an act.
fn telling_rows(file: &Path, acts: &Acts, zone: &TimeZone) -> Result<BTreeSet<u64>> {
    let mut telling = BTreeSet::new();
    let mut last: BTreeMap<String, (i64, u64)> = BTreeMap::new();
    let mut days: BTreeMap<i64, jiff::civil::Date> = BTreeMap::new();
    let mut number = 0;
    for batch in batches(file)? {
        let batch = batch?;
        let (ends, users) = (ends(&batch, file)?, texts(&batch, "user_key", file)?);
        for (end, user) in ends.into_iter().zip(users) {
            // The tick's last instant says which day it belongs to.
            let mut day = |end: i64| match days.get(&end) {
                Some(day) => Ok(*day),
                None => {
                    let day = jiff::Timestamp::from_millisecond(end - 1).map(|time| zone.to_datetime(time).date())?;
                    days.insert(end, day);
                    anyhow::Ok(day)
                }
            };
            let before = last.insert(user.clone(), (end, number));
            if let Some((earlier, row)) = before
                && day(earlier)? != day(end)?
            {
                telling.insert(row);
            }
            let since = before.map_or(i64::MIN, |(earlier, _)| earlier);
            if acts.get(&user).is_some_and(|acts| acts.iter().any(|(act, _)| (since..end).contains(act))) {
                telling.insert(number);
            }
            number += 1;
        }
    }
    telling.extend(last.into_values().map(|(_, row)| row));
    Ok(telling)
}

/// The incident of the newest act in the 24 hours before `end`.
fn incident_at(acts: &Acts, key: &str, end: i64) -> Option<u64> {
    let acts = acts.get(key)?;
    let before = acts.partition_point(|(act, _)| *act < end);
    let (newest, incident) = acts[..before].last()?;
    (*newest >= end - LABEL_SPAN.0).then_some(*incident)
}

/// The raw id of the user whose account acts, by incident.
fn culprits(path: &Path) -> Result<BTreeMap<u64, String>> {
    #[derive(Deserialize)]
    struct Told {
        id: u64,
        user: String,
    }
    let text = std::fs::read_to_string(path).map_err(|error| disk(path, &error))?;
    let told = text.lines().zip(1..).map(|(line, number)| {
        let Told { id, user } = serde_json::from_str(line).with_context(|| format!("{}:{number}", path.display()))?;
        Ok((id, user))
    });
    told.collect()
}

/// Columns a model may learn from: numbers that are neither keys, times, scores nor rules.
fn feature_names(batch: &RecordBatch) -> Vec<String> {
    let not_features = ["tick_end", "user_key", "patient_key", "score"];
    let schema = batch.schema();
    let numeric = |data_type: &DataType| data_type.is_numeric() || *data_type == DataType::Boolean;
    let fields = schema.fields().iter().filter(|field| numeric(field.data_type()));
    fields
        .map(|field| field.name().clone())
        .filter(|name| !not_features.contains(&name.as_str()) && !name.starts_with("rule_"))
        .collect()
}

pub(crate) fn files(folder: &Path, grain: Grain) -> Result<Vec<PathBuf>> {
    let stream = match grain {
        Grain::Pairs => "pair_features-",
        Grain::Users => "features-",
    };
    let entries = folder.read_dir().map_err(|error| disk(folder, &error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(stream) && name.ends_with(".arrow")).collect();
    names.sort();
    if names.is_empty() {
        let failure = Failure::invalid(format!("holds no `{stream}*.arrow`")).at(folder.display());
        return Err(failure.hint("`chartwarden record` writes such a folder").into());
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

pub(crate) fn batches(file: &Path) -> Result<FileReader<BufReader<File>>> {
    let open = File::open(file).map_err(|error| disk(file, &error))?;
    FileReader::try_new(BufReader::new(open), None).with_context(|| file.display().to_string())
}

pub(crate) fn ends(batch: &RecordBatch, file: &Path) -> Result<Vec<i64>> {
    let column =
        batch.column_by_name("tick_end").and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    let column = column.ok_or_else(|| Failure::invalid("has no column `tick_end`").at(file.display()))?;
    Ok(column.values().to_vec())
}

pub(crate) fn texts(batch: &RecordBatch, name: &str, file: &Path) -> Result<Vec<String>> {
    let missing = || Failure::invalid(format!("has no text column `{name}`")).at(file.display());
    let column = batch.column_by_name(name).ok_or_else(missing)?;
    let column = arrow::compute::cast(column, &DataType::Utf8)?;
    let column = column.as_string_opt::<i32>().ok_or_else(missing)?;
    Ok((0..column.len()).map(|row| column.value(row).to_owned()).collect())
}

/// A number drawn from a row's key and time, the same in every run.
fn draw(key: &str, end: i64) -> u64 {
    number(&format!("{key}@{end}"))
}

fn number(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    digest[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests;
