//! The bytes of a stored pane: named sections, each one Arrow batch as an IPC stream.

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"CWPANE01";

/// Writes sections in the order given; the same batches give the same bytes.
pub(crate) fn write(sections: &[(String, &RecordBatch)]) -> Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    for (name, batch) in sections {
        let mut body = Vec::new();
        let mut writer = StreamWriter::try_new(&mut body, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        let (name_length, body_length) = (name.len() as u8, body.len() as u32);
        bytes.push(name_length);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&body_length.to_le_bytes());
        bytes.extend_from_slice(&body);
    }
    Ok(bytes)
}

/// Reads what `write` wrote.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<(String, RecordBatch)>> {
    let damaged = |what: &str| Error::State(format!("a pane is damaged: {what}"));
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin with its magic bytes"))?;
    let mut sections = Vec::new();
    while let Some((&name_length, tail)) = rest.split_first() {
        let (name, tail) = tail.split_at_checked(usize::from(name_length)).ok_or_else(|| damaged("name cut short"))?;
        let name = std::str::from_utf8(name).map_err(|_| damaged("name is not UTF-8"))?;
        let (length, tail) = tail.split_first_chunk::<4>().ok_or_else(|| damaged("length cut short"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (body, tail) = tail.split_at_checked(length).ok_or_else(|| damaged("section cut short"))?;
        let mut reader = StreamReader::try_new(body, None)?;
        let batch = reader.next().ok_or_else(|| damaged("section without a batch"))??;
        sections.push((name.to_owned(), batch));
        rest = tail;
    }
    Ok(sections)
}
