//! Reads the files of a pipeline, and keeps every problem that is found in them with the place where it is mended.

use std::path::Path;

use base::Digest;
use features::SqlText;
use sha2::{Digest as _, Sha256};

use super::raw::RawSpec;
use super::{Problem, complaints, settings};

pub(super) struct Reader<'a> {
    pub(super) folder: &'a Path,
    pub(super) problems: Vec<Problem>,
    sql: Sha256,
}

impl<'a> Reader<'a> {
    /// Over the pipeline in this folder.
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, problems: Vec::new(), sql: Sha256::new() }
    }

    pub(super) fn problem(&mut self, at: impl Into<String>, what: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { at: at.into(), what: what.into(), hint });
    }

    pub(super) fn misfit(&mut self, file: &Path, text: &str, misfit: settings::Misfit) {
        let at = format!("{}:{}", file.display(), misfit.place.line(text));
        self.problem(at, misfit.what, Some(misfit.hint));
    }

    pub(super) fn text(&mut self, file: &Path) -> Option<String> {
        let unreadable = |error| {
            let hint = "give the folder of a pipeline, such as `pipelines/insider-breach`";
            self.problem(file.display().to_string(), format!("cannot be read: {error}"), Some(hint.to_owned()));
        };
        std::fs::read_to_string(file).map_err(unreadable).ok()
    }

    pub(super) fn parse(&mut self, file: &Path, text: &str) -> Option<RawSpec> {
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
    pub(super) fn line_of(&self, file: &Path, text: &str, needle: &str) -> String {
        let line = text.lines().position(|line| line.contains(needle)).map_or(1, |line| line + 1);
        format!("{}:{line}", file.display())
    }

    /// Where to mend a problem of a rule, a setting or a sentence, else the section that it was found in.
    pub(super) fn place_of(
        &self,
        problem: &str,
        section: &str,
        (file, text): (&Path, &str),
        users: &SqlText,
    ) -> String {
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

    pub(super) fn sql(&mut self, at: &str, path: &str) -> SqlText {
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

    /// Of all SQL that was read, in the order in which it was.
    pub(super) fn sql_digest(&mut self) -> Digest {
        Digest(std::mem::take(&mut self.sql).finalize().into())
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
