use base::Timestamp;

use super::RecordFile;
use crate::table::read;

#[test]
fn a_file_reads_back_in_the_order_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.parquet");
    let mut file = RecordFile::create(&path).unwrap();
    for (time, key, value) in [(1_000, "b", r#"{"n":1}"#), (999, "a", r#"{"n":2}"#)] {
        file.add(Timestamp::from_millis(time), key, value.as_bytes()).unwrap();
    }
    assert!(!path.exists(), "a file has its name only when it is complete");
    file.finish().unwrap();
    let table = read(&path).unwrap();
    let batch = &table.batches[0];
    let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
    assert_eq!(table.times(batch, "time").unwrap(), [1_000, 999].map(Timestamp::from_millis));
    assert_eq!(table.texts(batch, "key").unwrap(), some(["b", "a"]));
    assert_eq!(table.texts(batch, "value").unwrap(), some([r#"{"n":1}"#, r#"{"n":2}"#]));
}
