//! What a pipeline says about windows, checked before anything runs.

use base::Millis;
use events::schema::ColumnKind;

use crate::error::{Error, Result};
use crate::limits::{SHARED_DAYS_SPARE, WATCH_SIZE_MAX};
use crate::rows::BASE;
pub use crate::sql::SqlText;

/// The windows, baselines and feature SQL of a pipeline.
#[derive(Clone, Debug)]
pub struct ProgramSpec {
    /// Length of a tick, the smallest pane; divides an hour.
    pub tick: Millis,
    /// IANA name of the hospital's time zone: shift, "after hours" and "day" are local.
    pub time_zone: String,
    /// How long an unexplained access waits for a reason before slow windows count it.
    pub explain_grace: Millis,
    /// The highest rung of the reason ladder that explains an access.
    pub explained_rung: u8,
    /// Window groups, each one SQL over one relation.
    pub windows: Vec<WindowSpec>,
    /// What counts as seen before.
    pub seen: Vec<SeenSpec>,
    /// Aggregates over closed days.
    pub baselines: Vec<BaselineSpec>,
    /// What is watched beside users.
    pub watches: Vec<WatchSpec>,
    /// Feature rows.
    pub scoring: ScoringSpec,
}

/// One window group: a relation, a key, one SQL, several sizes.
#[derive(Clone, Debug)]
pub struct WindowSpec {
    /// Name; a result column `c` of size `s` is called `<name>_<s>_<c>`.
    pub name: String,
    /// `access`, `auth` or `resolved`.
    pub relation: String,
    /// `user_key`, or `user_key` and `patient_key`; or `user_key` and another key of the relation, such as `address_key`,
    /// where there are no sizes.
    pub keys: Vec<String>,
    /// The SQL.
    pub sql: SqlText,
    /// The sizes; none where only days are kept.
    pub sizes: Vec<WindowSize>,
    /// Whether a result row per key is kept for each closed day (relation `<name>_days`).
    pub days: bool,
}

/// One size of a hopping window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Length.
    pub size: Millis,
    /// Step.
    pub hop: Millis,
}

/// Values whose first appearance for a user matters.
#[derive(Clone, Debug)]
pub struct SeenSpec {
    /// Name; the derived columns are `<name>_new` and `<name>_age_days`.
    pub name: String,
    /// `access` or `auth`.
    pub relation: String,
    /// The column.
    pub column: String,
    /// How long a value is remembered.
    pub horizon: Millis,
}

/// A second key: entities (patients, addresses, ...) that many users meet, seen over all lanes.
#[derive(Clone, Debug)]
pub struct WatchSpec {
    /// Name; the entity SQL reads the relation `<name>_users`.
    pub name: String,
    /// `access`, `auth` or `resolved`.
    pub relation: String,
    /// Column of the relation that names the entity.
    pub key: String,
    /// Grouped by the key and `user_key`: what each user did with each entity.
    pub users: SqlText,
    /// Grouped by the key: one row per entity, over relation `<name>_users`.
    pub entities: SqlText,
    /// How far it looks back. It steps with scoring.
    pub size: Millis,
}

/// One SQL over the results of closed days, recomputed at each day close.
#[derive(Clone, Debug)]
pub struct BaselineSpec {
    /// Name; a result column `c` is called `<name>_<c>`.
    pub name: String,
    /// Columns of the feature row it is looked up by: `user_key`, or both keys of a pair; or what users of all lanes have
    /// in common, such as `role` and `unit`. With a key of something else among them (`patient_key`, `address_key`), columns
    /// of the streams that have them all: it is known of each row there, under `<name>_<column>`.
    pub keys: Vec<String>,
    /// Whether it is known of each row of the streams, and not of feature rows, although its keys are what users have in
    /// common: for what watches count, who see no feature rows.
    pub rows: bool,
    /// The SQL, over relations `<window>_days`; over one of them where it is of all lanes.
    pub sql: SqlText,
    /// How many closed days it sees.
    pub days: u32,
}

/// The feature rows.
#[derive(Clone, Debug)]
pub struct ScoringSpec {
    /// How often users and pairs that changed are scored.
    pub hop: Millis,
    /// Feature row of a pair, over the relation `pair_row`.
    pub pairs: SqlText,
    /// Feature row of a user, over the relation `user_row`.
    pub users: SqlText,
    /// What a finding shows of each patient, over the relation `evidence_row`.
    pub evidence: SqlText,
}

/// What a column of a feature row means to a person: the comment behind it in the SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMeaning {
    /// Column.
    pub name: String,
    /// Sentence template.
    pub sentence: String,
    /// The family it stands under: the last comment on a line of its own.
    pub family: String,
}

const HOUR: Millis = Millis::hours(1);

impl ProgramSpec {
    /// Every misfit at once; empty when the settings fit together.
    pub fn problems(&self) -> Vec<Error> {
        let mut problems = Vec::new();
        let mut misfit = |text: String| problems.push(Error::Misfit(text));
        let divides = |step: Millis, length: Millis| step.0 > 0 && length.0 > 0 && length.0 % step.0 == 0;
        if !divides(self.tick, HOUR) {
            misfit(format!("tick {} does not divide an hour", self.tick));
        }
        if !divides(self.tick, self.scoring.hop) || !divides(self.scoring.hop, HOUR) {
            misfit(format!("scoring hop {} must be a multiple of the tick and divide an hour", self.scoring.hop));
        }
        if !divides(self.tick, self.explain_grace) {
            misfit(format!(
                "explain_grace {} must be a multiple of the tick {}, and at least one: what waits is looked up by a later tick",
                self.explain_grace, self.tick
            ));
        }
        for window in &self.windows {
            for size in &window.sizes {
                let step = if size.in_hours() { HOUR } else { self.tick };
                if !divides(step, size.size) || !divides(step, size.hop) || size.hop > size.size {
                    misfit(format!(
                        "window `{}` of {}: hop {} and size must be multiples of {step}, the hop not above the size",
                        window.name, size.size, size.hop
                    ));
                }
                if !divides(self.scoring.hop, size.hop) || !divides(self.scoring.hop, size.size) {
                    misfit(format!(
                        "window `{}` of {}: size and hop {} must be multiples of the scoring hop {}",
                        window.name, size.size, size.hop, self.scoring.hop
                    ));
                }
            }
            let WindowSpec { name, keys, .. } = window;
            match keys.as_slice() {
                [user] if user == "user_key" => {}
                [user, _] if user == "user_key" && window.is_of_pairs() => {}
                [user, other] if user == "user_key" && other.ends_with("_key") && window.sizes.is_empty() => {}
                keys => misfit(format!(
                    "window `{name}`: keys are `user_key`, or `user_key, patient_key`, or without sizes `user_key` and another \
                     key, not {keys:?}"
                )),
            }
            if window.sizes.is_empty() && !window.days {
                misfit(format!("window `{name}` has no sizes and keeps no days: give it `sizes`, or `days = true`"));
            }
        }
        let texts = BASE.iter().filter(|(name, kind)| *kind == ColumnKind::Text && !name.ends_with("_key"));
        let texts: Vec<_> = texts.map(|(name, _)| *name).collect();
        for baseline in &self.baselines {
            let keys: Vec<_> = baseline.keys.iter().map(String::as_str).collect();
            let of_users = !keys.is_empty() && keys.iter().all(|key| texts.contains(key));
            if baseline.rows && !baseline.is_shared() {
                misfit(format!(
                    "baseline `{}`: `rows` is for what all lanes share, such as by `role`, not for {keys:?}",
                    baseline.name
                ));
            }
            if !of_users && !baseline.is_of_rows() && keys != ["user_key"] && keys != ["user_key", "patient_key"] {
                misfit(format!(
                    "baseline `{}`: keys are `user_key`, or `user_key, patient_key`, or of what all lanes share some of \
                     {texts:?}, or columns of a stream with a key of something else among them, such as `patient_key`, not \
                     {keys:?}",
                    baseline.name
                ));
            }
        }
        for (place, watch) in self.watches.iter().enumerate() {
            let WatchSpec { name, key, size, .. } = watch;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                misfit(format!(
                    "watch `{name}`: a name is made of a to z, 0 to 9 and `_`: it stands in a topic's name and in SQL"
                ));
            }
            if self.watches[..place].iter().any(|other| other.name == *name) {
                misfit(format!("watch `{name}` is there twice"));
            }
            if !divides(self.scoring.hop, *size) || *size > WATCH_SIZE_MAX {
                misfit(format!(
                    "watch `{name}`: {size} must be a multiple of the scoring hop {}, up to {WATCH_SIZE_MAX}",
                    self.scoring.hop
                ));
            }
            if key == "user_key" || !key.ends_with("_key") {
                misfit(format!(
                    "watch `{name}`: the key `{key}` must be a pseudonym of something else than users, because findings name \
                     it: `patient_key`, `address_key`, `device_key`, `session_key` or `encounter_key`"
                ));
            }
        }
        problems
    }
}

impl ProgramSpec {
    /// Whether lanes tell each other anything.
    pub(crate) fn shares(&self) -> bool {
        self.baselines.iter().any(BaselineSpec::is_shared)
    }

    /// How long before the day that lanes go by what they have told is kept.
    pub(crate) fn shares_kept(&self) -> Millis {
        let shared = self.baselines.iter().filter(|baseline| baseline.is_shared());
        let days = shared.map(|baseline| baseline.days).max().unwrap_or(0);
        Millis::days(i64::from(days + SHARED_DAYS_SPARE))
    }
}

impl BaselineSpec {
    /// Whether it is of no user, and therefore of all lanes.
    pub(crate) fn is_shared(&self) -> bool {
        !self.keys.iter().any(|key| key == "user_key")
    }

    /// Whether it is known of each row: of what the row is about, a patient or an address, or because that was asked for.
    pub(crate) fn is_of_rows(&self) -> bool {
        self.is_shared() && (self.rows || self.keys.iter().any(|key| key.ends_with("_key")))
    }
}

impl WindowSpec {
    /// Whether it is keyed by user and patient.
    pub(crate) fn is_of_pairs(&self) -> bool {
        self.keys == ["user_key", "patient_key"]
    }
}

impl WatchSpec {
    /// Its part in a lane of users: a window group that is sent on and never looked at there.
    pub(crate) fn window(&self) -> WindowSpec {
        WindowSpec {
            name: format!("watch.{}", self.name),
            relation: self.relation.clone(),
            keys: vec![self.key.clone(), "user_key".to_owned()],
            sql: self.users.clone(),
            sizes: Vec::new(),
            days: false,
        }
    }
}

impl SeenSpec {
    /// The horizon in local days.
    pub(crate) fn horizon_days(&self) -> i32 {
        i32::try_from(self.horizon.0 / Millis::days(1).0).unwrap_or(i32::MAX)
    }
}

impl WindowSize {
    /// Whether it is merged from panes of an hour; shorter ones are merged from ticks.
    pub fn in_hours(&self) -> bool {
        self.size > Millis::hours(2) && self.hop.0 % HOUR.0 == 0
    }
}

/// The comments behind the output columns of a feature SQL: `expr AS name, -- what it means`.
pub fn column_meanings(sql: &SqlText) -> Result<Vec<ColumnMeaning>> {
    let mut meanings = Vec::new();
    let mut family = String::new();
    for (index, line) in sql.text.lines().enumerate() {
        let Some((code, sentence)) = line.split_once("--") else { continue };
        let code = code.trim().trim_end_matches(',');
        let Some(name) = code.split_whitespace().next_back() else {
            family = sentence.trim().to_owned();
            continue;
        };
        let name = name.rsplit('.').next().unwrap_or(name);
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::Sql {
                file: sql.file.clone(),
                line: index + 1,
                problem: format!("a comment follows `{name}`, which names no column"),
                hint: Some("end the line with `AS name, -- sentence`".to_owned()),
            });
        }
        meanings.push(ColumnMeaning {
            name: name.to_owned(),
            sentence: sentence.trim().to_owned(),
            family: family.clone(),
        });
    }
    Ok(meanings)
}
