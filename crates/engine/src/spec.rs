//! The checked pipeline: `pipeline.toml`, its SQL and its models, read once and trusted from then on.
//!
//! [`PipelineSpec::load`] reports every problem at once, each with file, line and hint. `raw.rs` is the file as
//! written; nothing else in the engine reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Digest, Millis};
use events::schema::Stream;
use events::{DecodeOptions, Format, Networks};
use features::{
    BaselineSpec, Digests, Program, ProgramSpec, ScoringSpec, SeenSpec, SqlText, WatchSpec, WindowSize, WindowSpec,
};
use findings::{Cases, FeatureMeaning, Origin, Policy, Rule, Subject};
use risk::Model;
use sha2::{Digest as _, Sha256};

mod complaints;
mod digests;
mod raw;
mod settings;

use crate::limits::REKEY_SILENT_MAX;
use digests::{model_digest, reading_digest, settings_digest};
use raw::RawSpec;

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
pub const ENGINE: &str = concat!("chartwarden ", env!("CARGO_PKG_VERSION"), " state 8");

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
        let mut reader = Reader { folder: &folder, problems: Vec::new(), sql: Sha256::new() };
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

struct Reader<'a> {
    folder: &'a Path,
    problems: Vec<Problem>,
    sql: Sha256,
}

impl Reader<'_> {
    fn problem(&mut self, at: impl Into<String>, what: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { at: at.into(), what: what.into(), hint });
    }

    fn misfit(&mut self, file: &Path, text: &str, misfit: settings::Misfit) {
        let at = format!("{}:{}", file.display(), misfit.place.line(text));
        self.problem(at, misfit.what, Some(misfit.hint));
    }

    fn text(&mut self, file: &Path) -> Option<String> {
        let unreadable = |error| {
            let hint = "give the folder of a pipeline, such as `pipelines/insider-breach`";
            self.problem(file.display().to_string(), format!("cannot be read: {error}"), Some(hint.to_owned()));
        };
        std::fs::read_to_string(file).map_err(unreadable).ok()
    }

    fn parse(&mut self, file: &Path, text: &str) -> Option<RawSpec> {
        let complaints = match complaints::read(text) {
            Ok(raw) => return Some(raw),
            Err(complaints) => complaints,
        };
        for (message, span) in complaints {
            let line = text[..span.start].matches('\n').count() + 1;
            let message = message.lines().next().unwrap_or_default();
            self.problem(format!("{}:{line}", file.display()), message, unknown_field_hint(message));
        }
        None
    }

    /// The line of `pipeline.toml` on which `needle` first stands.
    fn line_of(&self, file: &Path, text: &str, needle: &str) -> String {
        let line = text.lines().position(|line| line.contains(needle)).map_or(1, |line| line + 1);
        format!("{}:{line}", file.display())
    }

    /// Where to mend a problem of a rule, a setting or a sentence, else the section that it was found in.
    fn place_of(&self, problem: &str, section: &str, (file, text): (&Path, &str), users: &SqlText) -> String {
        let named = |what: &str| problem.strip_prefix(what)?.split('`').next();
        let column = named("feature `").map(|name| format!(" AS {name}"));
        let in_sql = column.and_then(|column| {
            let of_column =
                |line: &str| line.split_once(&column).is_some_and(|(_, rest)| !rest.starts_with(is_of_name));
            Some(format!("{}:{}", users.file, users.text.lines().position(of_column)? + 1))
        });
        let setting = || named("policy: `").map(|name| format!("{name} = "));
        let needle = named("rule `").map(|id| format!("id = \"{id}\"")).or_else(setting);
        let needle = needle.filter(|needle| text.contains(needle.as_str()));
        in_sql.unwrap_or_else(|| self.line_of(file, text, needle.as_deref().unwrap_or(section)))
    }

    fn sql(&mut self, at: &str, path: &str) -> SqlText {
        let file = self.folder.join(path);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            let what = format!("`{path}` cannot be read: {error}");
            self.problem(at, what, Some("paths are relative to pipeline.toml".to_owned()));
            String::new()
        });
        for part in [path, text.as_str()] {
            self.sql.update((part.len() as u64).to_le_bytes());
            self.sql.update(part.as_bytes());
        }
        SqlText { file: file.display().to_string(), text }
    }

    fn check(&mut self, file: &Path, text: &str, raw: RawSpec, models: ModelUse) -> Option<PipelineSpec> {
        let inputs: Vec<Input> = raw.input.iter().map(raw::RawInput::checked).collect();
        for input in &inputs {
            if input.lateness < raw.limits.max_clock_skew {
                let at = self.line_of(file, text, &format!("\"{}\"", input.topic));
                let what = format!(
                    "input `{}`: lateness {} is below max_clock_skew {}",
                    input.topic, input.lateness, raw.limits.max_clock_skew
                );
                self.problem(
                    at,
                    what,
                    Some("raise `lateness`: a tick must not close before its reference is known".into()),
                );
            }
            if input.rekeyed && raw.limits.idle_after <= REKEY_SILENT_MAX {
                let at = self.line_of(file, text, "idle_after");
                let (topic, idle_after) = (&input.topic, raw.limits.idle_after);
                let what = format!("input `{topic}` is rekeyed, and idle_after is {idle_after}");
                let hint = format!(
                    "let it be longer than {REKEY_SILENT_MAX}, for which the last word of a `rekey` that died still counts"
                );
                self.problem(at, what, Some(hint));
            }
        }
        if inputs.is_empty() {
            let hint = "add an [[input]] with topic, stream, format and lateness".to_owned();
            self.problem(file.display().to_string(), "the pipeline reads no topic", Some(hint));
        }
        for misfit in settings::misfits(&raw, &inputs) {
            self.misfit(file, text, misfit);
        }
        let networks = raw.networks.iter().map(|(range, name)| (range.as_str(), name.as_str()));
        let networks = Networks::new(networks, events::EXTERNAL).unwrap_or_else(|error| {
            let at = self.line_of(file, text, "[networks]");
            self.problem(at, error.to_string(), None);
            Networks::default()
        });
        let program_spec = self.program_spec(file, text, &raw)?;
        let program = match Program::compile(program_spec) {
            Ok(program) => Arc::new(program),
            Err(errors) => {
                errors.into_iter().for_each(|error| self.feature_problem(file, error));
                return None;
            }
        };
        let loaded = self.models(file, text, &raw, models, &program);
        let rules: Vec<Rule> = raw.rule.clone();
        let digests = Digests {
            spec: settings_digest(text),
            reading: reading_digest(&raw),
            sql: Digest(std::mem::take(&mut self.sql).finalize().into()),
            model: model_digest(&loaded),
            engine: ENGINE.to_owned(),
        };
        let model_paths = raw.scoring.pair_model.as_ref().zip(raw.scoring.user_model.as_ref());
        let spec = PipelineSpec {
            folder: self.folder.to_path_buf(),
            name: raw.pipeline.name,
            version: raw.pipeline.version,
            description: raw.pipeline.description,
            kafka: raw.kafka,
            inputs,
            reference: raw.reference.by_kind(),
            decode: DecodeOptions {
                max_clock_skew: raw.limits.max_clock_skew,
                max_event_age: raw.limits.max_event_age,
                networks,
                ..DecodeOptions::default()
            },
            idle_after: raw.limits.idle_after,
            learn: Millis::days(i64::from(raw.cases.learn_days)),
            program,
            models: loaded,
            model_paths: model_paths.map(|(pair, user)| (self.folder.join(pair), self.folder.join(user))),
            policy: raw.cases.policy(),
            rules,
            watches: raw.watch.iter().map(raw::RawWatch::checked).collect(),
            digests,
        };
        let schema = spec.program.user_schema();
        let checked =
            findings::Cases::new(spec.policy.clone(), spec.rules.clone(), spec.meanings(), spec.origin(), schema);
        let watched = (0..spec.watches.len()).map(|place| ("[[watch]]", spec.watch_cases(place)));
        for (place, checked) in std::iter::once(("[cases]", checked)).chain(watched) {
            let Err(error) = checked else { continue };
            let told = match error {
                findings::Error::Definitions(problems) => problems,
                other => vec![other.to_string()],
            };
            for problem in told {
                let at = self.place_of(&problem, place, (file, text), &spec.program.spec().scoring.users);
                self.problem(at, problem, None);
            }
        }
        Some(spec)
    }

    fn program_spec(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Option<ProgramSpec> {
        let mut windows = Vec::new();
        for window in &raw.window {
            let at = self.line_of(file, text, &format!("\"{}\"", window.sql));
            let mut sizes: Vec<WindowSize> = Vec::new();
            for size in &window.sizes {
                match raw::window_size(size) {
                    Ok(size) => sizes.push(size),
                    Err(what) => self.problem(at.clone(), format!("window `{}`: {what}", window.name), None),
                }
            }
            let sql = self.sql(&at, &window.sql);
            let (name, relation) = (window.name.clone(), window.relation.clone());
            windows.push(WindowSpec { name, relation, keys: window.keys.clone(), sql, sizes, days: window.days });
        }
        let mut baselines = Vec::new();
        for baseline in &raw.baseline {
            let at = self.line_of(file, text, &format!("\"{}\"", baseline.sql));
            let sql = self.sql(&at, &baseline.sql);
            let (name, keys) = (baseline.name.clone(), baseline.keys.clone());
            baselines.push(BaselineSpec { name, keys, rows: baseline.rows, sql, days: baseline.days });
        }
        let at = self.line_of(file, text, "[scoring]");
        let scoring = ScoringSpec {
            hop: raw.scoring.every,
            pairs: self.sql(&at, &raw.scoring.pairs),
            users: self.sql(&at, &raw.scoring.users),
            evidence: self.sql(&at, &raw.scoring.evidence),
        };
        let mut watches = Vec::new();
        for watch in &raw.watch {
            let at = self.line_of(file, text, &format!("\"{}\"", watch.users));
            watches.push(WatchSpec {
                name: watch.name.clone(),
                relation: watch.relation.clone(),
                key: watch.key.clone(),
                users: self.sql(&at, &watch.users),
                entities: self.sql(&at, &watch.entities),
                size: watch.window,
            });
        }
        let seen = raw.seen.iter().map(|seen| SeenSpec {
            name: seen.name.clone(),
            relation: seen.relation.clone(),
            column: seen.column.clone(),
            horizon: seen.horizon,
        });
        let explained_rung = match raw::rung(&raw.windows.explained_up_to) {
            Ok(rung) => rung,
            Err(what) => {
                let at = self.line_of(file, text, "explained_up_to");
                self.problem(at, what, None);
                0
            }
        };
        Some(ProgramSpec {
            tick: raw.windows.tick,
            time_zone: raw.pipeline.time_zone.clone(),
            explain_grace: raw.windows.explain_grace,
            explained_rung,
            windows,
            seen: seen.collect(),
            baselines,
            watches,
            scoring,
        })
    }

    fn feature_problem(&mut self, file: &Path, error: features::Error) {
        match error {
            features::Error::Sql { file, line, problem, hint } => {
                self.problem(format!("{file}:{line}"), problem, hint);
            }
            other => self.problem(file.display().to_string(), other.to_string(), None),
        }
    }

    fn models(&mut self, file: &Path, text: &str, raw: &RawSpec, models: ModelUse, program: &Program) -> Models {
        if let Some(misfit) = settings::unnamed_model(raw, models) {
            self.misfit(file, text, misfit);
            return Models::default();
        }
        let (pair, user) = (raw.scoring.pair_model.as_deref(), raw.scoring.user_model.as_deref());
        let (pair, user) = match models {
            ModelUse::Score => (pair, user),
            // The user model is trained on what comes of this, and there may be none yet.
            ModelUse::PairOnly => (pair, None),
            ModelUse::Record => (None, None),
        };
        let mut load = |path: &str, schema: &arrow::datatypes::Schema| -> Option<Model> {
            let at = self.line_of(file, text, path);
            let bytes = match std::fs::read(self.folder.join(path)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let hint = "`chartwarden train` makes one".to_owned();
                    self.problem(at, format!("model `{path}` cannot be read: {error}"), Some(hint));
                    return None;
                }
            };
            let model = Model::from_bytes(&bytes).and_then(|model| model.bind(schema).map(|_| model));
            model.map_err(|error| self.problem(at, format!("model `{path}`: {error}"), None)).ok()
        };
        Models {
            pair: pair.and_then(|path| load(path, program.pair_schema())),
            user: user.and_then(|path| load(path, program.user_schema())),
        }
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// `unknown field `x`, expected one of `a`, `b`` to the nearest name.
fn unknown_field_hint(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    if !message.starts_with("unknown field") {
        return None;
    }
    let nearest = quoted.min_by_key(|name| strsim::levenshtein(name, unknown))?;
    Some(format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests;
