//! The program of a pipeline: the SQL of windows, baselines, scores and watches is read and compiled.

use std::path::Path;
use std::sync::Arc;

use features::{BaselineSpec, Program, ProgramSpec, ScoringSpec, SeenSpec, WatchSpec, WindowSize, WindowSpec};

use super::raw::{self, RawSpec};
use super::reader::Reader;

impl Reader<'_> {
    /// The compiled program, or nothing where its SQL has problems.
    pub(super) fn program(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Option<Arc<Program>> {
        let spec = self.program_spec(file, text, raw);
        match Program::compile(spec) {
            Ok(program) => Some(Arc::new(program)),
            Err(errors) => {
                errors.into_iter().for_each(|error| self.feature_problem(file, error));
                None
            }
        }
    }

    fn program_spec(&mut self, file: &Path, text: &str, raw: &RawSpec) -> ProgramSpec {
        // The digest of the SQL goes by the order in which it is read: another one would be other definitions.
        let windows = self.windows(file, text, raw);
        let baselines = self.baselines(file, text, raw);
        let scoring = self.scoring(file, text, raw);
        let watches = self.watches(file, text, raw);
        let seen = raw.seen.iter().map(|seen| SeenSpec {
            name: seen.name.clone(),
            relation: seen.relation.clone(),
            column: seen.column.clone(),
            horizon: seen.horizon,
        });
        ProgramSpec {
            tick: raw.windows.tick,
            time_zone: raw.pipeline.time_zone.clone(),
            explain_grace: raw.windows.explain_grace,
            explained_rung: self.explained_rung(file, text, raw),
            windows,
            seen: seen.collect(),
            baselines,
            watches,
            scoring,
        }
    }

    fn windows(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Vec<WindowSpec> {
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
        windows
    }

    fn baselines(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Vec<BaselineSpec> {
        let mut baselines = Vec::new();
        for baseline in &raw.baseline {
            let at = self.line_of(file, text, &format!("\"{}\"", baseline.sql));
            let sql = self.sql(&at, &baseline.sql);
            let (name, keys) = (baseline.name.clone(), baseline.keys.clone());
            baselines.push(BaselineSpec { name, keys, rows: baseline.rows, sql, days: baseline.days });
        }
        baselines
    }

    fn scoring(&mut self, file: &Path, text: &str, raw: &RawSpec) -> ScoringSpec {
        let at = self.line_of(file, text, "[scoring]");
        ScoringSpec {
            hop: raw.scoring.every,
            pairs: self.sql(&at, &raw.scoring.pairs),
            users: self.sql(&at, &raw.scoring.users),
            evidence: self.sql(&at, &raw.scoring.evidence),
        }
    }

    fn watches(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Vec<WatchSpec> {
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
        watches
    }

    fn explained_rung(&mut self, file: &Path, text: &str, raw: &RawSpec) -> u8 {
        match raw::rung(&raw.windows.explained_up_to) {
            Ok(rung) => rung,
            Err(what) => {
                let at = self.line_of(file, text, "explained_up_to");
                self.problem(at, what, None);
                0
            }
        }
    }

    fn feature_problem(&mut self, file: &Path, error: features::Error) {
        match error {
            features::Error::Sql { file, line, problem, hint } => {
                self.problem(format!("{file}:{line}"), problem, hint);
            }
            other => self.problem(file.display().to_string(), other.to_string(), None),
        }
    }
}
