//! `chartwarden simulate`: a synthetic hospital written to Kafka topics, NDJSON or Parquet files, the truth apart.
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
    /// Folder to write: `access`, `auth`, `staff`, `patients`, `relations` in the format asked for, and `truth/`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Format of the files. Parquet has a record's `time`, `key` and `value`, as a topic would.
    #[arg(long, value_enum, default_value_t = Format::Ndjson, conflicts_with = "bootstrap")]
    format: Format,
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

/// How files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One row a record.
    Parquet,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let config = arguments.town.config(arguments.seed, &arguments.time_zone)?;
    let start = config.start;
    let hospital = Hospital::new(config)?;
    keys::fresh_folder(&arguments.out)?;
    let events = match &arguments.bootstrap {
        None => files(&arguments.out, arguments.format, hospital)?,
        Some(bootstrap) => speak(arguments, bootstrap, hospital, start)?,
    };
    line(format!(
        "{} events of {} days; the truth is in {}/truth",
        grouped(events),
        arguments.town.days,
        arguments.out.display()
    ));
    Ok(Answer::Yes)
}

fn truth(out: &Path) -> Result<TruthFiles> {
    TruthFiles::create(&out.join("truth"))
}

fn speak(arguments: &Arguments, bootstrap: &str, hospital: Hospital, start: base::Timestamp) -> Result<u64> {
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
    if arguments.speed != Some(1.0)
        && let Some(unfit) = kafka::unfit_for_simulation(&config)?.first()
    {
        let text = format!("{unfit}: the times of this hospital would be lost there");
        return Err(Failure::invalid(text)
            .hint(
                "delete the input and reference topics, so that they are created with what a simulation needs; or let \
                   the hospital live now, with --start and today's date and --speed 1",
            )
            .into());
    }
    let mut truth = truth(&arguments.out)?;
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

/// Names of the files, those of events first.
const NAMES: [&str; 5] = ["access", "auth", "staff", "patients", "relations"];

/// One file of a simulated hospital.
enum Records {
    Ndjson(BufWriter<File>),
    Parquet(Box<archive::RecordFile>),
}

impl Records {
    fn create(out: &Path, name: &str, format: Format) -> Result<Self> {
        match format {
            Format::Ndjson => {
                let path = out.join(format!("{name}.ndjson"));
                Ok(Self::Ndjson(BufWriter::new(File::create(&path).map_err(|error| disk(&path, &error))?)))
            }
            Format::Parquet => {
                let path = out.join(format!("{name}.parquet"));
                Ok(Self::Parquet(Box::new(archive::RecordFile::create(&path)?)))
            }
        }
    }

    fn add(&mut self, time: base::Timestamp, key: &str, json: &[u8]) -> Result<()> {
        match self {
            Self::Ndjson(file) => {
                file.write_all(json)?;
                Ok(file.write_all(b"\n")?)
            }
            Self::Parquet(file) => Ok(file.add(time, key, json)?),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Ndjson(mut file) => Ok(file.flush()?),
            Self::Parquet(file) => Ok(file.finish()?),
        }
    }
}

fn files(out: &Path, format: Format, mut hospital: Hospital) -> Result<u64> {
    let mut truth = truth(out)?;
    let mut files = Vec::new();
    for name in NAMES {
        files.push(Records::create(out, name, format)?);
    }
    let reference = |files: &mut [Records], rows: &[ReferenceRow]| -> Result<()> {
        for row in rows {
            let at = NAMES.iter().position(|name| *name == row.kind).unwrap_or(NAMES.len() - 1);
            files[at].add(row.time, &row.key, &row.json)?;
        }
        Ok(())
    };
    reference(&mut files, &hospital.reference())?;
    let mut events = 0;
    while let Some(day) = hospital.next_day() {
        reference(&mut files, &day.reference)?;
        for item in &day.items {
            let at = match item.stream {
                Stream::Access => 0,
                Stream::Auth => 1,
            };
            files[at].add(item.time, &item.user, &item.json)?;
            events += 1;
        }
        truth.add(&day.truth)?;
    }
    for file in files {
        file.finish()?;
    }
    truth.finish(&hospital)?;
    Ok(events)
}
