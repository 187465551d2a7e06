//! `chartwarden simulate`: a synthetic hospital as NDJSON files, the truth in a folder of its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use hospital::{Hospital, ReferenceRow, Stream};

use crate::keys;
use crate::report::{Answer, disk, line};
use crate::town::{Town, TruthFiles};
use crate::view::grouped;

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
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let config = arguments.town.config(arguments.seed, &arguments.time_zone)?;
    let mut hospital = Hospital::new(config)?;
    let out = &arguments.out;
    keys::fresh_folder(out)?;
    let file = |name: &str| {
        let path = out.join(format!("{name}.ndjson"));
        File::create(&path).map(BufWriter::new).map_err(|error| disk(&path, &error))
    };
    let (mut access, mut auth) = (file("access")?, file("auth")?);
    let mut rows = [("staff", file("staff")?), ("patients", file("patients")?), ("relations", file("relations")?)];
    let mut write_row = |row: &ReferenceRow| -> Result<()> {
        if let Some((_, file)) = rows.iter_mut().find(|(kind, _)| *kind == row.kind) {
            file.write_all(&row.json)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    };
    hospital.reference().iter().try_for_each(&mut write_row)?;
    let mut truth = TruthFiles::create(&out.join("truth"))?;
    let mut events = 0u64;
    while let Some(day) = hospital.next_day() {
        day.reference.iter().try_for_each(&mut write_row)?;
        for item in &day.items {
            let file = if item.stream == Stream::Access { &mut access } else { &mut auth };
            file.write_all(&item.json)?;
            file.write_all(b"\n")?;
        }
        events += day.items.len() as u64;
        truth.add(&day.truth)?;
    }
    access.flush()?;
    auth.flush()?;
    for (_, file) in &mut rows {
        file.flush()?;
    }
    truth.finish(&hospital)?;
    line(format!(
        "{} events of {} days, {} incidents, written to {}",
        grouped(events),
        arguments.town.days,
        hospital.incidents().len(),
        out.display()
    ));
    Ok(Answer::Yes)
}
