//! What the hospital writes is taken whole by those who read it: no event and no row is rejected, no word unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Millis, Seed};
use events::{DecodeOptions, Decoder, Format, Offset, PseudonymKeys, Record, Records};
use reference::{Kind, Reference};

use super::{Played, json, play, small};
use crate::{HospitalConfig, Site, Stream};

fn sites() -> Vec<Site> {
    let drawn = (1..5).map(|seed| Site::draw(Seed(seed)));
    std::iter::once(Site::small()).chain(drawn).collect()
}

fn played(site: Site) -> Played {
    play(HospitalConfig { site, staff: 80, days: 6, ..small(31) })
}

fn keys() -> Arc<PseudonymKeys> {
    Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|place| place as u8)).unwrap())
}

#[test]
fn every_event_is_decoded() {
    for site in sites() {
        let played = played(site);
        for (stream, ours) in [(events::Stream::Access, Stream::Access), (events::Stream::Auth, Stream::Auth)] {
            let mut records = Records::default();
            for (offset, item) in played.items().filter(|item| item.stream == ours).enumerate() {
                records.push(Record {
                    offset: Offset(offset as i64),
                    append_time: item.time + Millis::seconds(2),
                    key: Some(item.user.as_bytes()),
                    value: Some(&item.json),
                    headers: &[],
                });
            }
            let mut decoder = Decoder::new(stream, Format::Native, keys(), DecodeOptions::default()).unwrap();
            let decoded = decoder.decode(&records);
            assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects.first());
            assert_eq!(decoded.events.num_rows(), records.len());
            assert_eq!(decoded.zone_missing, 0);
        }
    }
}

#[test]
fn every_row_is_taken() {
    for site in sites() {
        let played = played(site);
        let (mut reference, keys) = (Reference::new(jiff::tz::TimeZone::UTC), keys());
        for (offset, row) in played.rows().enumerate() {
            let kind = [Kind::Staff, Kind::Patients, Kind::Relations].into_iter().find(|kind| kind.name() == row.kind);
            let taken = reference.apply(kind.unwrap(), 0, Offset(offset as i64), row.time, &row.json, &keys);
            assert!(taken.is_ok(), "{taken:?} {}", String::from_utf8_lossy(&row.json));
        }
        assert_eq!(reference.counts().repeats, 0);
    }
}

#[test]
fn words_are_the_canonical_ones() {
    let known = [
        ("action", "search read create update delete print export override disclose"),
        ("outcome", "success failure"),
        ("activity", "logon logoff challenge"),
        ("factor", "password push otp hardware webauthn biometric sms"),
        ("actor", "human system"),
    ];
    for item in played(Site::small()).items() {
        let value = json(&item.json);
        for (field, words) in known {
            let words: BTreeSet<&str> = words.split(' ').collect();
            assert!(value[field].as_str().is_none_or(|word| words.contains(word)), "{value}");
        }
    }
}
