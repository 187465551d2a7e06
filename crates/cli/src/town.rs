//! Which hospital is simulated, as flags say it, and the truth about it on disk.
//!
//! Read next: `memory.rs`, which plays it into an engine; `commands/simulate.rs`, which plays it into a broker.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base::{Seed, Timestamp};
use hospital::{Hospital, HospitalConfig, Mix, Scenario, Site, TruthRow, WEIGHT_MAX};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::report::{Failure, disk};

/// Size and habits of a simulated hospital.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Town {
    /// Length in local days.
    #[arg(long, default_value_t = 28, value_name = "D")]
    pub(crate) days: u32,
    /// Members of staff.
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub(crate) staff: u32,
    /// First local day.
    #[arg(long, default_value = "2026-01-05", value_name = "DATE")]
    pub(crate) start: Date,
    /// Habits of the house: `small`, or a number to draw them from.
    #[arg(long, default_value = "small", value_name = "SITE")]
    pub(crate) site: String,
    /// First day (from 0) on which incidents may happen; half the days, at most 14, if absent.
    #[arg(long, value_name = "DAY")]
    pub(crate) first_incident_day: Option<u32>,
    /// Incidents per 1,000 staff in 28 days.
    #[arg(long, default_value_t = Mix::default().incidents_per_1000, value_name = "N")]
    pub(crate) incidents: f64,
    /// Kinds of incidents, each with its weight (1 if absent), as in `household_member=2,crowd_curiosity`; all the usual
    /// ones if absent.
    #[arg(long, value_delimiter = ',', value_parser = weighted, value_name = "KIND[=WEIGHT]")]
    pub(crate) scenarios: Option<Vec<(Scenario, f64)>>,
}

/// Reads `kind` or `kind=weight`.
fn weighted(text: &str) -> Result<(Scenario, f64), String> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let known = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    let scenario = known.ok_or_else(|| {
        let names: Vec<_> = Scenario::ALL.into_iter().map(Scenario::name).collect();
        format!("there is no kind `{name}`; there are {}", names.join(", "))
    })?;
    match weight.parse() {
        Ok(weight) if (0.0..=WEIGHT_MAX).contains(&weight) => Ok((scenario, weight)),
        _ => Err(format!("the weight `{weight}` of `{name}` is not a number from 0 to {WEIGHT_MAX}")),
    }
}

impl Town {
    /// The hospital's configuration.
    pub(crate) fn config(&self, seed: u64, time_zone: &str) -> Result<HospitalConfig> {
        let zone = TimeZone::get(time_zone)
            .map_err(|_| Failure::invalid(format!("`{time_zone}` is not a known IANA time zone")))?;
        let midnight = self.start.to_zoned(zone).context("the first day has no midnight")?;
        let start = Timestamp::from_millis(midnight.timestamp().as_millisecond());
        let site = match self.site.as_str() {
            "small" => Site::small(),
            number => {
                let bad = || {
                    Failure::invalid(format!("site `{number}` is neither `small` nor a number"))
                        .hint("as in `--site small` or `--site 17`")
                };
                Site::draw(Seed(number.parse().map_err(|_| bad())?))
            }
        };
        let first = self.first_incident_day.unwrap_or((self.days / 2).min(14));
        let mut config = HospitalConfig::demo(Seed(seed), start);
        config.site = site;
        config.staff = self.staff;
        config.days = self.days;
        config.time_zone = time_zone.to_owned();
        config.first_incident_day = first;
        config.scenarios.incidents_per_1000 = self.incidents;
        if let Some(kinds) = &self.scenarios {
            config.scenarios.weights.clone_from(kinds);
        }
        Ok(config)
    }
}

/// Writes the truth: `truth.ndjson` while the hospital is played, `incidents.ndjson` and `oddities.ndjson` at the end.
pub(crate) struct TruthFiles {
    folder: std::path::PathBuf,
    rows: BufWriter<File>,
}

impl TruthFiles {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| disk(folder, &error))?;
        let path = folder.join("truth.ndjson");
        let file = File::create(&path).map_err(|error| disk(&path, &error))?;
        Ok(Self { folder: folder.to_path_buf(), rows: BufWriter::new(file) })
    }

    pub(crate) fn add(&mut self, rows: &[TruthRow]) -> Result<()> {
        for row in rows {
            serde_json::to_writer(&mut self.rows, row)?;
            self.rows.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, hospital: &Hospital) -> Result<()> {
        self.rows.flush()?;
        write_lines(&self.folder.join("incidents.ndjson"), &hospital.incidents())?;
        write_lines(&self.folder.join("oddities.ndjson"), &hospital.oddities())
    }
}

/// One JSON object a line.
pub(crate) fn write_lines<T: serde::Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    std::fs::write(path, text).map_err(|error| disk(path, &error))
}

#[cfg(test)]
mod tests;
