//! The checked pipeline: `pipeline.toml`, its SQL and its models, read once and trusted from then on.
//!
//! [`PipelineSpec::load`] reports every problem at once, each with file, line and hint. `raw.rs` is the file as
//! written; nothing else in the engine reads it. Read next: `check.rs`, how one becomes the other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Millis;
use events::schema::Stream;
use events::{DecodeOptions, Format};
use features::{Digests, Program};
use findings::{Cases, FeatureMeaning, Origin, Policy, Rule, Subject};
use risk::Model;

mod check;
mod complaints;
mod digests;
mod models;
mod program;
mod raw;
mod reader;
mod settings;

use reader::Reader;

/// Something wrong with a pipeline, where it stands and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and, where known, line.
    pub at: String,
    /// What is wrong.
    pub what: String,
    /// What to try.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n   at: {}", self.what, self.at)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n hint: {hint}"))
    }
}

/// Every problem of a pipeline.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// One input topic.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name.
    pub topic: String,
    /// What it carries.
    pub stream: Stream,
    /// How it is written.
    pub format: Format,
    /// How far events may lag behind the newest one.
    pub lateness: Millis,
    /// Whether `rekey` writes it: then it is silent only where that says so.
    pub rekeyed: bool,
}

/// Entities that many users meet, and the rules that speak of them.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Name, as in the topic that lanes tell it by.
    pub name: String,
    /// What its cases are about.
    pub subject: Subject,
    /// Rules over its entities.
    pub rules: Vec<Rule>,
}

/// The models in use. Without them features are computed and recorded, and nothing is scored.
#[derive(Clone, Debug, Default)]
pub struct Models {
    /// Scores a user and a patient.
    pub pair: Option<Model>,
    /// Scores a user. Without it no case is opened.
    pub user: Option<Model>,
}

/// A pipeline that has been checked.
#[derive(Debug)]
pub struct PipelineSpec {
    folder: PathBuf,
    name: String,
    version: String,
    description: String,
    kafka: raw::RawKafka,
    inputs: Vec<Input>,
    reference: BTreeMap<&'static str, String>,
    decode: DecodeOptions,
    idle_after: Millis,
    learn: Millis,
    program: Arc<Program>,
    models: Models,
    model_paths: Option<(PathBuf, PathBuf)>,
    policy: Policy,
    rules: Vec<Rule>,
    watches: Vec<Watch>,
    digests: Digests,
}

/// Name and version of the engine and of the layout of its state: state of another one is refused.
pub const ENGINE: &str = concat!("chartwarden ", env!("CARGO_PKG_VERSION"), " state 10");

/// Whether the models a pipeline names must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelUse {
    /// They are loaded; a missing one is a problem.
    Score,
    /// They are left alone: the run records features only.
    Record,
    /// Only the pair model is loaded, and must be there: the run records user features over its scores.
    PairOnly,
}

impl PipelineSpec {
    /// Reads and checks the pipeline in `folder` (or whose `pipeline.toml` is given).
    pub fn load(folder: &Path, models: ModelUse) -> Result<Self, Problems> {
        let file = if folder.is_dir() { folder.join("pipeline.toml") } else { folder.to_path_buf() };
        let folder = file.parent().unwrap_or(Path::new(".")).to_path_buf();
        let mut reader = Reader::new(&folder);
        let text = reader.text(&file);
        let read = text.and_then(|text| Some((reader.parse(&file, &text)?, text)));
        let Some((raw, text)) = read else { return Err(Problems(reader.problems)) };
        let checked = reader.check(&file, &text, raw, models);
        match checked {
            Some(spec) if reader.problems.is_empty() => Ok(spec),
            _ => Err(Problems(reader.problems)),
        }
    }

    /// Folder the pipeline stands in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is for, in a sentence.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Consumer group.
    pub fn group(&self) -> &str {
        &self.kafka.group
    }

    /// Prefix of the state topics.
    pub fn state_prefix(&self) -> &str {
        &self.kafka.state_prefix
    }

    /// Topic of findings.
    pub fn findings_topic(&self) -> &str {
        &self.kafka.findings_topic
    }

    /// Topic of rejects and late records.
    pub fn dead_letter_topic(&self) -> &str {
        &self.kafka.dead_letter_topic
    }

    /// librdkafka properties that the pipeline sets.
    pub fn kafka_properties(&self) -> &BTreeMap<String, String> {
        &self.kafka.properties
    }

    /// Input topics, in the order of `TopicId`.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Topics of reference rows by kind.
    pub fn reference(&self) -> &BTreeMap<&'static str, String> {
        &self.reference
    }

    /// How events are decoded.
    pub fn decode_options(&self) -> &DecodeOptions {
        &self.decode
    }

    /// How long a topic is silent before it is decided to be idle.
    pub fn idle_after(&self) -> Millis {
        self.idle_after
    }

    /// How long a lane learns before cases are opened.
    pub fn learn(&self) -> Millis {
        self.learn
    }

    /// The compiled SQL.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The models in use.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Whether cases about users can open: without models only watches tell of anything.
    pub fn judges_users(&self) -> bool {
        self.models.user.is_some()
    }

    /// Where the pair model and the user model stand.
    pub fn model_paths(&self) -> Option<&(PathBuf, PathBuf)> {
        self.model_paths.as_ref()
    }

    /// When cases are opened and told.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is watched beside users.
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// Rules about users and about entities.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain(self.watches.iter().flat_map(|watch| &watch.rules))
    }

    /// A lane's cases about the entities of a watch: none is open.
    pub(crate) fn watch_cases(&self, place: usize) -> findings::Result<Cases> {
        let watch = &self.watches[place];
        let (policy, rules) = (self.policy.clone(), watch.rules.clone());
        Cases::about(watch.subject.clone(), policy, rules, self.origin(), self.program.watch_schema(place))
    }

    /// What defines the pipeline's results.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// What findings say of the pipeline.
    pub fn origin(&self) -> Origin {
        Origin {
            time_zone: self.program.zone().clone(),
            pipeline: self.name.clone(),
            version: self.version.clone(),
            spec: self.digests.spec,
            sql: self.digests.sql,
            model: self.digests.model,
            model_name: self.models.user.as_ref().map_or("none", Model::name).to_owned(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// What the user features mean, in the words of the SQL's comments.
    pub fn meanings(&self) -> Vec<FeatureMeaning> {
        let users = self.program.user_schema();
        let known = |name: &str| users.column_with_name(name).is_some();
        let mut seen = std::collections::BTreeSet::new();
        let meanings = self.program.meanings().iter().filter(|meaning| known(&meaning.name));
        meanings
            .filter(|meaning| seen.insert(meaning.name.clone()))
            .map(|meaning| FeatureMeaning {
                name: meaning.name.clone(),
                sentence: meaning.sentence.clone(),
                group: meaning.family.clone(),
                zero: None,
                baseline: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
