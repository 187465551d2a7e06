//! Shares of several lanes against plain counts over all of them, and lanes that tell them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{Field, Float64Type, Int64Type, Schema};
use base::Digest;
use proptest::prelude::*;

use super::*;
use crate::lane::fixture::{PEERS_DAYS, compiled, spec, sql, with_visitors};

const LANES: u32 = 3;
/// 2026-03-27T23:00:00Z, midnight in the house; the clocks go forward in the night to the 29th.
const MIDNIGHT: i64 = 1_774_652_400_000;

/// The end of the so many-th day.
fn day(number: i64) -> Timestamp {
    let short = if number > 1 { Millis::hours(1) } else { Millis(0) };
    Timestamp::from_millis(MIDNIGHT) + Millis::days(number) - short
}

fn program() -> Arc<Program> {
    compiled(spec(Millis::minutes(20)))
}

fn digests(sql: u8) -> Digests {
    let digest = Digest([7; 32]);
    Digests { spec: digest, reading: digest, sql: Digest([sql; 32]), model: digest, engine: "test".to_owned() }
}

/// What a lane tells of a day on which its users had so many accesses each.
fn share(program: &Program, sql: u8, users: &[i64]) -> Vec<u8> {
    let plans = program.plans().unwrap();
    let plan = plans.baselines.iter().find_map(BaselinePlan::shared).unwrap();
    let schema = plans.groups[plan.group].result_schema();
    let column = |field: &Field| -> ArrayRef {
        match field.name().as_str() {
            "user_key" => Arc::new((0..users.len()).map(|n| Some(format!("u{n}"))).collect::<StringArray>()),
            "events" => Arc::new(Int64Array::from(users.to_vec())),
            _ => new_null_array(field.data_type(), users.len()),
        }
    };
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let columns = fields.iter().map(column).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let states = plan.states.partial(vec![rows]).unwrap();
    sections::write(&[(format!("{}peers", prefix(&digests(sql))), &states)]).unwrap()
}

/// By role: person-days, accesses, the middle.
type Facts = Vec<(String, i64, i64, f64)>;

fn shown(facts: &[RecordBatch]) -> Facts {
    let [facts] = facts else { panic!("{} baselines", facts.len()) };
    let roles = facts.column(0).as_string::<i32>();
    let (days, events) = (facts.column(1).as_primitive::<Int64Type>(), facts.column(2).as_primitive::<Int64Type>());
    let middle = facts.column(3).as_primitive::<Float64Type>();
    (0..facts.num_rows())
        .map(|row| (roles.value(row).to_owned(), days.value(row), events.value(row), middle.value(row)))
        .collect()
}

fn expected(users: impl Iterator<Item = i64>) -> Facts {
    let mut by_role: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    users.for_each(|events| by_role.entry(if events % 2 == 0 { "even" } else { "odd" }).or_default().push(events));
    let facts = |(role, mut events): (&str, Vec<i64>)| {
        events.sort_unstable();
        let (low, high) = (events[(events.len() - 1) / 2], events[events.len() / 2]);
        (role.to_owned(), events.len() as i64, events.iter().sum(), (low + high) as f64 / 2.0)
    };
    by_role.into_iter().map(facts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn facts_are_those_of_all_lanes_within_the_days_whatever_comes_first(
        users in prop::collection::vec(prop::collection::vec(prop::collection::vec(1i64..40, 0..4), 6..=6), 3..=3),
        turns in prop::collection::vec(0..LANES, 30),
    ) {
        let program = program();
        let mut shared = SharedFacts::new(&program, &digests(1), LANES).unwrap();
        let mut next = [0usize; LANES as usize];
        let mut asked = 0;
        for lane in turns.into_iter().chain((0..LANES).cycle().take(30)) {
            let number = next[lane as usize];
            let Some(events) = users[lane as usize].get(number) else { continue };
            next[lane as usize] += 1;
            // Of other definitions: it counts for nothing, and the lane has not spoken.
            shared.take(lane, day(number as i64), &share(&program, 2, events)).unwrap();
            prop_assert!(shared.of(day(number as i64)).is_none());
            shared.take(lane, day(number as i64), &share(&program, 1, events)).unwrap();
            while asked < *next.iter().min().unwrap() {
                let newest = day(asked as i64);
                prop_assert_eq!(shared.silent(newest), Vec::<u32>::new());
                let days = (asked + 1).saturating_sub(PEERS_DAYS as usize)..=asked;
                let within = users.iter().flat_map(|lane| lane[days.clone()].iter().flatten().copied());
                prop_assert_eq!(shown(shared.of(newest).unwrap()), expected(within));
                asked += 1;
            }
            let behind: Vec<u32> = (0..).zip(&next).filter(|(_, next)| **next <= asked).map(|(lane, _)| lane).collect();
            prop_assert_eq!(shared.silent(day(asked as i64)), behind);
        }
        prop_assert_eq!(asked, 6);
        // A day told again, otherwise: it is in what that day and the next come to.
        shared.take(1, day(4), &share(&program, 1, &[50, 51])).unwrap();
        for newest in [4, 5] {
            let days = newest + 1 - PEERS_DAYS as usize..=newest;
            let of = |lane: usize, day: usize| if (lane, day) == (1, 4) { vec![50, 51] } else { users[lane][day].clone() };
            let within = (0..LANES as usize).flat_map(|lane| days.clone().flat_map(move |day| of(lane, day)));
            prop_assert_eq!(shown(shared.of(day(newest as i64)).unwrap()), expected(within));
        }
    }
}

#[test]
fn what_no_lane_looks_at_any_more_is_dropped() {
    let program = program();
    let mut shared = SharedFacts::new(&program, &digests(1), 1).unwrap();
    for number in 0..40 {
        shared.take(0, day(number), &share(&program, 1, &[3])).unwrap();
    }
    let kept = (PEERS_DAYS + SHARED_DAYS_SPARE + 1) as usize;
    let (told, facts) = (shared.told[0].len(), shared.facts.len());
    assert!(told <= kept && facts <= kept, "{told} days told, {facts} worked out");
    let error = shared.take(1, day(40), &share(&program, 1, &[3])).unwrap_err().to_string();
    assert!(error.contains("lane 1 told a share, but there are 1 lanes"), "{error}");
}

#[test]
fn what_a_lane_that_is_away_will_need_is_kept_until_it_is_back_and_counted() {
    let program = program();
    let mut shared = SharedFacts::new(&program, &digests(1), 2).unwrap();
    let mut take = |lane, number| {
        shared.take(lane, day(number), &share(&program, 1, &[3])).unwrap();
        shared.byte_count()
    };
    let usual = (0..40).flat_map(|number| [(0, number), (1, number)]).map(|(lane, number)| take(lane, number)).last();
    let away = (40..80).map(|number| take(0, number)).last();
    assert!(away > usual.map(|usual| 2 * usual), "{usual:?} bytes, then {away:?}");
    let back = (40..80).map(|number| take(1, number)).last();
    assert_eq!(back, usual);
}

/// The one thing that is wrong with a pipeline, and the hint.
fn problem(spec: crate::spec::ProgramSpec) -> String {
    let problems = Program::compile(spec).unwrap_err();
    match problems.as_slice() {
        [Error::Sql { problem, hint, .. }] => format!("{problem}; {}", hint.clone().unwrap_or_default()),
        [other] => other.to_string(),
        problems => panic!("{problems:?}"),
    }
}

#[test]
fn what_cannot_be_known_of_entities_is_refused_with_a_hint() {
    let refused = |change: &dyn Fn(&mut BaselineSpec, &mut WindowSpec)| {
        let mut spec = with_visitors(spec(Millis::minutes(20)));
        change(spec.baselines.last_mut().unwrap(), spec.windows.last_mut().unwrap());
        problem(spec)
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let strange = refused(&|baseline, _| {
        baseline.keys = keys(&["patient_key", "ward"]);
        baseline.sql = sql("SELECT patient_key, CASE WHEN events > 3 THEN 'w' ELSE 'v' END AS ward, count(*) AS n \
             FROM visits_days GROUP BY patient_key, ward");
    });
    assert!(
        strange.contains("baseline `visitors`: no stream has the text columns [\"patient_key\", \"ward\"]"),
        "{strange}"
    );
    let number = refused(&|baseline, _| {
        baseline.sql = sql("SELECT events AS patient_key, count(*) AS n FROM visits_days GROUP BY events");
    });
    assert!(number.contains("the key `patient_key` must be a Utf8 text, but is Int64; select the column"), "{number}");
    let cast = refused(&|baseline, _| {
        baseline.sql =
            sql("SELECT arrow_cast(events, 'Utf8') AS patient_key, count(*) AS n FROM visits_days GROUP BY events");
    });
    assert!(cast.contains("it is not grouped by the keys [\"patient_key\"] as texts: `events` is Int64"), "{cast}");
    let mut taken = with_visitors(spec(Millis::minutes(20)));
    let baseline = taken.baselines.last_mut().unwrap();
    baseline.name = "patient".to_owned();
    baseline.sql = sql("SELECT patient_key, count(*) AS new FROM visits_days GROUP BY patient_key");
    // Under its new name nothing asks for it.
    let pair = taken.windows.iter_mut().find(|window| window.name == "pair").unwrap();
    pair.sql = sql("SELECT user_key, patient_key, count(*) AS events, count(*) AS visits FROM access \
         WHERE patient_key IS NOT NULL GROUP BY user_key, patient_key");
    let taken = problem(taken);
    assert!(taken.contains("baseline `patient`: `access` has a column `patient_new` already"), "{taken}");
    let itself = refused(&|_, visits| {
        visits.sql = sql(
            "SELECT user_key, patient_key, max(visitors_events) AS events FROM access GROUP BY user_key, patient_key",
        );
    });
    assert!(itself.contains("unknown column `visitors_events`"), "{itself}");
    let unread = refused(&|_, visits| visits.days = false);
    assert!(unread.contains("window `visits` has no sizes and keeps no days"), "{unread}");
    let sized = refused(&|_, visits| {
        visits.keys = keys(&["user_key", "session_key"]);
        visits.sizes = vec![crate::spec::WindowSize { size: Millis::hours(1), hop: Millis::minutes(5) }];
    });
    assert!(sized.contains("without sizes `user_key` and another key, not [\"user_key\", \"session_key\"]"), "{sized}");
}

#[test]
fn what_cannot_be_shared_is_refused_with_a_hint() {
    let mut misfit = spec(Millis::minutes(20));
    misfit.baselines.last_mut().unwrap().keys = vec!["role".to_owned(), "local_hour".to_owned()];
    let told = Program::compile(misfit).unwrap_err().remove(0).to_string();
    assert!(told.contains("baseline `peers`: keys are `user_key`") && told.contains("\"shift\""), "{told}");
    let mut own = spec(Millis::minutes(20));
    own.baselines[0].rows = true;
    let told = Program::compile(own).unwrap_err().remove(0).to_string();
    assert!(told.contains("baseline `own`: `rows` is for what all lanes share"), "{told}");
    let refused = |text: &str| {
        let mut spec = spec(Millis::minutes(20));
        spec.baselines.last_mut().unwrap().sql = sql(text);
        problem(spec)
    };
    let joined =
        refused("SELECT 'a' AS role, count(*) AS n FROM access_days a JOIN new_days b ON a.user_key = b.user_key");
    assert!(joined.contains("is over one of `access_days`, `pair_score_days`, not"), "{joined}");
    let unknown = refused("SELECT role, count(*) AS n FROM acces_days GROUP BY role");
    assert!(unknown.contains("[\"acces_days\"]"), "{unknown}");
    let ago = refused("SELECT 'a' AS role, count(*) AS n FROM access_days WHERE days_ago < 3 GROUP BY role");
    assert!(ago.contains("unknown column `days_ago`"), "{ago}");
    let keys = refused("SELECT 'a' AS unit, count(*) AS n FROM access_days GROUP BY unit");
    assert!(keys.contains("the first columns must be the keys [\"role\"]"), "{keys}");
    let float = refused("SELECT 'a' AS role, avg(events * 0.5) AS n FROM access_days GROUP BY role");
    assert!(float.contains("depends on the order of rows"), "{float}");
}
