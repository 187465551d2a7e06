use super::*;

/// What the Arrow schema in a footer is written in.
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[test]
fn a_bit_that_turned_in_what_a_file_says_of_its_columns_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.parquet");
    let columns =
        schema(&[("time", time_type(), true), ("count", DataType::Int64, false), ("id", DataType::Utf8, true)]);
    write(&path, &columns, &[RecordBatch::new_empty(Arc::clone(&columns))], &Footer::new()).unwrap();
    assert_eq!(read(&path).unwrap().row_count(), 0);
    let whole = fs::read(&path).unwrap();
    // The schema begins with the mark of a message, all of whose bits are set.
    let mark = b"/////";
    let from = whole.windows(mark.len()).position(|bytes| bytes == mark).unwrap();
    let letters = whole[from..].iter().map_while(|byte| BASE64.iter().position(|letter| letter == byte));
    let (mut damaged, mut not_made_out) = (0, 0);
    for (place, letter) in letters.enumerate() {
        for bit in 0..6 {
            let (turned, mut bytes) = (dir.path().join("turned.parquet"), whole.clone());
            bytes[from + place] = BASE64[letter ^ (1 << bit)];
            fs::write(&turned, bytes).unwrap();
            // What is no part of a type may turn without a word.
            for error in [read(&turned).err(), footer(&turned).err()].into_iter().flatten() {
                assert_eq!(error.kind(), base::Kind::Corrupt, "{error}");
                damaged += 1;
                not_made_out += usize::from(error.to_string().contains("cannot be made out"));
            }
        }
    }
    assert!(damaged > not_made_out && not_made_out > 0, "{damaged} damaged, {not_made_out} not made out");
}
