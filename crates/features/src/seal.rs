//! The seal: a tick's rows sorted, enriched with what was known, and given the columns that depend on order.
//!
//! After this nothing looks at single events again: windows aggregate these columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMillisecondType};
use base::Timestamp;
use events::schema::{Column, ColumnKind, ENVELOPE, Stream};
use events::{Offset, TopicId};

use crate::error::Result;
use crate::plan::field;
use crate::spec::SeenSpec;
use crate::walker::OpenRow;

const fn derived(name: &'static str, kind: ColumnKind, nullable: bool, meaning: &'static str) -> Column {
    Column { name, kind, nullable, meaning }
}

use ColumnKind::{Flag, Int, Long, Text};

/// Columns that the seal adds to every stream.
pub(crate) const COMMON: &[Column] = &[
    derived("event_ms", Long, false, "event time in milliseconds since the epoch"),
    derived("role", Text, true, "the user's role"),
    derived("home_unit", Text, true, "the user's own unit"),
    derived("shift", Text, true, "the user's shift pattern"),
    derived("account_kind", Text, true, "person, service or shared"),
    derived(
        "after_end",
        Flag,
        false,
        "the user's employment had ended, as far as known, and it is not the last shift running over midnight",
    ),
    derived("tenure_days", Long, true, "days since the user was hired"),
    derived("known_days", Int, false, "days since the user's first event"),
    derived("local_hour", Int, false, "hour of day, local, 0 to 23"),
    derived("weekend", Flag, false, "Saturday or Sunday, local"),
    derived("off_shift", Flag, false, "more than two hours outside the user's shift"),
    derived(
        "gap_ms",
        Long,
        true,
        "time since the user's previous access, or of a sign-in since the last successful one",
    ),
    derived("user_h", Long, false, "64-bit hash of the user key, for distinct counts"),
];

/// Columns that the seal adds to accesses.
pub(crate) const ACCESS: &[Column] = &[
    derived(
        "rung",
        Int,
        true,
        "rung of the reason ladder: 0 own team now ... 8 never; null where no chart was touched",
    ),
    derived(
        "explained",
        Flag,
        false,
        "a documented reason is known, or no chart was touched: none was named, or the access was refused",
    ),
    derived("reason_kind", Text, true, "kind of the best relation found"),
    derived("own_record", Flag, false, "the patient is the user"),
    derived("colleague", Flag, false, "the patient is a member of staff, not the user"),
    derived("colleague_same_unit", Flag, false, "the patient works on the user's unit"),
    derived("same_household", Flag, false, "user and patient share a household"),
    derived("same_address", Flag, false, "user and patient share an address"),
    derived("neighbour", Flag, false, "the patient lives within three doors on the user's street, at another address"),
    derived("same_surname", Flag, false, "user and patient share a surname"),
    derived("surname_ppm", Long, true, "how many in a million bear the patient's surname"),
    derived("vip", Flag, false, "the patient is marked as a person of public interest"),
    derived("deceased", Flag, false, "the patient had died before the access"),
    derived("other_unit", Flag, false, "the patient is on a unit that is not the user's"),
    derived(
        "patient_h",
        Long,
        true,
        "64-bit hash of the patient key, for distinct counts; null where the access was refused",
    ),
    derived("insurer_h", Long, true, "hash of the patient's insurer"),
    derived("workstation_h", Long, true, "hash of the workstation"),
    derived("search_h", Long, true, "hash of the searched name's token"),
    derived("reason_h", Long, true, "hash of the typed reason's token"),
    derived("resource_h", Long, true, "hash of the resource type"),
    derived("session_place", Int, false, "accesses since the session began, this one included"),
    derived("repeat_patient", Flag, false, "same patient as the user's previous access"),
    derived("since_sign_in_ms", Long, true, "time since the user's last successful sign-in"),
    derived("odd_sign_in", Flag, false, "an odd sign-in happened within the last 12 hours"),
    derived("two_places", Flag, false, "another workstation was in use within the last 5 minutes"),
    derived(
        "place_returned",
        Flag,
        false,
        "back at a workstation that was left for another within the last 5 minutes, or at one whose sign-in is older than an \
         access elsewhere within the last hour",
    ),
    derived(
        "charted_after",
        Flag,
        false,
        "the user wrote to this patient's record within the grace (relation resolved)",
    ),
    derived("explained_later", Flag, false, "a reason became known that was not known at first (relation resolved)"),
];

/// Columns that the seal adds to sign-ins.
pub(crate) const AUTH: &[Column] = &[
    derived("distance_km", Long, true, "distance from the last sign-in whose place is known; VPNs have none"),
    derived("speed_kmh", Long, true, "speed that distance would take"),
    derived("failures_before", Int, false, "failed sign-ins in a row before this event"),
    derived("denials_before", Int, false, "denied or ignored challenges within the last 10 minutes"),
    derived("device_h", Long, true, "hash of the device key"),
    derived("address_h", Long, true, "hash of the address key"),
    derived("odd", Flag, false, "a successful sign-in from a new country, or a new device outside the house"),
];

/// What the seal adds to a stream, apart from what was seen before.
pub(crate) fn added(stream: Stream) -> &'static [Column] {
    match stream {
        Stream::Access => ACCESS,
        Stream::Auth => AUTH,
    }
}

/// The columns window SQL sees of a stream.
pub(crate) fn derived_schema(stream: Stream, seen: &[SeenSpec]) -> SchemaRef {
    let schema = stream.schema();
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.extend(COMMON.iter().chain(added(stream)).map(Column::field));
    for seen in seen.iter().filter(|seen| seen.relation == stream.name()) {
        fields.push(field(&format!("{}_new", seen.name), Flag, false));
        fields.push(field(&format!("{}_age_days", seen.name), Int, true));
    }
    Arc::new(Schema::new(fields))
}

/// What a column that window SQL sees of a stream means; none where something else than the seal gives it.
pub(crate) fn meaning(stream: Stream, seen: &[SeenSpec], column: &str) -> Option<String> {
    let mut known = ENVELOPE.iter().chain(stream.columns()).chain(COMMON).chain(added(stream));
    if let Some(known) = known.find(|known| known.name == column) {
        return Some(known.meaning.to_owned());
    }
    seen.iter().filter(|seen| seen.relation == stream.name()).find_map(
        |SeenSpec { name, column: of, horizon, .. }| match column.strip_prefix(name.as_str())? {
            "_new" => Some(format!("the user's first event with this {of} within {horizon}")),
            "_age_days" => Some(format!("days since the user's event before with this {of}")),
            _ => None,
        },
    )
}

/// A tick's rows in their one order: (user, event time, event id, topic, offset, part).
pub(crate) struct SortedTick {
    /// Rows of each stream, in that order; absent where the stream has none.
    pub(crate) streams: Vec<Option<RecordBatch>>,
    /// The merged order: stream and row in its batch.
    pub(crate) sequence: Vec<(Stream, usize)>,
}

/// Sorts the rows of a tick. `rows` holds each topic's rows with the stream it carries.
pub(crate) fn sort_tick(rows: &[(TopicId, Stream, Vec<OpenRow>)]) -> Result<SortedTick> {
    struct Key<'a> {
        user: &'a str,
        time: Timestamp,
        id: &'a str,
        topic: TopicId,
        offset: Offset,
        part: i32,
        stream: Stream,
        source: (usize, usize),
    }
    let mut batches: Vec<Vec<&RecordBatch>> = vec![Vec::new(); Stream::ALL.len()];
    let mut known: HashMap<*const RecordBatch, usize> = HashMap::new();
    let mut keys = Vec::new();
    for (topic, stream, rows) in rows {
        for row in rows {
            let list = &mut batches[*stream as usize];
            let place = *known.entry(Arc::as_ptr(&row.batch)).or_insert_with(|| {
                list.push(row.batch.as_ref());
                list.len() - 1
            });
            let columns = row.batch.columns();
            keys.push(Key {
                user: columns[5].as_string::<i32>().value(row.row),
                time: Timestamp::from_millis(columns[3].as_primitive::<TimestampMillisecondType>().value(row.row)),
                id: columns[4].as_string::<i32>().value(row.row),
                topic: *topic,
                offset: row.offset,
                part: row.part,
                stream: *stream,
                source: (place, row.row),
            });
        }
    }
    keys.sort_unstable_by(|a, b| {
        let order = |key: &Key<'_>| (key.topic, key.offset, key.part);
        (a.user, a.time, a.id).cmp(&(b.user, b.time, b.id)).then_with(|| order(a).cmp(&order(b)))
    });
    let mut indices: Vec<Vec<(usize, usize)>> = vec![Vec::new(); Stream::ALL.len()];
    let mut sequence = Vec::with_capacity(keys.len());
    for key in &keys {
        let list = &mut indices[key.stream as usize];
        sequence.push((key.stream, list.len()));
        list.push(key.source);
    }
    let streams = batches.iter().zip(&indices).map(|(batches, indices)| {
        let some = !indices.is_empty();
        some.then(|| interleave_record_batch(batches, indices)).transpose()
    });
    Ok(SortedTick { streams: streams.collect::<std::result::Result<_, _>>()?, sequence })
}

#[cfg(test)]
mod tests;
