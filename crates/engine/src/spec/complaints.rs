//! Everything that keeps `pipeline.toml` from being read, not only the first thing.
//!
//! serde stops at the first problem. So each section is read by itself, and what is wrong in it is taken out before it
//! is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use findings::Rule;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::raw::{
    RawBaseline, RawCases, RawInput, RawKafka, RawLimits, RawPipeline, RawReference, RawScoring, RawSeen, RawSpec,
    RawWatch, RawWindow, RawWindows,
};

/// The sections of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read for what is missing and what is not known")]
struct Outline {
    pipeline: IgnoredAny,
    kafka: IgnoredAny,
    #[serde(default)]
    input: Vec<IgnoredAny>,
    reference: IgnoredAny,
    limits: Option<IgnoredAny>,
    networks: Option<BTreeMap<String, String>>,
    windows: IgnoredAny,
    #[serde(default)]
    window: Vec<IgnoredAny>,
    #[serde(default)]
    seen: Vec<IgnoredAny>,
    #[serde(default)]
    baseline: Vec<IgnoredAny>,
    scoring: IgnoredAny,
    cases: Option<IgnoredAny>,
    #[serde(default)]
    rule: Vec<IgnoredAny>,
    #[serde(default)]
    watch: Vec<IgnoredAny>,
}

/// The file as written, or every complaint about it with its place in the text.
pub(super) fn read(text: &str) -> Result<RawSpec, Vec<(String, Range<usize>)>> {
    let first = match toml::from_str(text) {
        Ok(raw) => return Ok(raw),
        Err(error) => error,
    };
    let (table, mut complaints) = DeTable::parse_recoverable(text);
    if complaints.is_empty() {
        let mut sections = Sections { table: table.get_ref(), complaints: Vec::new() };
        sections.one::<RawPipeline>("pipeline");
        sections.one::<RawKafka>("kafka");
        sections.each::<RawInput>("input");
        sections.one::<RawReference>("reference");
        sections.one::<RawLimits>("limits");
        sections.one::<RawWindows>("windows");
        sections.each::<RawWindow>("window");
        sections.each::<RawSeen>("seen");
        sections.each::<RawBaseline>("baseline");
        sections.one::<RawScoring>("scoring");
        sections.one::<RawCases>("cases");
        sections.each::<Rule>("rule");
        sections.each::<RawWatch>("watch");
        complaints = sections.complaints;
        let whole = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        complaints.extend(complaints_of::<Outline>(whole));
    }
    if complaints.is_empty() {
        complaints.push(first);
    }
    let told = complaints.into_iter().map(|error| (error.message().to_owned(), error.span().unwrap_or(0..0)));
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(_, span)| span.start);
    Err(told)
}

struct Sections<'a, 'i> {
    table: &'a DeTable<'i>,
    complaints: Vec<Error>,
}

impl Sections<'_, '_> {
    fn one<T: DeserializeOwned>(&mut self, name: &str) {
        if let Some(value) = self.table.get(name) {
            self.complaints.extend(complaints_of::<T>(value.clone()));
        }
    }

    fn each<T: DeserializeOwned>(&mut self, name: &str) {
        let values = self.table.get(name).and_then(|value| value.get_ref().as_array());
        for value in values.into_iter().flat_map(|values| values.iter()) {
            self.complaints.extend(complaints_of::<T>(value.clone()));
        }
    }
}

/// Reads one section again and again, each time without what was wrong.
fn complaints_of<T: DeserializeOwned>(mut section: Spanned<DeValue<'_>>) -> Vec<Error> {
    let mut complaints = Vec::new();
    let (mut taken_out, mut misspelt) = (BTreeSet::new(), false);
    while let Err(error) = T::deserialize(ValueDeserializer::from(section.clone())) {
        let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        // What is missing now may be what was taken out, or what an unknown name was meant to be.
        if missing.is_some_and(|name| misspelt || taken_out.contains(name)) {
            break;
        }
        misspelt |= error.message().starts_with("unknown field");
        let taken = error.span().and_then(|span| take_out(section.get_mut(), &span));
        complaints.push(error);
        match taken {
            Some(name) => taken_out.insert(name),
            None => break,
        };
    }
    complaints
}

/// Removes the entry whose key or value stands at `place`.
fn take_out(section: &mut DeValue<'_>, place: &Range<usize>) -> Option<String> {
    let DeValue::Table(table) = section else { return None };
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    let found = table.iter().find(|(key, value)| holds(key.span()) || holds(value.span()));
    let name = found.map(|(key, _)| key.get_ref().to_string())?;
    table.remove(name.as_str());
    Some(name)
}
