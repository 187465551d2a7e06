//! A simulated hospital, played once and kept: what each lane's topics hold, and the reference rows.

use std::path::PathBuf;
use std::sync::Arc;

use base::{Millis, Seed, Timestamp};
use engine::ports::ReferenceRecord;
use engine::{ModelUse, PipelineSpec};
use events::{Offset, PseudonymKeys, Record, Records};
use hospital::{Hospital, HospitalConfig, Stream};

/// One record.
#[derive(Clone, Debug)]
pub struct Raw {
    /// When it happened and was appended.
    pub time: Timestamp,
    /// Raw user id: its key.
    pub user: Arc<str>,
    /// Native JSON.
    pub json: Vec<u8>,
}

/// Everything a hospital said.
pub struct World {
    /// The shipped pipeline, with its models.
    pub spec: PipelineSpec,
    /// Pseudonym keys.
    pub keys: Arc<PseudonymKeys>,
    /// By lane: accesses, sign-ins.
    pub lanes: Vec<[Vec<Raw>; 2]>,
    /// Reference rows in order.
    pub reference: Vec<ReferenceRecord>,
    /// How many of them stood there before the first event, by kind.
    pub before: [(&'static str, i64); 3],
    /// All events.
    pub events: u64,
}

/// 2026-01-05, midnight in the house.
const START_MS: i64 = 1_767_567_600_000;

/// Folder of the shipped pipeline.
pub fn pipeline() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../pipelines/insider-breach")
}

impl World {
    /// Plays a hospital of `staff` people for `days`, spread over `lanes` as the broker would.
    pub fn play(staff: u32, days: u32, lanes: u32) -> Self {
        let mut world = Self::empty(lanes);
        let mut config = HospitalConfig::demo(Seed(11), Timestamp::from_millis(START_MS));
        (config.staff, config.days, config.first_incident_day) = (staff, days, 0);
        // Speed does not depend on who breaks the rules, and without incidents any length of time will do.
        config.scenarios.incidents_per_1000 = 0.0;
        config.time_zone.clone_from(&world.spec.program().spec().time_zone);
        let mut hospital = Hospital::new(config).expect("the settings of this hospital are fixed and valid");
        let mut next = world.before;
        let mut tell = |row: hospital::ReferenceRow, reference: &mut Vec<ReferenceRecord>| {
            let Some((_, offset)) = next.iter_mut().find(|(kind, _)| *kind == row.kind) else { return };
            let (append_time, value, at) = (row.time, Some(row.json), Offset(*offset));
            *offset += 1;
            reference.push(ReferenceRecord { kind: row.kind, partition: 0, offset: at, append_time, value });
        };
        for row in hospital.reference() {
            if let Some((_, count)) = world.before.iter_mut().find(|(kind, _)| *kind == row.kind) {
                *count += 1;
            }
            tell(row, &mut world.reference);
        }
        while let Some(day) = hospital.next_day() {
            for item in day.items {
                let lane = kafka::partition_of(item.user.as_bytes(), lanes) as usize;
                let topic = usize::from(item.stream == Stream::Auth);
                world.lanes[lane][topic].push(Raw { time: item.time, user: item.user, json: item.json });
                world.events += 1;
            }
            day.reference.into_iter().for_each(|row| tell(row, &mut world.reference));
        }
        world
    }

    /// One lane in which each of `users` people signs in and opens `charts` charts, spread over the last day and an hour
    /// before it. Nobody knows them: what is measured is how many they are.
    pub fn crowd(users: u32, charts: u32) -> Self {
        let mut world = Self::empty(1);
        let (start, span) = (Timestamp::from_millis(START_MS), Millis::hours(25));
        let moment = |number: u64| start + Millis((number.wrapping_mul(2_654_435_761) % span.0.unsigned_abs()) as i64);
        for user in 0..u64::from(users) {
            let name: Arc<str> = format!("user-{user}").into();
            for chart in 0..=u64::from(charts) {
                let number = user * u64::from(charts + 1) + chart;
                let (time, topic) = (moment(number), usize::from(chart == 0));
                let what = match chart {
                    0 => r#""activity":"logon","network":"internal""#.to_owned(),
                    _ => format!(r#""patient":"patient-{}","action":"read","resource":"note""#, number % 50_000),
                };
                let json = format!(
                    r#"{{"id":"{number}","time":{},"user":"{name}","outcome":"success","workstation":"desk-{}",{what}}}"#,
                    time.millis(),
                    number % 500,
                );
                world.lanes[0][topic].push(Raw { time, user: Arc::clone(&name), json: json.into_bytes() });
                world.events += 1;
            }
        }
        world.lanes[0].iter_mut().for_each(|log| log.sort_by_key(|raw| raw.time));
        world
    }

    fn empty(lanes: u32) -> Self {
        Self {
            spec: PipelineSpec::load(&pipeline(), ModelUse::Score).unwrap_or_else(|problems| panic!("{problems}")),
            keys: Arc::new(PseudonymKeys::generate("bench", std::array::from_fn(|at| at as u8)).expect("a fixed key")),
            lanes: (0..lanes).map(|_| [Vec::new(), Vec::new()]).collect(),
            reference: Vec::new(),
            before: [("staff", 0), ("patients", 0), ("relations", 0)],
            events: 0,
        }
    }

    /// Records of one lane and topic, from place `from` up to `to`.
    pub fn records(log: &[Raw], from: usize, to: usize) -> Records {
        let mut records = Records::default();
        for (place, raw) in log.iter().enumerate().take(to).skip(from) {
            let offset = Offset(i64::try_from(place).unwrap_or(i64::MAX));
            let (key, value) = (Some(raw.user.as_bytes()), Some(raw.json.as_slice()));
            records.push(Record { offset, append_time: raw.time, key, value, headers: &[] });
        }
        records
    }
}
