//! `chartwarden simulate`: a synthetic hospital written to Kafka topics or NDJSON files, the truth apart.
//!
//! The same arguments give the same bytes. Read next: the crate `hospital`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use engine::{ModelUse, PipelineSpec};
use hospital::{Hospital, ReferenceRow, Stream};

use crate::report::{Answer, Failure, disk, line, note};
use crate::town::{Town, TruthFiles};
use crate::view::grouped;
use crate::voice::{Said, Voice};
use crate::{cluster, keys, shipped};

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seed of the hospital.
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    town: Town,
    /// IANA time zone of the house.
    #[arg(long, default_value = "Europe/Vienna", value_name = "ZONE")]
    time_zone: String,
    /// Folder to write: `access`, `auth`, `staff`, `patients`, `relations` as `.ndjson`, and `truth/`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write events and reference rows to the topics of the pipeline on these brokers instead; the truth still goes
    /// to --out. Records carry the simulated times: missing topics are created so that they keep them.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Pipeline whose topics are written to; the shipped one if absent.
    #[arg(long, value_name = "DIR", requires = "bootstrap")]
    pipeline: Option<PathBuf>,
    /// Partitions of the input topics, where they are created.
    #[arg(long, default_value_t = 4, value_name = "N", requires = "bootstrap")]
    lanes: u32,
    /// Seconds of hospital time in one second; as fast as possible if absent.
    #[arg(long, value_name = "FACTOR", requires = "bootstrap")]
    speed: Option<f64>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    keys::fresh_folder(&arguments.out)?;
    let config = arguments.town.config(arguments.seed, &arguments.time_zone)?;
    let start = config.start;
    let hospital = Hospital::new(config)?;
    let truth = TruthFiles::create(&arguments.out.join("truth"))?;
    let events = match &arguments.bootstrap {
        None => files(&arguments.out, hospital, truth)?,
        Some(bootstrap) => speak(arguments, bootstrap, hospital, start, truth)?,
    };
    line(format!(
        "{} events of {} days; the truth is in {}/truth",
        grouped(events),
        arguments.town.days,
        arguments.out.display()
    ));
    Ok(Answer::Yes)
}

fn speak(
    arguments: &Arguments,
    bootstrap: &str,
    hospital: Hospital,
    start: base::Timestamp,
    mut truth: TruthFiles,
) -> Result<u64> {
    let pause = match arguments.speed {
        None => Duration::ZERO,
        Some(factor) if factor.is_finite() && factor > 0.0 => Duration::from_secs_f64((3_600.0 / factor).min(3_600.0)),
        Some(factor) => return Err(Failure::invalid(format!("speed {factor} is not above 0")).into()),
    };
    let spec = match &arguments.pipeline {
        Some(folder) => PipelineSpec::load(folder, ModelUse::Record)?,
        None => shipped::load(ModelUse::Record)?,
    };
    let config = cluster::config(&spec, bootstrap);
    let created = kafka::ensure_topics(&config, arguments.lanes, kafka::Scope::Simulated)?;
    created.iter().for_each(|topic| note(format!("created topic {topic}")));
    let said = Mutex::new(Said::default());
    let mut voice = Voice::new(hospital, &spec, &config, kafka::lane_count(&config)?, &said)?;
    voice.introduce()?;
    voice.speak(start, &mut truth, &|_| {
        std::thread::sleep(pause);
        true
    })?;
    truth.finish(&voice.into_hospital())?;
    Ok(said.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).total())
}

/// The files of a simulated hospital.
struct Files {
    access: BufWriter<File>,
    auth: BufWriter<File>,
    staff: BufWriter<File>,
    patients: BufWriter<File>,
    relations: BufWriter<File>,
}

impl Files {
    fn create(out: &Path) -> Result<Self> {
        let file = |name: &str| -> Result<BufWriter<File>> {
            let path = out.join(name);
            Ok(BufWriter::new(File::create(&path).map_err(|error| disk(&path, &error))?))
        };
        Ok(Self {
            access: file("access.ndjson")?,
            auth: file("auth.ndjson")?,
            staff: file("staff.ndjson")?,
            patients: file("patients.ndjson")?,
            relations: file("relations.ndjson")?,
        })
    }

    fn rows(&mut self, rows: &[ReferenceRow]) -> Result<()> {
        for row in rows {
            let file = match row.kind {
                "staff" => &mut self.staff,
                "patients" => &mut self.patients,
                _ => &mut self.relations,
            };
            file.write_all(&row.json)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn files(out: &Path, mut hospital: Hospital, mut truth: TruthFiles) -> Result<u64> {
    let mut files = Files::create(out)?;
    files.rows(&hospital.reference())?;
    let mut events = 0;
    while let Some(day) = hospital.next_day() {
        files.rows(&day.reference)?;
        for item in &day.items {
            let file = match item.stream {
                Stream::Access => &mut files.access,
                Stream::Auth => &mut files.auth,
            };
            file.write_all(&item.json)?;
            file.write_all(b"\n")?;
            events += 1;
        }
        truth.add(&day.truth)?;
    }
    for file in [&mut files.access, &mut files.auth, &mut files.staff, &mut files.patients, &mut files.relations] {
        file.flush()?;
    }
    truth.finish(&hospital)?;
    Ok(events)
}
