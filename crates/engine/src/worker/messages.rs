//! Records that leave in a transaction, as bytes: rows, findings, the journal.

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use base::Timestamp;
use features::JournalRecord;
use findings::Finding;

use crate::error::{Error, Result};
use crate::invariants;
use crate::limits::RESULT_BYTES_MAX;
use crate::ports::{Message, Transaction};

/// Rows as results records: a batch account touches more charts within a step than one record can hold. They are cut by
/// the number of columns alone, so that everybody cuts alike.
pub(crate) fn rows_messages(stream: &str, end: Timestamp, rows: &RecordBatch) -> Result<Vec<Message>> {
    /// Two pseudonyms, and a number in each column, roughly.
    const KEYS: usize = 200;
    const NUMBER: usize = 9;
    let most = (RESULT_BYTES_MAX / (KEYS + rows.num_columns() * NUMBER)).max(1);
    let pieces = (0..rows.num_rows()).step_by(most).map(|from| rows.slice(from, most.min(rows.num_rows() - from)));
    let message = |piece: RecordBatch| {
        let mut value = Vec::new();
        let mut writer = StreamWriter::try_new(&mut value, &piece.schema())?;
        writer.write(&piece)?;
        writer.finish()?;
        drop(writer);
        Ok(Message { key: result_key(stream, end), value, headers: Vec::new() })
    };
    pieces.map(message).collect()
}

/// Puts findings into a transaction: for those who read findings, and among the results.
pub(crate) fn tell_findings(findings: &[Finding], open: &mut Transaction) -> Result<()> {
    for finding in findings {
        invariants::pseudonymous(&finding.subject).map_err(Error::Law)?;
        let (id, value) = (finding.id.clone().into_bytes(), finding.bytes.clone());
        let key = result_key("findings", finding.tick_end);
        open.results.push(Message { key, value: value.clone(), headers: Vec::new() });
        open.findings.push(Message { key: id, value, headers: Vec::new() });
    }
    Ok(())
}

/// Key of a results record: what it holds and for which tick.
fn result_key(stream: &str, end: Timestamp) -> Vec<u8> {
    format!("{stream}/{}", end.millis()).into_bytes()
}

/// Key and value of a journal record.
pub(crate) fn journal_entry(record: &JournalRecord) -> Result<(Vec<u8>, Vec<u8>)> {
    let value = serde_json::to_vec(record).map_err(|error| Error::Law(format!("journal: {error}")))?;
    Ok((record.sequence.to_string().into_bytes(), value))
}
