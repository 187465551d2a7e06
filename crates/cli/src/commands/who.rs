//! `chartwarden who`: whose pseudonym it is, or of which workstation or address, for whoever has the key and may know.
//!
//! A pseudonym cannot be turned back. The ids that it may stand for are tried with the key: those of a pipeline's reference
//! topics, or of files. What is printed names people, and nothing of it is logged or kept; who asked is. Read next:
//! `who/asked.rs`.

mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use base::{Clock as _, SystemClock};
use engine::ports::ReferenceFeed as _;
use engine::{ModelUse, PipelineSpec};
use events::{PseudonymKeys, Text};
use kafka::KafkaReferenceFeed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::keys;
use crate::report::{Answer, Failure, disk, line, note};

/// Arguments of `who`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Pseudonyms of users, patients, workstations or addresses, as they stand in a finding; the beginning of one will do.
    #[arg(required = true, value_name = "PSEUDONYM")]
    pseudonyms: Vec<String>,
    /// The pseudonym key.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// File that keeps who asked: for each answer a JSON line with the time, the user, what was asked and how many names were
    /// told, not which. Nothing is told that it does not keep. If absent: beside the key, under its name and `.asked.ndjson`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// File with ids to try, one a line, of whatever kind, or reference rows as JSON objects; may be given often.
    #[arg(long, value_name = "FILE", required_unless_present = "pipeline")]
    ids: Vec<PathBuf>,
    /// Folder of the pipeline whose staff and patient topics are to be tried.
    #[arg(long, value_name = "DIR", requires = "bootstrap")]
    pipeline: Option<PathBuf>,
    /// Brokers that have these topics.
    #[arg(long, env = "KAFKA_BOOTSTRAP", value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// A property of librdkafka, as in `security.protocol=ssl`; may be given often.
    #[arg(long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
}

/// Fewest characters of a pseudonym behind its kind and key, which all of a house share: enough to tell one from another.
const CHARS_MIN: usize = 5;

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    let own = |pseudonym: &str| pseudonym.split_once(':').map_or(0, |(_, own)| own.len());
    if let Some(short) = arguments.pseudonyms.iter().find(|pseudonym| own(pseudonym) < CHARS_MIN) {
        let problem = format!("`{short}` is the beginning of too many pseudonyms");
        let hint = format!("give {CHARS_MIN} characters or more behind the `:`");
        return Err(Failure::invalid(problem).hint(hint).into());
    }
    let keys = keys::pseudonyms(&arguments.keys)?;
    let mut people = People::new(&keys, &arguments.pseudonyms);
    for path in &arguments.ids {
        let text = std::fs::read_to_string(path).map_err(|error| disk(path, &error))?;
        text.lines().for_each(|row| people.row(row));
    }
    if let Some((pipeline, bootstrap)) = arguments.pipeline.as_ref().zip(arguments.bootstrap.as_ref()) {
        let spec = PipelineSpec::load(pipeline, ModelUse::Record)?;
        let mut config = Cluster::at(bootstrap, &arguments.properties).config(&spec)?;
        config.reference_topics.retain(|(kind, _)| matches!(*kind, "staff" | "patients"));
        let mut feed = KafkaReferenceFeed::connect(&config, Arc::new(SystemClock))?;
        for row in feed.poll(Some(SystemClock.now()))? {
            people.row(&String::from_utf8_lossy(&row.value.unwrap_or_default()));
        }
    }
    let record = arguments.record.clone().unwrap_or_else(|| arguments.keys.with_added_extension("asked.ndjson"));
    // What is told is on record, be it that a kill in between tells nothing of it.
    asked::record(&record, &people.counts(), SystemClock.now())?;
    note(format!("who asked is recorded in {}", record.display()));
    Ok(if people.tell() { Answer::Yes } else { Answer::No })
}

/// What a row says of who it is about; anything else in it is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Row<'t> {
    #[serde(borrow)]
    user: Option<Text<'t>>,
    names: Option<Vec<Text<'t>>>,
    patient: Option<Text<'t>>,
}

/// Ids that were tried, and whom they turned out to be.
struct People<'a> {
    keys: &'a PseudonymKeys,
    asked: &'a [String],
    /// Ids, however many pseudonyms one may stand behind.
    tried: u64,
    /// By pseudonym: the ids that give it, and of staff the other names.
    found: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> People<'a> {
    fn new(keys: &'a PseudonymKeys, asked: &'a [String]) -> Self {
        Self { keys, asked, tried: 0, found: BTreeMap::new() }
    }

    /// Tries a reference row, or a bare id, which may be that of a user, a patient, a workstation or an address.
    fn row(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !text.starts_with('{') {
            self.tried += 1;
            for pseudonym in [self.keys.user(text), self.keys.device(text), self.keys.address(text)] {
                self.matched(pseudonym, &[text]);
            }
            self.patient(text);
            return;
        }
        let Row { user, names, patient } = serde_json::from_str(text).unwrap_or_default();
        let names = names.unwrap_or_default();
        let staff: Vec<&str> = user.iter().chain(&names).map(|name| &**name).collect();
        for name in &staff {
            self.tried += 1;
            self.matched(self.keys.user(name), &staff);
        }
        if let Some(patient) = &patient {
            self.tried += 1;
            self.patient(patient);
        }
    }

    /// What was asked, and how many names answer it.
    fn counts(&self) -> Vec<(&'a str, usize)> {
        let count = |asked: &'a String| (asked.as_str(), self.known(asked).map(|(_, ids)| ids.len()).sum::<usize>());
        self.asked.iter().map(count).collect()
    }

    /// Prints every answer; says whether there is a name in each.
    fn tell(&self) -> bool {
        let mut all_known = true;
        for asked in self.asked {
            let known: Vec<_> = self.known(asked).collect();
            all_known &= !known.is_empty();
            if known.is_empty() {
                line(format!("{asked}  nobody among {} ids", self.tried));
            }
            for (pseudonym, ids) in known {
                line(format!("{pseudonym}  {}", ids.iter().cloned().collect::<Vec<_>>().join(", ")));
            }
        }
        all_known
    }

    fn known(&self, asked: &str) -> impl Iterator<Item = (&String, &BTreeSet<String>)> {
        self.found.iter().filter(move |(pseudonym, _)| pseudonym.starts_with(asked))
    }

    /// A patient has a pseudonym as one whose chart is opened, and another as one who opens it: see `acting` in the
    /// decoders, which keeps the second from being that of a member of staff.
    fn patient(&mut self, id: &str) {
        self.matched(self.keys.patient(id), &[id]);
        let user = format!("patient/{}", PseudonymKeys::patient_id(id).trim());
        self.matched(self.keys.user(&user), &[&user]);
    }

    fn matched(&mut self, pseudonym: String, ids: &[&str]) {
        if self.asked.iter().any(|asked| pseudonym.starts_with(asked.as_str())) {
            self.found.entry(pseudonym).or_default().extend(ids.iter().map(|id| (*id).to_owned()));
        }
    }
}
