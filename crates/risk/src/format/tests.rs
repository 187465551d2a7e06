use base::{Kind, Seed};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::synthetic::{batch, config, model, provenance, specs, table};
use crate::train;

/// The file of a model small enough to try every byte of.
fn small() -> Vec<u8> {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let make = || {
        let table = table(400, 1);
        let config = crate::TrainingConfig { trees: 2, depth_max: 3, ..config() };
        train("tiny", &table, &specs(&table), &config, provenance()).unwrap().to_bytes()
    };
    FILE.get_or_init(make).clone()
}

/// Makes the sum right again, so that the checks behind it are reached.
fn reseal(mut bytes: Vec<u8>) -> Vec<u8> {
    let content = bytes.len() - SUM_BYTES;
    let sum = Sha256::digest(&bytes[..content]);
    bytes[content..].copy_from_slice(&sum);
    bytes
}

/// Reading ends with a refusal, or with a model that works and writes these bytes.
fn is_harmless(bytes: &[u8]) -> bool {
    match read(bytes) {
        Err(error) => error.kind() == Kind::Corrupt,
        Ok(model) => {
            let batch = batch(&table(3, 1));
            let works = match model.bind(batch.schema_ref()) {
                Ok(scorer) => scorer.score(&batch).is_ok() && scorer.explain(&batch, 0).is_ok(),
                Err(error) => error.kind() == Kind::Invalid,
            };
            works && model.to_bytes() == bytes
        }
    }
}

fn refusal(bytes: &[u8], expect: Expect) {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    expect.assert_eq(&error.to_string());
}

#[test]
fn the_file_is_as_documented() {
    let bytes = model().to_bytes();
    assert_eq!(&bytes[..12], b"CWMODEL1head");
    let header = u64::from_le_bytes(bytes[12..20].try_into().unwrap()) as usize;
    let arrays = model().forest().arrays();
    let nodes = arrays.feature.len();
    assert_eq!(bytes.len(), 8 + 7 * 12 + header + nodes * 18 + arrays.roots.len() * 4 + 32);
    let features = 20 + header;
    assert_eq!(&bytes[features..features + 4], b"feat");
    assert_eq!(bytes[features + 12..features + 14], arrays.feature[0].to_le_bytes());
    assert_eq!(read(&bytes).unwrap(), *model());
}

#[test]
fn damage_is_told() {
    let bytes = small();
    refusal(b"", expect!["model file is damaged: magic: the file does not start with CWMODEL1"]);
    refusal(b"CWMODEL1", expect!["model file is damaged: sum: 8 bytes are too few for a model"]);
    refusal(
        &bytes[..bytes.len() - 1],
        expect!["model file is damaged: sum: content and sum differ: the file is cut short or changed"],
    );
    let mut longer = bytes.clone();
    longer.splice(bytes.len() - SUM_BYTES..bytes.len() - SUM_BYTES, [0]);
    refusal(&reseal(longer), expect!["model file is damaged: end: 1 bytes too many"]);
    let mut other = bytes.clone();
    other[8..12].copy_from_slice(b"tail");
    refusal(&reseal(other), expect!["model file is damaged: head: section `tail` stands in its place"]);
    let mut vast = bytes.clone();
    vast[12..20].fill(0xff);
    refusal(&reseal(vast), expect!["model file is damaged: head: the section is cut short"]);
}

#[test]
fn there_is_one_way_to_write_a_model() {
    let bytes = small();
    let length = u64::from_le_bytes(bytes[12..20].try_into().unwrap());
    let mut spaced = bytes[..12].to_vec();
    spaced.extend((length + 1).to_le_bytes());
    spaced.extend(b"{ ");
    spaced.extend(&bytes[21..]);
    refusal(&reseal(spaced), expect!["model file is damaged: head: the header is not written in its one form"]);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = small();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        assert!(read(&flipped).is_err(), "byte {place}");
    }
}

#[test]
fn every_flipped_byte_under_a_right_sum_is_harmless() {
    let bytes = small();
    for place in 0..bytes.len() - SUM_BYTES {
        for mask in [1 << (place % 8), 0xff] {
            let mut flipped = bytes.clone();
            flipped[place] ^= mask;
            assert!(is_harmless(&reseal(flipped)), "byte {place}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let bytes = small();
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        if end >= SUM_BYTES {
            assert!(read(&reseal(bytes[..end].to_vec())).is_err(), "cut at {end} under a right sum");
        }
    }
}

/// Deep nesting must not overflow the stack of whoever loads the file.
#[test]
fn a_deeply_nested_header_is_refused() {
    let mut bytes = MAGIC.to_vec();
    section(&mut bytes, "head", &vec![b'['; 1 << 20]);
    bytes.extend([0; SUM_BYTES]);
    assert!(read(&reseal(bytes)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(is_harmless(&bytes));
        let mut sealed = MAGIC.to_vec();
        sealed.extend(&bytes);
        sealed.extend([0; SUM_BYTES]);
        prop_assert!(is_harmless(&reseal(sealed)));
    }

    #[test]
    fn many_changes_under_a_right_sum_are_harmless(seed: u64, changes in 1_u64..20) {
        let mut bytes = small();
        for change in 0..changes {
            let draw = Seed(seed).index(change).0;
            // Half of the changes go to the arrays, which are the smaller part of a small file.
            let length = bytes.len() as u64 - SUM_BYTES as u64;
            let place = if draw & 1 == 0 { length - 1 - (draw >> 9) % (length / 8) } else { (draw >> 9) % length };
            bytes[place as usize] = (draw >> 1) as u8;
        }
        prop_assert!(is_harmless(&reseal(bytes)));
    }
}
