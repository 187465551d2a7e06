//! Who acted, and when, in a record as it came: what giving a record its user's key needs.
//!
//! It reads each format with the very code that decodes it, so the user found here is the one a pipeline will see.
//! These are raw ids: whoever asks must keep them out of logs, metrics and error texts.

use base::Timestamp;

use super::{DecodeOptions, Format, event_time};
use crate::decode::row::Common;
use crate::json::{self, Parts};
use crate::{Fault, Record, RejectReason, Stream};
use crate::{fhir, native, ocsf};

/// One part of a record: somebody did something.
#[derive(Clone, PartialEq, Eq)]
pub struct Act {
    /// The raw id of who acted, as a decoder sees it; never blank.
    pub user: String,
    /// A patient acted, not staff.
    pub is_patient: bool,
    /// When; absent where a decoder would reject the time. What is rejected moves no watermark.
    pub time: Option<Timestamp>,
}

/// The parts of a record in order, each an act or the reason why it is none.
pub fn acts(
    stream: Stream,
    format: Format,
    record: &Record<'_>,
    options: &DecodeOptions,
) -> Vec<std::result::Result<Act, Fault>> {
    let reader = Reader { stream, format, append_time: record.append_time, options };
    let mut found = Vec::new();
    let parts = json::checked_text(record.value).and_then(json::split);
    match parts {
        Err(fault) => found.push(Err(fault)),
        Ok(Parts::One(text)) => reader.part(text, &mut found),
        Ok(Parts::Lines(lines)) => lines.into_iter().for_each(|line| reader.part(line, &mut found)),
        Ok(Parts::Elements(elements)) => elements.into_iter().for_each(|one| reader.part(one.get(), &mut found)),
    }
    found
}

struct Reader<'r> {
    stream: Stream,
    format: Format,
    append_time: Timestamp,
    options: &'r DecodeOptions,
}

impl Reader<'_> {
    fn part(&self, text: &str, found: &mut Vec<std::result::Result<Act, Fault>>) {
        match (self.format, self.stream) {
            (Format::Native, Stream::Access) => {
                found.push(native::access(text).and_then(|row| self.act(&row.common)));
            }
            (Format::Native, Stream::Auth) => found.push(native::auth(text).and_then(|row| self.act(&row.common))),
            (Format::Ocsf, _) => found.push(ocsf::auth(text).and_then(|row| self.act(&row.common))),
            (Format::Fhir, _) => match fhir::read(text) {
                Err(fault) => found.push(Err(fault)),
                Ok(fhir::Document::Event(event)) => found.push(self.fhir(&event, None)),
                Ok(fhir::Document::Bundle(entries)) => found.extend(entries.iter().map(|entry| {
                    let (_, event) = entry.event()?;
                    self.fhir(&event, entry.full_url())
                })),
            },
        }
    }

    fn fhir(&self, event: &fhir::AuditEvent<'_>, full_url: Option<&str>) -> std::result::Result<Act, Fault> {
        match self.stream {
            Stream::Access => self.act(&fhir::access(event, full_url).common),
            Stream::Auth => self.act(&fhir::auth(event, full_url).common),
        }
    }

    fn act(&self, common: &Common<'_>) -> std::result::Result<Act, Fault> {
        let user = common.user.as_ref().map(|user| user.trim()).filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| Fault::new(RejectReason::NoUser, "nobody is named as the one who acted"))?;
        let time = event_time(common, self.append_time, self.options).ok().map(|(time, _)| time);
        Ok(Act { user: user.to_owned(), is_patient: common.actor == "patient", time })
    }
}

#[cfg(test)]
mod tests;
