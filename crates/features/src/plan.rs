//! A pipeline's SQL, compiled: the checked [`Program`], and the [`Plans`] a lane runs.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use events::schema::{ColumnKind, Stream};

use crate::baseline::BaselinePlan;
use crate::error::{Error, Result};
use crate::limits::{BASELINE_DAYS_MAX, SEEN_HORIZON_MAX};
use crate::pair_scores;
use crate::rows::{RowPlan, row_fields};
use crate::seal::{self, derived_schema};
use crate::shared::{EntityFacts, SharedPlan};
use crate::spec::{
    BaselineSpec, ColumnMeaning, ProgramSpec, ScoringSpec, SeenSpec, WatchSpec, WindowSize, WindowSpec, column_meanings,
};
use crate::sql::{columns_named, distance};
use crate::watch::WatchPlan;
use crate::window::WindowPlans;

/// Where a window group's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Rows of a stream as they are sealed.
    Stream(Stream),
    /// Unexplained accesses, looked up once more when their grace has passed.
    Resolved,
    /// Scores of pairs, fed back.
    PairScores,
}

/// A checked set of windows, baselines and feature SQL. Lanes are made of it.
#[derive(Debug)]
pub struct Program {
    pub(crate) spec: ProgramSpec,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) relations: Vec<Relation>,
    /// Columns of sealed rows, by stream.
    sealed: Vec<SchemaRef>,
    /// Which of them are known of the entities that rows are about, in the order of the columns.
    pub(crate) entities: Vec<EntityFacts>,
    pair_schema: SchemaRef,
    user_schema: SchemaRef,
    /// Of entities, by watch.
    watch_schemas: Vec<SchemaRef>,
    meanings: Vec<ColumnMeaning>,
}

/// A relation as a lane keeps its rows: only the columns that some window over it names.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) relation: Relation,
    /// Columns of the relation that are kept.
    pub(crate) columns: Vec<usize>,
    /// Window groups over it.
    pub(crate) groups: Vec<usize>,
}

impl Input {
    /// The name windows call it by.
    pub(crate) fn name(&self) -> &'static str {
        let place = RELATIONS.iter().position(|(_, relation)| *relation == self.relation);
        place.map_or("", |place| RELATIONS[place].0)
    }
}

/// The plans of one lane, built once.
#[derive(Debug)]
pub struct Plans {
    pub(crate) inputs: Vec<Input>,
    pub(crate) groups: Vec<WindowPlans>,
    pub(crate) baselines: Vec<BaselinePlan>,
    pub(crate) pairs: RowPlan,
    pub(crate) users: RowPlan,
    pub(crate) evidence: RowPlan,
}

impl Program {
    /// Compiles everything once and reports every problem found.
    pub fn compile(mut spec: ProgramSpec) -> std::result::Result<Self, Vec<Error>> {
        let mut problems = spec.problems();
        let zone = jiff::tz::TimeZone::get(&spec.time_zone).map_err(|_| {
            let name = &spec.time_zone;
            Error::Misfit(format!("time zone `{name}` is unknown: write an IANA name such as `Europe/Vienna`"))
        });
        let zone = zone.map_err(|error| problems.push(error)).unwrap_or(jiff::tz::TimeZone::UTC);
        if let Some(seen) = spec.seen.iter().find(|seen| seen.horizon > SEEN_HORIZON_MAX) {
            let (name, horizon) = (&seen.name, seen.horizon);
            problems.push(Error::Misfit(format!("seen `{name}`: horizon {horizon} is above {SEEN_HORIZON_MAX}")));
        }
        if let Some(baseline) = spec.baselines.iter().find(|baseline| baseline.days > BASELINE_DAYS_MAX) {
            let (name, days) = (&baseline.name, baseline.days);
            problems.push(Error::Misfit(format!("baseline `{name}`: {days} days are above {BASELINE_DAYS_MAX}")));
        }
        problems.extend(spec.seen.iter().filter_map(unseeable));
        let watched: Vec<_> = spec.watches.iter().map(WatchSpec::window).collect();
        spec.windows.extend(watched);
        spec.windows.push(pair_scores::window());
        let mut relations = Vec::new();
        for window in &spec.windows {
            match relation(window) {
                Ok(relation) => relations.push(relation),
                Err(error) => problems.push(error),
            }
        }
        let meanings = column_meanings(&spec.scoring.users).and_then(|mut users| {
            users.extend(column_meanings(&spec.scoring.pairs)?);
            Ok(users)
        });
        let meanings = meanings.map_err(|error| problems.push(error)).unwrap_or_default();
        if !problems.is_empty() {
            return Err(problems);
        }
        let empty = Arc::new(Schema::empty());
        let sealed = Stream::ALL.into_iter().map(|stream| derived_schema(stream, &spec.seen)).collect();
        let mut program = Self {
            spec,
            zone,
            relations,
            sealed,
            entities: Vec::new(),
            pair_schema: Arc::clone(&empty),
            user_schema: empty,
            watch_schemas: Vec::new(),
            meanings,
        };
        for baseline in 0..program.spec.baselines.len() {
            program.add_entity_facts(baseline).unwrap_or_else(|error| problems.push(error));
        }
        if !problems.is_empty() {
            program.complain_further(&mut problems);
            return Err(problems);
        }
        let plans = program.try_plans(&mut problems);
        // A users' SQL that could not be planned has been complained of as a window.
        for watch in program.spec.watches.iter().filter(|_| plans.is_some()) {
            match program.watch_plan(watch) {
                Ok((_, entities)) => program.watch_schemas.push(entities.schema()),
                Err(error) => problems.push(error),
            }
        }
        match plans {
            Some(plans) if problems.is_empty() => {
                program.pair_schema = plans.pairs.output_schema();
                program.user_schema = plans.users.output_schema();
                Ok(program)
            }
            _ => Err(problems),
        }
    }

    /// Adds what else is wrong, where it is not known what baselines add to rows: but for the columns that these lack.
    fn complain_further(&self, problems: &mut Vec<Error>) {
        let mut found = Vec::new();
        self.try_plans(&mut found);
        for error in found {
            let told = error.to_string();
            let of_rows = self.spec.baselines.iter().filter(|baseline| baseline.is_of_rows());
            let mut names = of_rows.map(|baseline| format!("unknown column `{}_", baseline.name));
            let is_lacking = names.any(|name| told.contains(&name));
            if !is_lacking && problems.iter().all(|known| known.to_string() != told) {
                problems.push(error);
            }
        }
    }

    /// Makes what a baseline knows of entities, or of a group of users, columns of the rows that are about them.
    fn add_entity_facts(&mut self, baseline: usize) -> Result<()> {
        let spec = &self.spec.baselines[baseline];
        if !spec.is_of_rows() {
            return Ok(());
        }
        // Its window cannot name such columns itself.
        let group = SharedPlan::group_of(spec, &self.spec.windows)?;
        let window = &self.spec.windows[group];
        let keys: Vec<_> = window.keys.iter().map(String::as_str).collect();
        let rows = self.relation_schema(self.relations[group]);
        let days = WindowPlans::compile(&window.sql, &window.relation, &rows, &keys)?.result_schema();
        let facts = SharedPlan::compile(spec, &self.spec.windows, group, &days)?.schema();
        let mut found = Vec::new();
        for (stream, sealed) in Stream::ALL.into_iter().zip(&self.sealed) {
            found.extend(EntityFacts::new((baseline, spec), &facts, (stream, sealed))?);
        }
        if found.is_empty() {
            let BaselineSpec { name, keys, .. } = spec;
            return Err(Error::Misfit(format!("baseline `{name}`: no stream has the text columns {keys:?}")));
        }
        for facts in found {
            let sealed = &mut self.sealed[facts.stream() as usize];
            *sealed = facts.widen(sealed);
            self.entities.push(facts);
        }
        Ok(())
    }

    fn watch_plan(&self, watch: &WatchSpec) -> Result<(WindowPlans, WatchPlan)> {
        let window = watch.window();
        let schema = self.relation_schema(relation(&window)?);
        let keys: Vec<_> = window.keys.iter().map(String::as_str).collect();
        let users = WindowPlans::compile(&window.sql, &window.relation, &schema, &keys)?;
        let entities = WatchPlan::compile(watch, users.result_schema())?;
        Ok((users, entities))
    }

    /// The plans of one lane of watches: of each, what users did (of which it never runs the first part), and what that
    /// comes to.
    pub(crate) fn watch_plans(&self) -> Result<Vec<(WindowPlans, WatchPlan)>> {
        self.spec.watches.iter().map(|watch| self.watch_plan(watch)).collect()
    }

    /// The window groups that are sent on to watches, in the order of the watches.
    pub(crate) fn watch_groups(&self) -> std::ops::Range<usize> {
        let scores = self.spec.windows.len() - 1;
        scores - self.spec.watches.len()..scores
    }

    /// The plans of one lane.
    pub fn plans(&self) -> Result<Plans> {
        let mut problems = Vec::new();
        match self.try_plans(&mut problems) {
            Some(plans) => Ok(plans),
            None => Err(problems.swap_remove(0)),
        }
    }

    fn try_plans(&self, problems: &mut Vec<Error>) -> Option<Plans> {
        let mut keep = |result: Result<()>| result.map_err(|error| problems.push(error)).is_ok();
        let mut whole = true;
        let mut named: Vec<HashSet<String>> = vec![HashSet::new(); self.relations.len()];
        for (group, (window, relation)) in self.spec.windows.iter().zip(&self.relations).enumerate() {
            let columns = named_columns(window, &self.relation_schema(*relation));
            whole &= keep(columns.map(|columns| named[group] = columns));
        }
        let inputs = self.inputs(&named);
        let mut groups = Vec::new();
        // A window that could not be planned has been complained of, and names nothing.
        for (group, window) in self.spec.windows.iter().enumerate().filter(|(group, _)| !named[*group].is_empty()) {
            let input = inputs.iter().find(|input| input.groups.contains(&group))?;
            let schema = self.relation_schema(input.relation).project(&input.columns);
            let keys: Vec<_> = window.keys.iter().map(String::as_str).collect();
            let compiled = schema
                .map_err(Error::from)
                .and_then(|schema| WindowPlans::compile(&window.sql, &window.relation, &Arc::new(schema), &keys));
            whole &= keep(compiled.map(|plans| groups.push(plans)));
        }
        if !whole {
            return None;
        }
        let mut baselines = Vec::new();
        for baseline in &self.spec.baselines {
            let compiled = BaselinePlan::compile(baseline, &self.spec.windows, &groups);
            whole &= keep(compiled.map(|plan| baselines.push(plan)));
        }
        if !whole {
            return None;
        }
        let ScoringSpec { pairs, users, evidence, .. } = &self.spec.scoring;
        let mut rows = |sql, relation, keys: usize, windows: bool| {
            let fields = row_fields(&self.spec, &groups, &baselines, keys, windows);
            let compiled = RowPlan::compile(sql, relation, fields, keys);
            compiled.map_err(|error| problems.push(error)).ok()
        };
        let pairs = rows(pairs, "pair_row", 2, true);
        let users = rows(users, "user_row", 1, true);
        let evidence = rows(evidence, "evidence_row", 2, false);
        Some(Plans { inputs, groups, baselines, pairs: pairs?, users: users?, evidence: evidence? })
    }

    /// Each relation with its windows and the columns they name between them.
    fn inputs(&self, named: &[HashSet<String>]) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (_, relation) in RELATIONS {
            let over = self.relations.iter().enumerate().filter(|(_, over)| **over == relation);
            let groups: Vec<usize> = over.map(|(group, _)| group).collect();
            let schema = self.relation_schema(relation);
            let kept = |name: &str| groups.iter().any(|group| named[*group].contains(name));
            let columns = schema.fields().iter().enumerate().filter(|(_, field)| kept(field.name()));
            let columns = columns.map(|(column, _)| column).collect();
            if !groups.is_empty() {
                inputs.push(Input { relation, columns, groups });
            }
        }
        inputs
    }

    pub(crate) fn relation_schema(&self, relation: Relation) -> SchemaRef {
        match relation {
            Relation::Stream(stream) => Arc::clone(&self.sealed[stream as usize]),
            Relation::Resolved => Arc::clone(&self.sealed[Stream::Access as usize]),
            Relation::PairScores => pair_scores::schema(),
        }
    }

    /// The time zone of the house.
    pub fn zone(&self) -> &jiff::tz::TimeZone {
        &self.zone
    }

    /// The checked settings.
    pub fn spec(&self) -> &ProgramSpec {
        &self.spec
    }

    /// Columns of a pair's feature row: `user_key`, `patient_key`, then features.
    pub fn pair_schema(&self) -> &SchemaRef {
        &self.pair_schema
    }

    /// Columns of a user's feature row: `user_key`, then features and rules.
    pub fn user_schema(&self) -> &SchemaRef {
        &self.user_schema
    }

    /// Columns of a watch's entities: its key, then what is known of it and rules.
    pub fn watch_schema(&self, watch: usize) -> &SchemaRef {
        &self.watch_schemas[watch]
    }

    /// What feature columns mean, users first.
    pub fn meanings(&self) -> &[ColumnMeaning] {
        &self.meanings
    }

    /// Columns of a relation that window SQL can use, with their types.
    pub fn relation_columns(&self, name: &str) -> Option<SchemaRef> {
        Some(self.relation_schema(relation_named(name)?))
    }

    /// What a column of such a relation means.
    pub fn relation_meaning(&self, name: &str, column: &str) -> Option<String> {
        let stream = match relation_named(name)? {
            Relation::Stream(stream) => stream,
            Relation::Resolved => Stream::Access,
            Relation::PairScores => return pair_scores::meaning(column).map(str::to_owned),
        };
        let entities = || self.entities.iter().filter(|facts| facts.stream() == stream);
        seal::meaning(stream, &self.spec.seen, column)
            .or_else(|| entities().find_map(|facts| facts.meaning(&self.spec, column)))
    }

    /// The relations that window SQL can use.
    pub fn relation_names() -> impl Iterator<Item = &'static str> {
        RELATIONS.into_iter().map(|(name, _)| name)
    }
}

/// The columns of its relation that a window reads, its keys among them.
fn named_columns(window: &WindowSpec, schema: &SchemaRef) -> Result<HashSet<String>> {
    let columns = columns_named(&window.sql, &window.relation, schema)?;
    match window.keys.iter().find(|key| !columns.contains(*key)) {
        None => Ok(columns),
        Some(key) => Err(Error::Sql {
            file: window.sql.file.clone(),
            line: 1,
            problem: format!("the key `{key}` is not read from `{}`", window.relation),
            hint: Some(format!("begin with SELECT {} and end with GROUP BY the same", window.keys.join(", "))),
        }),
    }
}

/// What keeps a column from being noted as seen: it is none of a stream's texts.
fn unseeable(seen: &SeenSpec) -> Option<Error> {
    let (name, relation, column) = (&seen.name, &seen.relation, &seen.column);
    let Some(stream) = Stream::ALL.into_iter().find(|stream| stream.name() == relation) else {
        return Some(Error::Misfit(format!("seen `{name}`: relation `{relation}` is neither `access` nor `auth`")));
    };
    let schema = stream.schema();
    let texts = schema.fields().iter().filter(|field| *field.data_type() == DataType::Utf8).map(|field| field.name());
    let texts: Vec<_> = texts.collect();
    if texts.contains(&column) {
        return None;
    }
    let nearest = texts.into_iter().min_by_key(|text| distance(text, column)).map_or("", String::as_str);
    Some(Error::Misfit(format!(
        "seen `{name}`: `{column}` is no text column of `{relation}`; did you mean `{nearest}`?"
    )))
}

/// The relations and their names.
const RELATIONS: [(&str, Relation); 4] = [
    ("access", Relation::Stream(Stream::Access)),
    ("auth", Relation::Stream(Stream::Auth)),
    ("resolved", Relation::Resolved),
    (pair_scores::RELATION, Relation::PairScores),
];

fn relation_named(name: &str) -> Option<Relation> {
    RELATIONS.into_iter().find(|(known, _)| *known == name).map(|(_, relation)| relation)
}

fn relation(window: &WindowSpec) -> Result<Relation> {
    relation_named(&window.relation).ok_or_else(|| {
        let nearest = Program::relation_names().min_by_key(|name| distance(name, &window.relation)).unwrap_or("access");
        Error::Misfit(format!(
            "window `{}`: unknown relation `{}`; did you mean `{nearest}`?",
            window.name, window.relation
        ))
    })
}

/// `15m`, `1h`, `24h`: how a size is written in column names.
pub(crate) fn size_name(size: WindowSize) -> String {
    let hours = size.size.0 / 3_600_000;
    if size.size.0 % 3_600_000 == 0 && hours <= 72 { format!("{hours}h") } else { size.size.to_string() }
}

/// A nullable copy of a field under another name.
pub(crate) fn renamed(field: &Field, name: String) -> Field {
    Field::new(name, field.data_type().clone(), true)
}

/// A column type used for derived columns.
pub(crate) fn field(name: &str, kind: ColumnKind, nullable: bool) -> Field {
    Field::new(name, kind.data_type(), nullable)
}

/// An empty batch.
pub(crate) fn empty(schema: &SchemaRef) -> RecordBatch {
    RecordBatch::new_empty(Arc::clone(schema))
}

#[cfg(test)]
mod tests;
