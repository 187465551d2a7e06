//! What a user has been seen with: patients, devices, countries. Remembered by local day, with a horizon.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use base::FastMap;

use crate::error::{Error, Result};
use crate::facts::hash64;
use crate::spec::SeenSpec;

/// Values a user was seen with, by their hash: the last local day number of each. It is the largest thing that a lane
/// holds, and two of one user's some ten thousand values share a hash once in 10^11 users.
type Days = FastMap<i64, i32>;

/// (kind, user, value): the last local day number it was seen on.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    kinds: Vec<FastMap<Box<str>, Days>>,
}

/// Values seen in one tick, hour or day: in the order of their keys, so that the same ticks give the same bytes.
pub(crate) type SeenToday = BTreeMap<(i32, String, String), i32>;

impl Seen {
    pub(crate) fn new(specs: &[SeenSpec]) -> Self {
        Self { kinds: specs.iter().map(|_| FastMap::default()).collect() }
    }

    /// The last day the user was seen with the value.
    pub(crate) fn last_day(&self, kind: usize, user: &str, value: &str) -> Option<i32> {
        self.kinds[kind].get(user)?.get(&hash64(value)).copied()
    }

    /// Notes a day; returns whether that is news.
    pub(crate) fn note(&mut self, kind: usize, user: &str, value: &str, day: i32) -> bool {
        if !self.kinds[kind].contains_key(user) {
            self.kinds[kind].insert(user.into(), Days::default());
        }
        let Some(values) = self.kinds[kind].get_mut(user) else { return false };
        let value = hash64(value);
        match values.get_mut(&value) {
            Some(last) if *last >= day => false,
            Some(last) => {
                *last = day;
                true
            }
            None => {
                values.insert(value, day);
                true
            }
        }
    }

    /// Drops what was last seen before `day`.
    pub(crate) fn forget_before(&mut self, kind: usize, day: i32) {
        self.kinds[kind].retain(|_, values| {
            values.retain(|_, last| *last >= day);
            !values.is_empty()
        });
    }

    /// How many (user, value) are held.
    pub(crate) fn len(&self) -> usize {
        self.kinds.iter().flat_map(FastMap::values).map(FastMap::len).sum()
    }

    /// Notes the rows of a stored batch.
    pub(crate) fn restore(&mut self, batch: &RecordBatch) -> Result<()> {
        for ((kind, user, value), day) in read(batch) {
            let known = usize::try_from(kind).ok().filter(|kind| *kind < self.kinds.len());
            let kind = known.ok_or_else(|| Error::State(format!("a pane names the unknown kind {kind} of seen")))?;
            self.note(kind, &user, &value, day);
        }
        Ok(())
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Int32, false),
        Field::new("user_key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, false),
        Field::new("day", DataType::Int32, false),
    ]))
}

/// As a batch for a stored pane; `None` when there is nothing.
pub(crate) fn batch(seen: &SeenToday) -> Result<Option<RecordBatch>> {
    if seen.is_empty() {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(seen.keys().map(|key| key.0).collect::<Int32Array>()),
        Arc::new(seen.keys().map(|key| Some(key.1.as_str())).collect::<StringArray>()),
        Arc::new(seen.keys().map(|key| Some(key.2.as_str())).collect::<StringArray>()),
        Arc::new(seen.values().copied().collect::<Int32Array>()),
    ];
    Ok(Some(RecordBatch::try_new(schema(), columns)?))
}

/// The rows of a stored batch.
pub(crate) fn read(batch: &RecordBatch) -> Vec<((i32, String, String), i32)> {
    let (kinds, days) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(3).as_primitive::<Int32Type>());
    let (users, values) = (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
    let key = |row| (kinds.value(row), users.value(row).to_owned(), values.value(row).to_owned());
    (0..kinds.len()).map(|row| (key(row), days.value(row))).collect()
}
