//! Sentence templates: text with placeholders that are filled from a feature row.
//!
//! `{column}` is the value as a person reads it; `{column|charts}` counts (`1 chart`, `14 charts`, `no charts`), and
//! `{column|person|people}` does so for irregular words; `{column:percent}`, `:points` (a difference of shares: `3.4
//! percentage points below`), `:times` (a ratio: `2.5 times`), `:bytes`, `:duration` (milliseconds), `:time` and `:date`
//! (milliseconds since the epoch, or a timestamp) say how to read a number. `{{` and `}}` are braces. Read next: `value.rs`.

use base::{Millis, Timestamp};
use jiff::tz::TimeZone;

use crate::limits::{PLACEHOLDERS_MAX, TEMPLATE_BYTES_MAX};
use crate::value::Value;
use crate::words;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Hole { column: String, form: Form },
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Plain,
    Count { one: String, many: String },
    Percent,
    Points,
    Times,
    Bytes,
    Duration,
    Time,
    Date,
}

const FORMS: [(&str, Form); 7] = [
    ("percent", Form::Percent),
    ("points", Form::Points),
    ("times", Form::Times),
    ("bytes", Form::Bytes),
    ("duration", Form::Duration),
    ("time", Form::Time),
    ("date", Form::Date),
];

impl Template {
    /// Parses a template; the error says what is wrong with it, for a person to put its place in front.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the sentence is empty".to_owned());
        }
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("the sentence has {} bytes, at most {TEMPLATE_BYTES_MAX} allowed", text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err("the sentence holds a line break or another control character".to_owned());
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(doubled) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = doubled;
            } else if brace == "}" {
                return Err("a `}` stands alone: write `}}` for a brace".to_owned());
            } else {
                let end = rest.find('}').ok_or_else(|| "a `{` is not closed".to_owned())?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(hole(&rest[..end])?);
                rest = &rest[end + 1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        let template = Self { parts };
        match template.columns().count() {
            holes if holes > PLACEHOLDERS_MAX => {
                Err(format!("the sentence has {holes} placeholders, at most {PLACEHOLDERS_MAX} allowed"))
            }
            _ => Ok(template),
        }
    }

    /// The columns it names, in order, repeated where the text repeats them.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Hole { column, .. } => Some(column.as_str()),
        })
    }

    /// What a column must exceed for the sentence to say anything of note: a comparison does that where it turns out above
    /// what is compared with.
    pub(crate) fn floor(&self, of: &str) -> Option<f64> {
        self.parts.iter().find_map(|part| match part {
            Part::Hole { column, form: Form::Times } if column == of => Some(1.0),
            Part::Hole { column, form: Form::Points } if column == of => Some(0.0),
            Part::Hole { .. } | Part::Text(_) => None,
        })
    }

    /// The sentence with every placeholder filled, times by the clocks of the zone.
    pub(crate) fn render(&self, value: &dyn Fn(&str) -> Value, zone: &TimeZone) -> String {
        let told: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Hole { column, form } => form.tell(&value(column), zone),
            })
            .collect();
        words::sentence(&told)
    }
}

fn hole(text: &str) -> Result<Part, String> {
    let named = |column: &str, form| match column.trim() {
        "" => Err(format!("placeholder `{{{text}}}` names no column")),
        column => Ok(Part::Hole { column: column.to_owned(), form }),
    };
    if let Some((column, nouns)) = text.split_once('|') {
        let (one, many) = match nouns.split_once('|') {
            Some((one, many)) => (one.trim().to_owned(), many.trim()),
            None => (words::singular(nouns.trim()), nouns.trim()),
        };
        if one.is_empty() || many.is_empty() {
            return Err(format!("placeholder `{{{text}}}` names nothing to count"));
        }
        return named(column, Form::Count { one, many: many.to_owned() });
    }
    let Some((column, form)) = text.split_once(':') else { return named(text, Form::Plain) };
    match FORMS.into_iter().find(|(name, _)| *name == form.trim()) {
        Some((_, form)) => named(column, form),
        None => {
            let known: Vec<_> = FORMS.iter().map(|(name, _)| *name).collect();
            Err(format!("placeholder `{{{text}}}`: unknown form `{form}`, expected one of {}", known.join(", ")))
        }
    }
}

impl Form {
    fn tell(&self, value: &Value, zone: &TimeZone) -> String {
        if let (Self::Count { many, .. }, Value::Missing) = (self, value) {
            return format!("an unknown number of {many}");
        }
        let Some(number) = value.number() else { return value.told(zone) };
        match self {
            Self::Plain => value.told(zone),
            Self::Count { one, many } => match whole(number) {
                Some(number) => words::count(number, one, many),
                None => format!("{} {many}", words::decimal(number)),
            },
            Self::Percent => format!("{} %", words::decimal(number * 100.0)),
            Self::Points => {
                let side = if number < 0.0 { "below" } else { "above" };
                format!("{} percentage points {side}", words::decimal(number.abs() * 100.0))
            }
            Self::Times => format!("{} times", words::decimal(number)),
            Self::Bytes => words::bytes(number),
            Self::Duration => words::duration(Millis(near(number))),
            Self::Time => words::moment(Timestamp::from_millis(near(number)), zone),
            Self::Date => words::date(Timestamp::from_millis(near(number)), zone),
        }
    }
}

/// The whole number a float stands for, if it stands for one.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then(|| near(number))
}

#[expect(clippy::cast_possible_truncation, reason = "rounded and held within exact integers first")]
fn near(number: f64) -> i64 {
    number.round().clamp(-9e15, 9e15) as i64
}

#[cfg(test)]
mod tests;
