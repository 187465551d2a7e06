//! The columns that depend on what a user did just before, told by hand.

use arrow::array::{AsArray, BooleanArray};
use events::{DecodeOptions, Decoder, Format, Offset, PseudonymKeys, Record, Records, TopicId};

use reference::{Kind, Pins};

use super::*;
use crate::lane::fixture::spec;
use crate::seal::{derived_schema, sort_tick};
use crate::seen::Seen;
use crate::spec::SeenSpec;
use crate::walker::Walker;

/// 2026-03-23T09:00:00Z.
const START: i64 = 1_774_256_400_000;

/// A lane's memory and the ticks sealed with it, in Berlin.
struct House {
    spec: ProgramSpec,
    memory: Memory,
    reference: Reference,
}

impl House {
    fn new() -> Self {
        let spec = spec(Millis::minutes(20));
        let memory = Memory {
            facts: FastMap::default(),
            touched: BTreeSet::new(),
            seen: Seen::new(&spec.seen),
            seen_today: SeenToday::new(),
            local: LocalTime::new(berlin()),
        };
        Self { spec, memory, reference: Reference::new(berlin()) }
    }

    /// A house whose only user leaves then.
    fn left_at(ends: &str) -> Self {
        let mut house = Self::new();
        house.learn(Kind::Staff, &format!(r#"{{"user":"u","valid_from":0,"ends":"{ends}"}}"#));
        house
    }

    /// Seals records of one stream that happen so many seconds after the start, and gives the rows. The lane was restored
    /// just before.
    fn seal(&mut self, stream: Stream, records: &[(i64, &str)]) -> RecordBatch {
        for facts in self.memory.facts.values_mut() {
            *facts = serde_json::from_slice(&serde_json::to_vec(facts).unwrap()).unwrap();
        }
        let mut decoder = Decoder::new(stream, Format::Native, keys(), DecodeOptions::default()).unwrap();
        let mut raw = Records::default();
        for (offset, (seconds, rest)) in (0..).zip(records) {
            let time = START + seconds * 1_000;
            let append_time = Timestamp::from_millis(time);
            let json = format!(r#"{{"id":"{seconds}","time":{time},"user":"u",{rest}}}"#);
            let record =
                Record { offset: Offset(offset), append_time, key: None, value: Some(json.as_bytes()), headers: &[] };
            raw.push(record);
        }
        let decoded = decoder.decode(&raw);
        assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
        let mut walker = Walker::new(Millis::days(3), Millis(0), Offset(0));
        walker.walk(&Arc::new(decoded.events), None);
        let end = Timestamp::from_millis(START).floor(Millis::days(3)) + Millis::days(3);
        let sorted = sort_tick(&[(TopicId(0), stream, walker.close(end))]).unwrap();
        let (pins, genesis) = (self.reference.ends(), Pins::default());
        let known = Known { pins: &pins, genesis: &genesis, tick_end: end };
        let enrich = Enrich { spec: &self.spec, reference: &self.reference, known };
        let added = enrich.tick(&sorted, &mut self.memory).unwrap().swap_remove(stream as usize).unwrap();
        let columns = sorted.streams[stream as usize].as_ref().unwrap().columns().iter().cloned().chain(added);
        RecordBatch::try_new(derived_schema(stream, &self.spec.seen), columns.collect()).unwrap()
    }

    /// Looks accesses up once more.
    fn resolve(&self, waiting: &RecordBatch) -> RecordBatch {
        let (pins, genesis) = (self.reference.ends(), Pins::default());
        let known = Known { pins: &pins, genesis: &genesis, tick_end: Timestamp::from_millis(START) };
        resolve(&Enrich { spec: &self.spec, reference: &self.reference, known }, waiting, &self.memory.facts).unwrap()
    }

    /// A row of the reference that everybody knows from now on.
    fn learn(&mut self, kind: Kind, row: &str) {
        let next = self.reference.ends().get(kind, 0);
        self.reference.apply(kind, 0, next, Timestamp::from_millis(0), row.as_bytes(), &keys()).unwrap();
    }
}

fn berlin() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("Europe/Berlin").unwrap()
}

fn keys() -> Arc<PseudonymKeys> {
    Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap())
}

fn flags(batch: &RecordBatch, column: &str) -> Vec<bool> {
    let column: &BooleanArray = batch.column_by_name(column).unwrap().as_boolean();
    column.values().iter().collect()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<i32> {
    let column = batch.column_by_name(column).unwrap().as_primitive::<arrow::datatypes::Int32Type>();
    column.values().to_vec()
}

const AT_ONE: &str = r#""patient":"p","action":"read","outcome":"success","workstation":"one""#;
const AT_TWO: &str = r#""patient":"p","action":"read","outcome":"success","workstation":"two""#;
const AT_THREE: &str = r#""patient":"p","action":"read","outcome":"success","workstation":"three""#;
const NOWHERE: &str = r#""patient":"p","action":"read","outcome":"success""#;

#[test]
fn who_goes_back_and_forth_between_two_workstations_is_told_from_who_walks_on() {
    let walks = [(0, AT_ONE), (60, AT_TWO), (120, AT_TWO), (180, AT_THREE), (900, AT_ONE)];
    let sealed = House::new().seal(Stream::Access, &walks);
    assert_eq!(flags(&sealed, "two_places"), [false, true, false, true, false]);
    assert_eq!(flags(&sealed, "place_returned"), [false; 5]);

    // The last return comes less than five minutes after the access at the other workstation, and more than that after
    // the workstation was left.
    let returns = [(0, AT_ONE), (60, AT_TWO), (120, AT_ONE), (180, AT_ONE), (200, AT_TWO), (499, AT_ONE)];
    let sealed = House::new().seal(Stream::Access, &returns);
    assert_eq!(flags(&sealed, "two_places"), [false, true, true, false, true, true]);
    assert_eq!(flags(&sealed, "place_returned"), [false, false, true, false, true, false]);
}

/// Who walks signs in where they get to; a session that goes on without that was open behind the user's back.
#[test]
fn a_session_older_than_an_access_elsewhere_is_a_return() {
    const IN_AT_ONE: &str = r#""activity":"logon","outcome":"success","workstation":"one""#;
    const IN_AT_TWO: &str = r#""activity":"logon","outcome":"success","workstation":"two""#;
    const REFUSED_AT_ONE: &str = r#""activity":"logon","outcome":"failure","workstation":"one""#;
    let mut house = House::new();
    house.seal(Stream::Auth, &[(0, IN_AT_ONE)]);
    house.seal(Stream::Access, &[(60, AT_ONE)]);
    house.seal(Stream::Auth, &[(1_000, IN_AT_TWO)]);
    let sealed = house.seal(Stream::Access, &[(1_060, AT_TWO), (2_000, AT_ONE), (2_010, AT_ONE), (2_600, AT_TWO)]);
    assert_eq!(flags(&sealed, "place_returned"), [false, true, false, true]);

    house.seal(Stream::Auth, &[(3_000, IN_AT_ONE)]);
    assert_eq!(flags(&house.seal(Stream::Access, &[(3_060, AT_ONE)]), "place_returned"), [false], "signed in anew");
    house.seal(Stream::Auth, &[(3_100, IN_AT_TWO), (3_200, REFUSED_AT_ONE)]);
    let sealed = house.seal(Stream::Access, &[(3_500, AT_TWO), (4_000, AT_ONE), (4_000 + 3_601, AT_TWO)]);
    assert_eq!(flags(&sealed, "place_returned"), [false, true, false], "an hour later it is no going back");
}

#[test]
fn what_a_user_did_before_the_tick_counts() {
    let mut house = House::new();
    house.seal(Stream::Access, &[(0, AT_ONE), (60, AT_TWO)]);
    // An access without a workstation is at no other one.
    let sealed = house.seal(Stream::Access, &[(90, NOWHERE), (120, AT_ONE)]);
    assert_eq!(flags(&sealed, "two_places"), [false, false]);
    assert_eq!(flags(&sealed, "repeat_patient"), [true, true]);
    assert_eq!(numbers(&sealed, "session_place"), [3, 4]);
    let later = 121 + SESSION_GAP.0 / 1_000;
    assert_eq!(numbers(&house.seal(Stream::Access, &[(later, AT_ONE)]), "session_place"), [1]);
}

#[test]
fn failures_and_denied_challenges_stand_before_the_sign_in_that_follows() {
    let sealed = House::new().seal(
        Stream::Auth,
        &[
            (0, r#""activity":"logon","outcome":"failure""#),
            (5, r#""activity":"logon","outcome":"failure""#),
            (10, r#""activity":"challenge","outcome":"failure""#),
            (700, r#""activity":"challenge","outcome":"failure""#),
            (710, r#""activity":"logon","outcome":"success""#),
            (720, r#""activity":"logon","outcome":"success""#),
        ],
    );
    assert_eq!(numbers(&sealed, "failures_before"), [0, 1, 2, 2, 2, 0]);
    // The first denial is more than ten minutes old by then; a sign-in ends the row of them.
    assert_eq!(numbers(&sealed, "denials_before"), [0, 0, 0, 0, 1, 0]);
}

/// Whoever approves a push for somebody else has not made that one's device known.
#[test]
fn a_challenge_that_was_passed_makes_no_device_familiar_before_its_sign_in() {
    const PASSED: &str = r#""activity":"challenge","outcome":"success","device":"d""#;
    const SIGNED_IN: &str = r#""activity":"logon","outcome":"success","device":"d""#;
    let mut house = House::new();
    house.spec.seen.push(SeenSpec {
        name: "device".to_owned(),
        relation: "auth".to_owned(),
        column: "device_key".to_owned(),
        horizon: Millis::days(180),
    });
    house.memory.seen = Seen::new(&house.spec.seen);
    let sealed = house.seal(Stream::Auth, &[(0, PASSED), (5, SIGNED_IN), (10, PASSED), (15, SIGNED_IN)]);
    assert_eq!(flags(&sealed, "device_new"), [false, true, false, false]);
}

#[test]
fn the_last_shift_may_run_over_midnight_and_nothing_else_goes_on_after_the_end() {
    const HOUR: i64 = 3_600;
    const MIDNIGHT: i64 = 14 * HOUR;
    const FAILED: &str = r#""activity":"logon","outcome":"failure""#;
    const SIGNED_IN: &str = r#""activity":"logon","outcome":"success""#;
    let after_end = |house: &mut House, hours: &[i64]| {
        let work: Vec<_> = hours.iter().map(|hour| (MIDNIGHT + hour * HOUR, AT_ONE)).collect();
        flags(&house.seal(Stream::Access, &work), "after_end")
    };
    let mut house = House::left_at("2026-03-23");
    assert_eq!(after_end(&mut house, &[-3, -1, 0, 3, 7, 10, 11]), [false, false, false, false, false, false, true]);
    // After a pause it is no shift of the last day any more.
    assert_eq!(after_end(&mut House::left_at("2026-03-23"), &[-3, -1, 4]), [false, false, true]);
    assert_eq!(after_end(&mut House::left_at("2026-03-23"), &[0, 1, 2]), [true, true, true]);

    // Who tries to sign in does not work yet.
    for (sign_in, expected) in [(FAILED, true), (SIGNED_IN, false)] {
        let mut house = House::left_at("2026-03-23");
        house.seal(Stream::Auth, &[(MIDNIGHT - HOUR, sign_in)]);
        assert_eq!(after_end(&mut house, &[1]), [expected]);
    }
    // Who is dismissed at four in the afternoon is out at four.
    let mut house = House::left_at("2026-03-23T16:00:00");
    assert_eq!(after_end(&mut house, &[-9, -8, -7]), [false, true, true]);
}

fn longs(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<arrow::datatypes::Int64Type>().iter().collect()
}

#[test]
fn what_was_refused_touches_no_chart_and_makes_nothing_familiar() {
    const REFUSED: &str = r#""patient":"p","action":"update","outcome":"failure""#;
    const READ: &str = r#""patient":"p","action":"read","outcome":"success""#;
    const OVERRIDE: &str = r#""patient":"p","action":"read","outcome":"success","purpose":"BTG""#;
    let mut house = House::new();
    house.learn(Kind::Staff, r#"{"user":"u","valid_from":0,"patient":"p"}"#);
    let sealed = house.seal(Stream::Access, &[(0, OVERRIDE), (10, REFUSED)]);
    assert_eq!(flags(&sealed, "own_record"), [true, false]);
    assert_eq!(flags(&sealed, "explained"), [false, true]);
    assert_eq!(longs(&sealed, "patient_h").iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    let resolved = house.resolve(&sealed);
    assert_eq!(flags(&resolved, "charted_after"), [false, false]);
    assert_eq!(flags(&resolved, "explained"), [false, true]);

    let sealed = House::new().seal(Stream::Access, &[(0, REFUSED), (10, READ), (20, READ)]);
    assert_eq!(flags(&sealed, "patient_new"), [false, true, false]);
}

#[test]
fn a_reason_appeared_later_only_where_none_was_known_at_first() {
    let stay = |id: &str, patient: &str| {
        format!(
            r#"{{"id":"{id}","kind":"encounter","patient":"{patient}","user":"u","from":"2026-03-20T00:00:00Z","valid_from":0}}"#
        )
    };
    let mut house = House::new();
    house.learn(Kind::Staff, r#"{"user":"u","valid_from":0}"#);
    house.learn(Kind::Relations, &stay("1", "cared-for"));
    let opened = |patient| format!(r#""patient":"{patient}","action":"read","outcome":"success","purpose":"BTG""#);
    let opened = ["cared-for", "written-later", "never"].map(opened);
    let records: Vec<_> = (0..).zip(&opened).map(|(second, rest)| (second, rest.as_str())).collect();
    let sealed = house.seal(Stream::Access, &records);
    assert_eq!(flags(&sealed, "explained"), [true, false, false]);
    house.learn(Kind::Relations, &stay("2", "written-later"));
    let resolved = house.resolve(&sealed);
    assert_eq!(flags(&resolved, "explained"), [true, true, false]);
    assert_eq!(flags(&resolved, "explained_later"), [false, true, false]);
}

#[test]
fn travel_is_measured_between_places_that_are_known_and_no_vpns() {
    const VIENNA: &str = r#""activity":"logon","outcome":"success","lat":48.2,"lon":16.4,"network":"external""#;
    const TOKYO: &str = r#""activity":"logon","outcome":"success","lat":35.7,"lon":139.7,"network":"external""#;
    const EXIT: &str = r#""activity":"logon","outcome":"success","lat":35.7,"lon":139.7,"network":"vpn""#;
    const INSIDE: &str = r#""activity":"logon","outcome":"success","network":"internal""#;
    const SHUT_OUT: &str = r#""activity":"logon","outcome":"failure","lat":35.7,"lon":139.7,"network":"external""#;
    let travelled = |records: &[(i64, &str)]| {
        let km = longs(&House::new().seal(Stream::Auth, records), "distance_km");
        km.into_iter().map(|km| km.is_some_and(|km| km > 150)).collect::<Vec<_>>()
    };
    assert_eq!(travelled(&[(0, VIENNA), (300, INSIDE), (1_800, TOKYO)]), [false, false, true]);
    assert_eq!(travelled(&[(0, EXIT), (1_200, VIENNA), (2_000, EXIT), (2_400, VIENNA)]), [false; 4]);
    assert_eq!(travelled(&[(0, VIENNA), (300, SHUT_OUT), (600, VIENNA)]), [false; 3]);
    // Over an hour and a half, whatever came in between.
    let speed = longs(&House::new().seal(Stream::Auth, &[(0, VIENNA), (4_000, INSIDE), (5_400, TOKYO)]), "speed_kmh");
    assert!(speed[2].is_some_and(|speed| (5_500..6_500).contains(&speed)), "{speed:?}");
}

#[test]
fn neighbours_live_within_three_doors_on_the_same_street_at_another_address() {
    const READ: &str = r#""patient":"p","action":"read","outcome":"success""#;
    let lives = |theirs: &str| {
        let mut house = House::new();
        house.learn(Kind::Staff, r#"{"user":"u","valid_from":0,"address":"18 Mill Lane, Graz","household":"h"}"#);
        house.learn(Kind::Patients, &format!(r#"{{"patient":"p","valid_from":0,{theirs}}}"#));
        let sealed = house.seal(Stream::Access, &[(0, READ)]);
        (flags(&sealed, "neighbour")[0], flags(&sealed, "same_address")[0])
    };
    let at = |address: &str| lives(&format!(r#""address":"{address}""#));
    for near in ["12 Mill Lane, Graz", "24 mill lane, GRAZ", "Mill Lane 19a/3, 8010 Graz", "18/2 Mill Lane, Graz"] {
        assert_eq!(at(near), (true, false), "{near}");
    }
    for far in [
        "11 Mill Lane, Graz",
        "25 Mill Lane, Graz",
        "18 Mill Lane, Linz",
        "18 Mill Road, Graz",
        "Mill Lane, Graz",
        "18",
    ] {
        assert_eq!(at(far), (false, false), "{far}");
    }
    assert_eq!(at("18 Mill Lane,  Graz"), (false, true), "the same home");
    assert_eq!(lives(r#""address":"20 Mill Lane, Graz","household":"h""#), (false, false), "the same household");
    for given in [
        r#""street":"Mill Lane (Graz)","house_number":20"#,
        r#""street":"Mill Lane, Graz","house_number":"20a-22""#,
        r#""street":"Elm Road, Graz","house_number":"none","address":"20 Mill Lane, Graz""#,
    ] {
        assert_eq!(lives(given), (true, false), "{given}");
    }
    assert_eq!(lives(r#""street":"Mill Lane","house_number":20"#), (false, false), "in another town, as far as known");
}

#[test]
fn either_half_of_the_reference_knows_whose_chart_is_the_users_own() {
    const READ: &str = r#""patient":"p","action":"read","outcome":"success""#;
    let who = |staff: &str, patient: &str| {
        let mut house = House::new();
        house.learn(Kind::Staff, staff);
        house.learn(Kind::Patients, patient);
        let sealed = house.seal(Stream::Access, &[(0, READ)]);
        (flags(&sealed, "own_record")[0], flags(&sealed, "colleague")[0])
    };
    let (unlinked, linked) = (r#"{"user":"u","valid_from":0}"#, r#"{"user":"u","valid_from":0,"patient":"p"}"#);
    let of = |user: &str| format!(r#"{{"patient":"p","valid_from":0,"staff_user":"{user}"}}"#);
    assert_eq!(who(unlinked, &of("u")), (true, false));
    assert_eq!(who(linked, r#"{"patient":"p","valid_from":0}"#), (true, false));
    assert_eq!(who(unlinked, &of("another")), (false, true));
    // Under another of the user's names.
    assert_eq!(who(r#"{"user":"chief","names":["u"],"valid_from":0}"#, &of("chief")), (true, false));
}
