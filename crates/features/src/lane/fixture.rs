//! A pipeline for tests of lanes and of lanes of watches.

use std::sync::Arc;

use base::Millis;

use crate::plan::Program;
use crate::spec::{BaselineSpec, ProgramSpec, ScoringSpec, SeenSpec, WatchSpec, WindowSize, WindowSpec};
use crate::sql::SqlText;

pub(crate) const SIZES: [(Millis, Millis); 3] = [
    (Millis::minutes(15), Millis::minutes(5)),
    (Millis::hours(1), Millis::minutes(5)),
    (Millis::hours(24), Millis::hours(1)),
];

pub(crate) fn sql(text: &str) -> SqlText {
    SqlText { file: "test.sql".to_owned(), text: text.to_owned() }
}

pub(crate) fn window(name: &str, relation: &str, keys: &[&str], text: &str, days: bool) -> WindowSpec {
    WindowSpec {
        name: name.to_owned(),
        relation: relation.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        sql: sql(text),
        sizes: SIZES.map(|(size, hop)| WindowSize { size, hop }).to_vec(),
        days,
    }
}

/// What windows count of accesses; the oracle counts the same with one more key in front.
pub(crate) const MEASURES: &str = "count(*) AS events, count(DISTINCT patient_h) AS patients, coalesce(sum(byte_count), 0) AS bytes, \
    count(*) FILTER (WHERE action = 'print') AS prints, min(event_ms) AS first_ms, max(event_ms) AS last_ms";
pub(crate) const MEASURE_NAMES: [&str; 6] = ["events", "patients", "bytes", "prints", "first_ms", "last_ms"];

/// What lanes share. The role of a user is whether the day's accesses are even.
pub(crate) const PEERS: &str = "SELECT CASE WHEN events % 2 = 0 THEN 'even' ELSE 'odd' END AS role, \
    count(*) AS person_days, sum(events) AS events, percentile_cont(0.5) WITHIN GROUP (ORDER BY events) AS middle \
    FROM access_days GROUP BY role";
pub(crate) const PEERS_DAYS: u32 = 2;

/// `grace`: how long unexplained accesses wait; longer than any window's panes are kept, or shorter.
pub(crate) fn spec(grace: Millis) -> ProgramSpec {
    let per_user = format!("SELECT user_key, {MEASURES} FROM access GROUP BY user_key");
    let columns = SIZES.iter().flat_map(|(size, _)| {
        let size = if *size < Millis::hours(1) { "15m".to_owned() } else { format!("{}h", size.0 / 3_600_000) };
        MEASURE_NAMES.map(|name| format!("access_{size}_{name}"))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let users = format!(
        "SELECT user_key, {columns}, new_24h_patients_new AS patients_new, new_1h_returns AS returns, auth_1h_failures AS failures, \
         resolved_24h_still AS still, pair_score_24h_top AS top, own_events AS own FROM user_row"
    );
    ProgramSpec {
        tick: Millis::minutes(1),
        time_zone: "Europe/Vienna".to_owned(),
        explain_grace: grace,
        explained_rung: 5,
        windows: vec![
            window("access", "access", &["user_key"], &per_user, true),
            window(
                "new",
                "access",
                &["user_key"],
                "SELECT user_key, count(DISTINCT CASE WHEN patient_new THEN patient_h END) AS patients_new, \
                 max(gap_ms) AS gap, count(*) FILTER (WHERE place_returned) AS returns FROM access GROUP BY user_key",
                false,
            ),
            window(
                "auth",
                "auth",
                &["user_key"],
                "SELECT user_key, count(*) FILTER (WHERE outcome = 'failure') AS failures FROM auth GROUP BY user_key",
                false,
            ),
            window(
                "pair",
                "access",
                &["user_key", "patient_key"],
                "SELECT user_key, patient_key, count(*) AS events FROM access WHERE patient_key IS NOT NULL \
                 GROUP BY user_key, patient_key",
                false,
            ),
            window(
                "resolved",
                "resolved",
                &["user_key"],
                "SELECT user_key, count(*) AS still FROM resolved GROUP BY user_key",
                false,
            ),
        ],
        seen: vec![SeenSpec {
            name: "patient".to_owned(),
            relation: "access".to_owned(),
            column: "patient_key".to_owned(),
            horizon: Millis::days(1),
        }],
        watches: vec![WatchSpec {
            name: "patient".to_owned(),
            relation: "access".to_owned(),
            key: "patient_key".to_owned(),
            users: sql("SELECT patient_key, user_key, count(*) AS events FROM access WHERE patient_key IS NOT NULL \
                 GROUP BY patient_key, user_key"),
            entities: sql("SELECT patient_key, count(*) AS users, sum(events) AS events FROM patient_users \
                 GROUP BY patient_key"),
            size: Millis::hours(24),
        }],
        baselines: vec![
            BaselineSpec {
                name: "own".to_owned(),
                keys: vec!["user_key".to_owned()],
                rows: false,
                sql: sql("SELECT user_key, sum(events) AS events FROM access_days GROUP BY user_key"),
                days: 2,
            },
            BaselineSpec {
                name: "peers".to_owned(),
                keys: vec!["role".to_owned()],
                rows: false,
                sql: sql(PEERS),
                days: PEERS_DAYS,
            },
        ],
        scoring: ScoringSpec {
            hop: Millis::minutes(5),
            pairs: sql("SELECT user_key, patient_key, pair_24h_events AS events FROM pair_row"),
            users: sql(&users),
            evidence: sql("SELECT user_key, patient_key, pair_events AS events FROM evidence_row"),
        },
    }
}

/// The same, and of every pair how often its chart was opened in the house, up to the day before yesterday, and in the
/// evidence how often by the user, up to yesterday.
pub(crate) fn with_visitors(mut spec: ProgramSpec) -> ProgramSpec {
    let visits = "SELECT user_key, patient_key, count(*) AS events FROM access WHERE patient_key IS NOT NULL \
         GROUP BY user_key, patient_key";
    let sizes = Vec::new();
    spec.windows.push(WindowSpec { sizes, ..window("visits", "access", &["user_key", "patient_key"], visits, true) });
    let habits = "SELECT user_key, patient_key, sum(events) AS events FROM visits_days WHERE days_ago < 2 \
         GROUP BY user_key, patient_key";
    spec.baselines.push(BaselineSpec {
        name: "habits".to_owned(),
        keys: vec!["user_key".to_owned(), "patient_key".to_owned()],
        rows: false,
        sql: sql(habits),
        days: PEERS_DAYS,
    });
    let visitors = "SELECT patient_key, sum(events) AS events FROM visits_days GROUP BY patient_key";
    spec.baselines.push(BaselineSpec {
        name: "visitors".to_owned(),
        keys: vec!["patient_key".to_owned()],
        rows: false,
        sql: sql(visitors),
        days: PEERS_DAYS,
    });
    let pair = spec.windows.iter_mut().find(|window| window.name == "pair");
    pair.expect("the fixture has pairs").sql =
        sql("SELECT user_key, patient_key, count(*) AS events, max(visitors_events) AS visits FROM access \
         WHERE patient_key IS NOT NULL GROUP BY user_key, patient_key");
    spec.scoring.pairs =
        sql("SELECT user_key, patient_key, pair_24h_events AS events, pair_1h_visits AS visits FROM pair_row");
    spec.scoring.evidence =
        sql("SELECT user_key, patient_key, pair_events AS events, habits_events AS habits FROM evidence_row");
    spec
}

pub(crate) fn compiled(spec: ProgramSpec) -> Arc<Program> {
    Arc::new(Program::compile(spec).unwrap_or_else(|problems| panic!("{problems:?}")))
}
