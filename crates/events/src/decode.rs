//! The way from records to events: split a record into parts, read each by its format, judge its time, and write it
//! to columns or to the rejects.
//!
//! Every part of every record ends as exactly one row or one reject. Nothing a record holds can make this panic.
//! Read next: `native.rs`, `fhir.rs` and `ocsf.rs` (what a part says), `decode/columns.rs` (how it is kept).

mod acts;
mod columns;
mod identity;
pub(crate) mod row;

use std::sync::Arc;

use arrow::array::RecordBatch;
use base::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::json::{self, Parts};
use crate::limits::BATCH_BYTES_MAX;
use crate::{Error, Fault, Networks, Offset, PseudonymKeys, Record, Records, Reject, RejectReason, Result, Stream};
use crate::{fhir, native, ocsf};
pub use acts::{Act, acts};
use columns::{Columns, Place};
use identity::Identities;
use row::Common;

/// How the events of a topic are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Flat JSON with the names of our own columns; see `native.rs`.
    Native,
    /// HL7 FHIR AuditEvent (STU3 to R5, IHE BALP), alone, in Bundles, or one a line.
    Fhir,
    /// OCSF Authentication (class 3002).
    Ocsf,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Native, Self::Fhir, Self::Ocsf];

    /// The name used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Fhir => "fhir",
            Self::Ocsf => "ocsf",
        }
    }
}

/// What decoding needs to know beside the keys.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// How far an event's time may lie after its append time; beyond, it is a `future` reject.
    pub max_clock_skew: Millis,
    /// How far an event's time may lie before its append time; beyond, it is a `too_old` reject.
    pub max_event_age: Millis,
    /// Whether a time without zone is UTC (and counted) or a `bad_time` reject.
    pub assume_zone_utc: bool,
    /// Whether events marked as test data (HL7 `HTEST`) are decoded like others or rejected.
    pub accept_test_data: bool,
    /// The table of networks.
    pub networks: Networks,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            max_clock_skew: Millis::minutes(2),
            max_event_age: Millis::days(30),
            assume_zone_utc: true,
            accept_test_data: false,
            networks: Networks::default(),
        }
    }
}

/// What some records of one topic and lane decode to.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The events in order of (offset, part), with the schema of the stream.
    pub events: RecordBatch,
    /// The rest, in the same order.
    pub rejects: Vec<Reject>,
    /// How many records there were.
    pub record_count: usize,
    /// How many parts: rows and rejects.
    pub part_count: usize,
    /// Where to read on: right after the last record.
    pub next: Option<Offset>,
    /// How many events gave a time without zone.
    pub zone_missing: usize,
}

/// Decodes the records of one topic. It remembers pseudonyms, which changes no result, only the time it takes.
pub struct Decoder {
    stream: Stream,
    format: Format,
    ids: Identities,
    options: DecodeOptions,
}

impl Decoder {
    /// A decoder; an error if the format has nothing for the stream.
    pub fn new(stream: Stream, format: Format, keys: Arc<PseudonymKeys>, options: DecodeOptions) -> Result<Self> {
        if (stream, format) == (Stream::Access, Format::Ocsf) {
            let holds = "authentication events (class 3002)";
            return Err(Error::FormatStream { format: format.name(), stream: stream.name(), holds });
        }
        for (option, given) in [("max_clock_skew", options.max_clock_skew), ("max_event_age", options.max_event_age)] {
            if given < Millis(0) {
                return Err(Error::NegativeSpan { option, given });
            }
        }
        let ids = Identities::new(keys, options.networks.clone());
        Ok(Self { stream, format, ids, options })
    }

    /// Decodes records.
    ///
    /// # Panics
    /// If they hold more than `limits::BATCH_BYTES_MAX` bytes: whoever polls must stop before.
    pub fn decode(&mut self, records: &Records) -> Decoded {
        assert!(
            records.byte_count() <= BATCH_BYTES_MAX,
            "{} bytes of records in one call, the limit is {BATCH_BYTES_MAX}",
            records.byte_count()
        );
        let mut batch = Batch { columns: Columns::new(self.stream), rejects: Vec::new(), zone_missing: 0 };
        let mut next = None;
        for record in records.iter() {
            next = Some(record.offset.next());
            let mut walk = Walk { decoder: self, batch: &mut batch, record, part: 0 };
            let read = json::checked_text(record.value).and_then(|text| walk.document(text));
            if let Err(fault) = read {
                walk.reject(fault);
            }
        }
        let Batch { columns, rejects, zone_missing } = batch;
        let part_count = columns.len() + rejects.len();
        Decoded { events: columns.finish(), rejects, record_count: records.len(), part_count, next, zone_missing }
    }
}

struct Batch {
    columns: Columns,
    rejects: Vec<Reject>,
    zone_missing: usize,
}

/// One record on its way, part by part.
struct Walk<'w> {
    decoder: &'w mut Decoder,
    batch: &'w mut Batch,
    record: Record<'w>,
    part: i32,
}

impl Walk<'_> {
    /// A whole record. A fault here is the record's only part.
    fn document(&mut self, text: &str) -> std::result::Result<(), Fault> {
        match json::split(text)? {
            Parts::One(text) => self.part(text),
            Parts::Lines(lines) => lines.into_iter().for_each(|line| self.part(line)),
            Parts::Elements(elements) => elements.into_iter().for_each(|element| self.part(element.get())),
        }
        Ok(())
    }

    /// One document: an event, or a FHIR Bundle of them.
    fn part(&mut self, text: &str) {
        match self.read(text) {
            Ok(Read::Event) => self.part += 1,
            Ok(Read::Bundle) => {}
            Err(fault) => self.reject(fault),
        }
    }

    fn read(&mut self, text: &str) -> std::result::Result<Read, Fault> {
        match (self.decoder.format, self.decoder.stream) {
            (Format::Native, Stream::Access) => self.push_access(text, &native::access(text)?),
            (Format::Native, Stream::Auth) => self.push_auth(text, &native::auth(text)?),
            (Format::Ocsf, _) => self.push_auth(text, &ocsf::auth(text)?),
            (Format::Fhir, _) => self.fhir(text),
        }
    }

    fn fhir(&mut self, text: &str) -> std::result::Result<Read, Fault> {
        match fhir::read(text)? {
            fhir::Document::Event(event) => self.fhir_event(text, &event, None),
            fhir::Document::Bundle(entries) => {
                for entry in entries {
                    let read = entry.event().and_then(|(text, event)| self.fhir_event(text, &event, entry.full_url()));
                    match read {
                        Ok(_) => self.part += 1,
                        Err(fault) => self.reject(fault),
                    }
                }
                Ok(Read::Bundle)
            }
        }
    }

    fn fhir_event(
        &mut self,
        text: &str,
        event: &fhir::AuditEvent<'_>,
        full_url: Option<&str>,
    ) -> std::result::Result<Read, Fault> {
        if event.is_test_data() && !self.decoder.options.accept_test_data {
            return Err(Fault::new(RejectReason::TestData, "`meta.security` holds HTEST"));
        }
        match self.decoder.stream {
            Stream::Access => self.push_access(text, &fhir::access(event, full_url)),
            Stream::Auth => self.push_auth(text, &fhir::auth(event, full_url)),
        }
    }

    fn push_access(&mut self, text: &str, row: &row::AccessRow<'_>) -> std::result::Result<Read, Fault> {
        let place = self.judge(text, &row.common)?;
        self.batch.columns.push_access(place, row, &mut self.decoder.ids);
        Ok(Read::Event)
    }

    fn push_auth(&mut self, text: &str, row: &row::AuthRow<'_>) -> std::result::Result<Read, Fault> {
        let place = self.judge(text, &row.common)?;
        self.batch.columns.push_auth(place, row, &mut self.decoder.ids);
        Ok(Read::Event)
    }

    /// What an event needs to be one: somebody who acted, and a time that can be.
    fn judge<'t>(&mut self, text: &'t str, common: &Common<'_>) -> std::result::Result<Place<'t>, Fault> {
        if common.user.as_ref().is_none_or(|user| user.trim().is_empty()) {
            return Err(Fault::new(RejectReason::NoUser, "nobody is named as the one who acted"));
        }
        let append_time = self.record.append_time;
        let (event_time, zone_missing) = event_time(common, append_time, &self.decoder.options)?;
        self.batch.zone_missing += usize::from(zone_missing);
        Ok(Place { offset: self.record.offset, part: self.part, append_time, event_time, text })
    }

    fn reject(&mut self, fault: Fault) {
        let Fault { reason, detail } = fault;
        let (offset, append_time) = (self.record.offset, self.record.append_time);
        self.batch.rejects.push(Reject { offset, part: self.part, append_time, reason, detail });
        self.part += 1;
    }
}

/// When an event happened, and whether its zone was assumed; a fault where it cannot have been then.
fn event_time(
    common: &Common<'_>,
    append_time: Timestamp,
    options: &DecodeOptions,
) -> std::result::Result<(Timestamp, bool), Fault> {
    let raw = common.time.as_ref().ok_or_else(|| Fault::missing("time"))?;
    let bad_time = |detail: &str| Fault::new(RejectReason::BadTime, detail);
    let moment = raw.read(common.number_unit).ok_or_else(|| bad_time("the time cannot be read"))?;
    if moment.date_only {
        return Err(bad_time("the time is a date alone"));
    }
    if moment.zone_missing && !options.assume_zone_utc {
        return Err(bad_time("the time has no zone"));
    }
    let event_time = moment.at;
    let apart = |from: Timestamp, to: Timestamp| Millis(to.millis().saturating_sub(from.millis()));
    if event_time > append_time + options.max_clock_skew {
        let detail = format!(
            "{} after its append time, the limit is {}",
            apart(append_time, event_time),
            options.max_clock_skew
        );
        return Err(Fault::new(RejectReason::Future, detail));
    }
    if event_time < append_time - options.max_event_age {
        let detail = format!(
            "{} before its append time, the limit is {}",
            apart(event_time, append_time),
            options.max_event_age
        );
        return Err(Fault::new(RejectReason::TooOld, detail));
    }
    Ok((event_time, moment.zone_missing))
}

/// What a document turned out to be.
enum Read {
    /// One event, now a row.
    Event,
    /// A bundle whose parts are counted already.
    Bundle,
}

#[cfg(test)]
mod tests;
