//! `chartwarden ledger`: begin a log, verify it or a receipt offline, show what it holds.
//!
//! Verifying needs the verifier key and the files, nothing else. Read next: the crate `ledger`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ledger::limits::{CHECKPOINT_BYTES_MAX, KEY_FILE_BYTES_MAX, OPENING_BYTES_MAX, PROOF_BYTES_MAX};
use ledger::{Checkpoint, Held, Verdict, VerifierKey};
use serde_json::json;

use crate::anchor::{self, Places, runtime};
use crate::report::{Answer, Failure, disk, json_line, line};

/// What to do with a ledger.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Begin a log: signing key, verifier key, genesis entry. What is there already stays.
    Init {
        /// Data folder: gets `ledger/`, `openings/`, `keys/ledger.key` and `log.vkey`.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Name of the log, as in `chartwarden.example/2026`.
        #[arg(long, value_name = "NAME")]
        origin: String,
    },
    /// Walk a whole log: signature, tiles, root, every entry.
    Verify {
        /// Folder of the log.
        log: PathBuf,
        /// Verifier key; it must come from elsewhere than the log.
        #[arg(long, value_name = "FILE")]
        vkey: PathBuf,
        /// A checkpoint or a receipt (`.tlog-proof`) from earlier that the log must still hold to; may be given often. A log
        /// that was set back shows in nothing else.
        #[arg(long, value_name = "FILE")]
        held: Vec<PathBuf>,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check one receipt: was exactly this finding sealed?
    Prove {
        /// The `.tlog-proof` file.
        receipt: PathBuf,
        /// The `.opening.json` file: with it the finding's content is checked, without it only that an entry stands.
        #[arg(long, value_name = "FILE")]
        opening: Option<PathBuf>,
        /// Verifier key.
        #[arg(long, value_name = "FILE")]
        vkey: PathBuf,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the checkpoint of a log.
    Show {
        /// Folder of the log.
        log: PathBuf,
        /// Verifier key: with it the signature is checked.
        #[arg(long, value_name = "FILE")]
        vkey: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    match arguments {
        Arguments::Init { data, origin } => {
            let (places, keys) = (Places::under(data), data.join("keys"));
            std::fs::create_dir_all(&keys).map_err(|error| disk(&keys, &error))?;
            anchor::init(&places, origin)?;
            line(format!("the log is in {}", places.log.display()));
            line(format!("give {} to everybody who is to verify it", places.vkey.display()));
            Ok(Answer::Yes)
        }
        Arguments::Verify { log, vkey, held, json } => {
            let vkey = key(vkey, log)?;
            std::fs::read_dir(log).map(drop).map_err(|error| disk(log, &error))?;
            let hold = |path: &PathBuf| -> Result<Held> {
                let bytes = read(path, PROOF_BYTES_MAX.max(CHECKPOINT_BYTES_MAX))?;
                Ok(Held { name: path.display().to_string(), bytes })
            };
            let held = held.iter().map(hold).collect::<Result<Vec<_>>>()?;
            let report = runtime()?.block_on(ledger::verify_directory(log, &vkey, &held))?;
            if *json {
                json_line(serde_json::to_string_pretty(&report)?);
            } else {
                line(format!(
                    "{}: {} entries, {} files read",
                    report.verdict,
                    report.size.unwrap_or(0),
                    report.files_read
                ));
                report.problems.iter().for_each(|problem| line(format!("  {problem}")));
                report.notes.iter().for_each(|note| line(format!("  note: {note}")));
            }
            Ok(answer(report.verdict))
        }
        Arguments::Prove { receipt, opening, vkey, json } => {
            let vkey = key(vkey, receipt)?;
            let opening = opening.as_ref().map(|path| read(path, OPENING_BYTES_MAX)).transpose()?;
            let receipt = read(receipt, PROOF_BYTES_MAX)?;
            let report = ledger::verify_receipt(&receipt, opening.as_deref(), None, &vkey)?;
            if *json {
                json_line(serde_json::to_string_pretty(&report)?);
            } else {
                line(format!("{}: {}", report.verdict, report.reason));
            }
            Ok(answer(report.verdict))
        }
        Arguments::Show { log, vkey, json } => {
            let path = log.join("checkpoint");
            let text = String::from_utf8(read(&path, CHECKPOINT_BYTES_MAX)?).ok();
            let text = text.filter(|text| text.len() <= CHECKPOINT_BYTES_MAX).ok_or_else(|| {
                Failure::new(base::Kind::Corrupt, "this is no checkpoint, which is a short text").at(path.display())
            })?;
            let opened = vkey.as_ref().map(|vkey| -> Result<Checkpoint> {
                Checkpoint::open(text.as_bytes(), &key(vkey, log)?)
                    .map_err(|reason| Failure::new(base::Kind::Corrupt, reason).at(path.display()).into())
            });
            let opened = opened.transpose()?;
            if *json {
                let checked = opened.map(|checkpoint| json!({"origin": checkpoint.origin, "size": checkpoint.size}));
                json_line(json!({"checkpoint": text, "checked": checked}));
                return Ok(Answer::Yes);
            }
            line(text.trim_end());
            line(match opened {
                Some(checkpoint) => {
                    format!("\n{} entries of `{}`, the signature is good", checkpoint.size, checkpoint.origin)
                }
                None => "\nthe signature was not checked: give the verifier key with --vkey".to_owned(),
            });
            Ok(Answer::Yes)
        }
    }
}

/// The verifier key; a path that leads nowhere is wrong usage, not damage.
fn key(vkey: &Path, log: &Path) -> Result<VerifierKey> {
    read(vkey, KEY_FILE_BYTES_MAX as usize)?;
    Ok(VerifierKey::load(vkey, log)?)
}

/// What somebody else may have made: no more of it than whoever judges it needs to see that it is too long.
fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    ledger::read_file(path, bytes_max).map_err(|error| disk(path, &error))
}

fn answer(verdict: Verdict) -> Answer {
    if verdict == Verdict::Committed { Answer::Yes } else { Answer::No }
}
