//! What can go wrong, and what to do about it. Read next: `limits.rs`, the bounds named here.

use base::Kind;

use crate::limits::ADDITIVITY_ERROR_MAX;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A column the model needs and the schema lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingColumn {
    /// The name the model was trained with.
    pub name: String,
    /// The schema's column of the most similar name, if any is similar.
    pub nearest: Option<String>,
}

/// Why a model could not be trained, loaded, bound or applied.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A training setting is out of range.
    #[error("training setting `{setting}` is {value}: expected {bound}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        bound: String,
    },
    /// A name is empty or too long.
    #[error("{what} name `{name}` has {} bytes: expected 1 to {max}", name.len())]
    Name {
        /// Whose name.
        what: &'static str,
        /// The name, as given.
        name: String,
        /// The most bytes.
        max: usize,
    },
    /// The table has no rows or no columns, or too many.
    #[error("training table has {found} {what}: expected 1 to {max}")]
    TableSize {
        /// Rows or features.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// Parts of the table differ in length.
    #[error("training table: {part} has {found} entries, expected {expected}")]
    TableShape {
        /// The part that does not fit.
        part: String,
        /// Its length.
        found: usize,
        /// The length of the others.
        expected: usize,
    },
    /// Two features share a name.
    #[error("feature `{0}` is listed twice")]
    DuplicateFeature(String),
    /// A column without a description, or a description without a column.
    #[error("feature `{name}` has no {lacks}")]
    Unpaired {
        /// The feature.
        name: String,
        /// What it lacks.
        lacks: &'static str,
    },
    /// A cell is not usable.
    #[error("training table: row {row} of `{column}` is {value}: expected {bound}")]
    Value {
        /// The row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// What may stand there.
        bound: &'static str,
    },
    /// No feature has two different values.
    #[error("training table: none of {0} features varies: every one is constant or missing")]
    NothingVaries(usize),
    /// All labels are equal.
    #[error("training table: all {rows} rows have label {label}: rows of both labels are needed")]
    OneClass {
        /// How many rows.
        rows: usize,
        /// The one label.
        label: u8,
    },
    /// Too few groups to hold some out.
    #[error(
        "training table: its positive rows belong to {found} group: at least 2 are needed, so that the model is \
         calibrated on users its trees never saw"
    )]
    FewPositiveGroups {
        /// How many groups hold a positive row.
        found: usize,
    },
    /// A slice of the table lacks a class.
    #[error("training table: the {slice} slice has no row of label {label} with a weight above 0: add groups")]
    EmptyClass {
        /// Training or held-out.
        slice: &'static str,
        /// The label that is absent.
        label: u8,
    },
    /// The model came out larger than it may be: lower `trees` or `depth_max`, or shorten its texts.
    #[error("model has {found} {what}: at most {max} are allowed")]
    ModelTooLarge {
        /// Nodes or header bytes.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// The schema lacks columns the model needs.
    #[error("model `{model}` needs columns the rows do not have: {}", describe(.missing))]
    MissingColumns {
        /// The model.
        model: String,
        /// Every missing column.
        missing: Vec<MissingColumn>,
    },
    /// A column is neither number nor boolean.
    #[error("column `{column}` is of type {found}: expected a number or a boolean")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// The batch is not of the schema the scorer is bound to.
    #[error("column {index} of the batch is `{found}`, the scorer is bound to `{expected}` there")]
    BatchSchema {
        /// The column's place.
        index: usize,
        /// Its name, or what it is instead.
        found: String,
        /// The name bound.
        expected: String,
    },
    /// The batch has no such row.
    #[error("row {row} is outside a batch of {rows} rows")]
    RowOutside {
        /// The row asked for.
        row: usize,
        /// How many there are.
        rows: usize,
    },
    /// The bytes are not a model as `to_bytes` writes it.
    #[error("model file is damaged: {part}: {reason}")]
    Damaged {
        /// The section.
        part: &'static str,
        /// What does not hold.
        reason: String,
    },
    /// The tree library failed on a table that passed our checks.
    #[error("tree trainer failed: {0}")]
    Trainer(String),
    /// The contributions do not add up to the score.
    #[error(
        "contributions and base add up to {sum}, the score is {score}: at most {ADDITIVITY_ERROR_MAX} apart expected"
    )]
    NotAdditive {
        /// Base plus contributions.
        sum: f64,
        /// The score to be explained.
        score: f64,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Damaged { .. } => Kind::Corrupt,
            Self::Trainer(_) | Self::NotAdditive { .. } => Kind::Bug,
            _ => Kind::Invalid,
        }
    }
}

fn describe(missing: &[MissingColumn]) -> String {
    let one = |column: &MissingColumn| match &column.nearest {
        Some(nearest) => format!("`{}` (did you mean `{nearest}`?)", column.name),
        None => format!("`{}`", column.name),
    };
    missing.iter().map(one).collect::<Vec<_>>().join(", ")
}
