//! Findings in and out of an archive: exact bytes, in the one order that does not depend on who ran what when.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use base::{Digest, Timestamp};
use engine::ports::LaneId;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::layout::{self, FINDINGS};
use crate::listing::Lanes;
use crate::read;

/// A finding as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedFinding {
    /// The tick it was told at.
    pub tick_end: Timestamp,
    /// The lane.
    pub lane: LaneId,
    /// Its place within the tick, from 0.
    pub ordinal: i64,
    /// Its id.
    pub id: String,
    /// The exact bytes that were sent.
    pub value: Vec<u8>,
}

impl ArchivedFinding {
    pub(crate) fn order(&self) -> (Timestamp, LaneId, i64) {
        (self.tick_end, self.lane, self.ordinal)
    }
}

/// The id in a finding's own JSON; empty if it has none.
pub(crate) fn finding_id(value: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(value).ok();
    let id = parsed.as_ref().and_then(|value| value.pointer("/metadata/uid")?.as_str());
    id.unwrap_or_default().to_owned()
}

/// Every archived finding, by (tick end, lane, ordinal); at one tick and lane those of watches come last.
pub fn read_findings(dir: &Path) -> Result<Vec<ArchivedFinding>> {
    let mut findings = findings_of(&Lanes::of(dir)?)?;
    findings.extend(findings_of(&Lanes::of(&dir.join(layout::WATCHES))?)?);
    findings.sort_by_key(|finding| (finding.tick_end, finding.lane));
    Ok(findings)
}

/// Those of some lanes, by (tick end, lane, ordinal).
pub(crate) fn findings_of(Lanes { dir, runs }: &Lanes) -> Result<Vec<ArchivedFinding>> {
    let mut findings = Vec::new();
    for run in runs.values().flatten() {
        let Some(table) = read::stream(dir, run, FINDINGS)? else { continue };
        for batch in &table.batches {
            let ends = table.times(batch, "tick_end")?;
            let ordinals = table.longs(batch, "ordinal")?;
            let (ids, values) = (table.texts(batch, "id")?, table.texts(batch, "value")?);
            for (((tick_end, ordinal), id), value) in ends.into_iter().zip(ordinals).zip(ids).zip(values) {
                let (id, value) = (id.unwrap_or_default(), value.unwrap_or_default().into_bytes());
                findings.push(ArchivedFinding { tick_end, lane: run.lane, ordinal, id, value });
            }
        }
    }
    findings.sort_by_key(ArchivedFinding::order);
    Ok(findings)
}

/// Writes findings, one a line, in the order given, and answers with the SHA-256 of what was written: a pipe or a device
/// cannot be read back.
pub fn write_findings(findings: &[ArchivedFinding], path: &Path) -> Result<Digest> {
    let file = File::create(path).map_err(Error::disk(path, "creating it"))?;
    let (mut out, mut digest) = (BufWriter::new(file), Sha256::new());
    for finding in findings {
        for part in [finding.value.trim_ascii_end(), b"\n".as_slice()] {
            digest.update(part);
            out.write_all(part).map_err(Error::disk(path, "writing it"))?;
        }
    }
    out.flush().map_err(Error::disk(path, "writing it"))?;
    Ok(Digest(digest.finalize().into()))
}

#[cfg(test)]
mod tests;
