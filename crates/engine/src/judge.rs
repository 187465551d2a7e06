//! Scores, cases and evidence of one lane: what the models and rules say of a tick's rows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use base::{Millis, Timestamp};
use features::Lane;
use findings::{Cases, Contribution, Other, PairEvidence, Step, Tick};
use reference::{Pins, Reference};
use risk::Scorer;

use crate::error::Result;
use crate::spec::PipelineSpec;

/// What a lane judges with.
pub(crate) struct Judge {
    pair: Option<Scorer>,
    user: Option<Scorer>,
    cases: Cases,
    learn: Millis,
}

/// Scores are millionths.
const MICROS: f64 = 1e6;

impl Judge {
    pub(crate) fn new(spec: &PipelineSpec) -> Result<Self> {
        let program = spec.program();
        let bind =
            |model: &Option<risk::Model>, schema: &Schema| model.as_ref().map(|model| model.bind(schema)).transpose();
        let cases = Cases::new(
            spec.policy().clone(),
            spec.rules().to_vec(),
            spec.meanings(),
            spec.origin(),
            program.user_schema(),
        )?;
        Ok(Self {
            pair: bind(&spec.models().pair, program.pair_schema())?,
            user: bind(&spec.models().user, program.user_schema())?,
            cases,
            learn: spec.learn(),
        })
    }

    /// Takes up a stored case.
    pub(crate) fn restore(&mut self, user: &str, case: &[u8]) -> Result<()> {
        Ok(self.cases.restore(user, case)?)
    }

    /// Goes on with these cases and no others; gives what is to be stored of each user, nothing where a case is gone.
    pub(crate) fn carry(&mut self, cases: BTreeMap<String, String>) -> Result<BTreeMap<String, Option<Vec<u8>>>> {
        let mut stored: BTreeMap<_, _> = self.cases.clear().into_iter().map(|user| (user, None)).collect();
        for (user, case) in cases {
            self.restore(&user, case.as_bytes())?;
            stored.insert(user, Some(case.into_bytes()));
        }
        Ok(stored)
    }

    pub(crate) fn open_cases(&self) -> usize {
        self.cases.open_count()
    }

    /// When the next quiet case closes.
    pub(crate) fn next_close(&self) -> Option<Timestamp> {
        self.cases.next_close()
    }

    /// Scores of pairs in millionths; none without a model.
    pub(crate) fn pairs(&self, rows: &RecordBatch) -> Result<Option<Vec<i64>>> {
        let Some(scorer) = &self.pair else { return Ok(None) };
        let scores = scorer.score(rows)?;
        Ok(Some(scores.into_iter().map(|score| libm::round(score * MICROS) as i64).collect()))
    }

    /// Scores of users; none without a model.
    pub(crate) fn users(&self, rows: &RecordBatch) -> Result<Option<Vec<f64>>> {
        Ok(self.user.as_ref().map(|scorer| scorer.score(rows)).transpose()?)
    }

    /// Cases that open, change or close at a scoring tick. Nothing is told while the lane still learns.
    pub(crate) fn step(
        &mut self,
        lane: &mut Lane,
        end: Timestamp,
        rows: &RecordBatch,
        scores: &[f64],
        reference: &Reference,
        pins: &Pins,
    ) -> Result<Step> {
        let Some(scorer) = &self.user else { return Ok(Step::default()) };
        let failed = RefCell::new(None);
        let lane = RefCell::new(lane);
        let explain = |row: usize| match scorer.explain(rows, row) {
            Ok(explanation) => contributions(scorer, &explanation),
            Err(error) => {
                failed.borrow_mut().get_or_insert(crate::Error::from(error));
                Vec::new()
            }
        };
        let patients = |user: &str| match lane.borrow_mut().evidence(user, reference, pins) {
            Ok(rows) => evidence(&rows),
            Err(error) => {
                failed.borrow_mut().get_or_insert(crate::Error::from(error));
                Vec::new()
            }
        };
        let tick = Tick { end, features: rows, scores, explain: &explain, evidence: &patients };
        let step = self.cases.step(&tick)?;
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(step),
        }
    }

    /// Cases that have been quiet for long enough.
    pub(crate) fn close_quiet(&mut self, end: Timestamp) -> Result<Step> {
        Ok(self.cases.close_quiet(end)?)
    }

    /// Whether a lane born at `born` has learnt enough by `end` to open cases.
    pub(crate) fn speaks(&self, born: Timestamp, end: Timestamp) -> bool {
        self.user.is_some() && end - born >= self.learn
    }
}

fn contributions(scorer: &Scorer, explanation: &risk::Explanation) -> Vec<Contribution> {
    let features = scorer.model().features().iter();
    let parts = features.zip(&explanation.contributions).zip(&explanation.values);
    parts
        .map(|((feature, weight), value)| Contribution {
            feature: feature.name.clone(),
            value: f64::from(*value),
            weight: *weight,
        })
        .collect()
}

/// The rungs of the reason ladder in words, by number.
const RUNGS: [&str; 9] = [
    "in care of the user's team",
    "in care on the user's unit",
    "in care on another unit",
    "in care within the last 24 hours",
    "in care within the last 72 hours",
    "in care within the last 14 days",
    "in care long ago",
    "only by an entry of the user's own",
    "none found",
];

/// Flags of the evidence SQL, in words.
const FLAGS: [(&str, &str); 13] = [
    ("own_record", "own record"),
    ("colleague", "colleague"),
    ("colleague_same_unit", "works on the same unit"),
    ("same_household", "same household"),
    ("same_address", "same address"),
    ("neighbour", "a neighbour"),
    ("same_surname", "same surname"),
    ("vip", "person of public interest"),
    ("deceased", "deceased"),
    ("patient_new", "never opened before"),
    ("off_shift", "outside the shift"),
    ("odd_sign_in", "after an odd sign-in"),
    ("explained_later", "a reason was recorded later"),
];

/// The column of the evidence SQL that says on how many days before a chart was opened without a reason.
const UNEXPLAINED_DAYS: &str = "unexplained_days";

/// Counts of evidence, in words.
const ACTIONS: [(&str, &str); 8] = [
    ("reads", "read"),
    ("writes", "write"),
    ("deletes", "delete"),
    ("takeouts", "print or export"),
    ("overrides", "override"),
    ("failures", "failed"),
    ("sign_ins", "signed in"),
    ("denials", "denied"),
];

/// Rows about two, the subject of a case and another, as evidence: of the pipeline's evidence SQL or of a watch's users.
/// Columns that it does not give are left out.
pub(crate) fn evidence(rows: &RecordBatch) -> Vec<PairEvidence> {
    let number = |name: &str, row: usize| {
        let column = rows.column_by_name(name)?;
        let column = arrow::compute::cast(column, &DataType::Int64).ok()?;
        let column = column.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let is_user = rows.schema().fields().get(1).is_some_and(|field| field.name() == "user_key");
    let (name, other): (_, fn(String) -> Other) =
        if is_user { ("user_key", Other::User) } else { ("patient_key", Other::Patient) };
    let Some(others) = rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()) else {
        return Vec::new();
    };
    let evidence = others.iter().enumerate().filter_map(|(row, key)| {
        let time = |name| number(name, row).map(Timestamp::from_millis);
        let rung = number("rung", row).and_then(|rung| RUNGS.get(usize::try_from(rung).ok()?));
        let count = |column: &str| number(column, row).filter(|count| *count > 0);
        let actions = ACTIONS.iter().filter_map(|(column, word)| Some(((*word).to_owned(), count(column)?)));
        let flags = FLAGS.iter().filter_map(|(column, words)| count(column).map(|_| (*words).to_owned()));
        let days = count(UNEXPLAINED_DAYS).map(|days| {
            let unit = if days == 1 { "day" } else { "days" };
            format!("unexplained on {days} {unit} before the day of this finding")
        });
        Some(PairEvidence {
            other: other(key?.to_owned()),
            first_time: time("first_ms")?,
            last_time: time("last_ms")?,
            accesses: number("events", row).unwrap_or(0),
            actions: actions.collect(),
            reason: (*rung.unwrap_or(if is_user { &"" } else { &"unknown" })).to_owned(),
            score: number("score", row).unwrap_or(0) as f64 / MICROS,
            flags: flags.chain(days).collect(),
        })
    });
    evidence.collect()
}

/// Feature rows with the tick's end in front and the score behind, as recorded and compared by a replay.
pub(crate) fn recorded(rows: &RecordBatch, end: Timestamp, scores: Option<&[f64]>) -> Result<RecordBatch> {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let mut fields = vec![Field::new("tick_end", time, false)];
    let ends = TimestampMillisecondArray::from(vec![end.millis(); rows.num_rows()]).with_timezone("UTC");
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ends)];
    fields.extend(rows.schema().fields().iter().map(|field| field.as_ref().clone()));
    columns.extend(rows.columns().iter().cloned());
    fields.push(Field::new("score", DataType::Float64, true));
    columns.push(match scores {
        Some(scores) => Arc::new(Float64Array::from(scores.to_vec())),
        None => Arc::new(Float64Array::new_null(rows.num_rows())),
    });
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

#[cfg(test)]
mod tests;
