//! Nothing that identifies a person leaves: neither by the front door (findings, archive, ledger) nor by a side door
//! (metrics, log, receipts).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use chartwarden_tests::played::files;
use chartwarden_tests::side_doors::{RawIds, leak};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::metrics::watched;

/// Every user and patient of the simulated hospital, as its own systems spell them.
fn raw_ids(truth: &Path) -> RawIds {
    let mut ids = RawIds::new();
    for line in fs::read_to_string(truth.join("truth.ndjson")).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        ids.extend(["user", "patient"].iter().filter_map(|name| row[name].as_str()).map(str::to_owned));
    }
    ids
}

/// Looks at every text of a Parquet file; says how many there were.
fn search_columns(file: &Path, ids: &RawIds) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
    let mut texts = 0;
    for batch in reader {
        let batch = batch.unwrap();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let found = match field.data_type() {
                DataType::Utf8 => column.as_string::<i32>().iter().flatten().find_map(|text| {
                    texts += 1;
                    leak(text.as_bytes(), ids)
                }),
                DataType::Binary => column.as_binary::<i32>().iter().flatten().find_map(|bytes| {
                    texts += 1;
                    leak(bytes, ids)
                }),
                _ => None,
            };
            assert_eq!(found, None, "column `{}` of {}", field.name(), file.display());
        }
    }
    texts
}

#[test]
fn no_raw_id_leaves_by_any_door() {
    let played = &watched().played;
    let (data, mut looked) = (played.data(), BTreeMap::<String, usize>::new());
    let ids = raw_ids(&data.join("truth"));
    assert!(ids.len() > 1_000, "{} raw ids", ids.len());
    // What is searched for would be found.
    let (user, patient) = (ids.first().unwrap(), ids.last().unwrap());
    assert_eq!(leak(format!("x{user}: {patient}.").as_bytes(), &ids), Some(patient.as_str()));
    for file in files(&data) {
        let inner = file.strip_prefix(&data).unwrap();
        let door = inner.iter().next().unwrap().to_string_lossy().into_owned();
        // What only the simulator knows, and the pipeline's own files.
        if door == "truth" || door == "pipeline" {
            continue;
        }
        let count = if file.extension().is_some_and(|end| end == "parquet") {
            search_columns(&file, &ids)
        } else {
            assert_eq!(leak(&fs::read(&file).unwrap(), &ids), None, "{}", file.display());
            1
        };
        *looked.entry(door).or_default() += count;
    }
    for door in ["archive", "findings.ndjson", "ledger", "openings", "receipts", "metrics.prom"] {
        assert!(looked.get(door).is_some_and(|count| *count > 0), "nothing was looked at in {door}: {looked:?}");
    }
    assert!(looked["archive"] > 1_000_000, "{looked:?}");
    assert_eq!(leak(played.log().as_bytes(), &ids), None, "{}", played.log());
    assert_eq!(leak(played.scraped.as_bytes(), &ids), None, "the last scrape");
}
