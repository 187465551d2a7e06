//! A lane of watches over what a lane of users told it.

use features::Crossing;

use super::lanes::{each_row, names, plain, run_lanes, speak, split};
use super::*;
use crate::watch::Watcher;
use crate::worker::JOURNAL;

/// The topics of all watches, a lane each.
struct Told {
    topics: Vec<Vec<Message>>,
    next: Vec<usize>,
    stored: Arc<Mutex<Stored>>,
    faults: Vec<Fault>,
    assigned: bool,
}

impl Source for Told {
    fn poll(&mut self, _: Duration) -> std::result::Result<Vec<Wake>, PortError> {
        const AT_ONCE: usize = 50;
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(vec![Wake::Assigned(vec![LaneId(0)])]);
        }
        let mut wakes = Vec::new();
        for ((topic, log), next) in (0u8..).map(TopicId).zip(&self.topics).zip(&mut self.next) {
            let mut records = Records::default();
            for (offset, message) in (*next..).zip(log[*next..].iter().take(AT_ONCE)) {
                let (key, value) = (Some(message.key.as_slice()), Some(message.value.as_slice()));
                let (offset, append_time) = (Offset(offset as i64), Timestamp::from_millis(0));
                records.push(Record { offset, append_time, key, value, headers: &[] });
            }
            *next = (*next + AT_ONCE).min(log.len());
            if !records.is_empty() {
                wakes.push(Wake::Records { lane: LaneId(0), topic, records });
            }
        }
        if wakes.is_empty() {
            wakes.push(Wake::Exhausted);
        }
        Ok(wakes)
    }

    fn open(&mut self, _: LaneId) -> std::result::Result<Box<dyn LaneStore>, PortError> {
        Ok(Box::new(Store { stored: Arc::clone(&self.stored), faults: self.faults.clone() }))
    }

    fn log_start(&mut self, _: LaneId) -> std::result::Result<Vec<Offset>, PortError> {
        Ok(vec![Offset(0); self.topics.len()])
    }

    fn start(&mut self, _: LaneId, from: &[Offset]) -> std::result::Result<(), PortError> {
        self.next = from.iter().map(|offset| offset.0 as usize).collect();
        Ok(())
    }

    fn set_flow(&mut self, _: LaneId, _: TopicId, _: Flow) -> std::result::Result<(), PortError> {
        Ok(())
    }

    fn at_end(&self, _: LaneId, _: TopicId) -> Option<Offset> {
        None
    }

    fn shares(&mut self) -> std::result::Result<Vec<(LaneId, StoredPane)>, PortError> {
        Ok(Vec::new())
    }

    fn lane_count(&self) -> u32 {
        1
    }

    fn lag(&self, _: LaneId, _: TopicId) -> Option<u64> {
        None
    }
}

/// Lets watches hear everything up to a time.
fn hear(world: &World, told: &[(TopicId, LaneId, Message)], until: Timestamp, stored: &Arc<Mutex<Stored>>) {
    hear_until_killed(world, told, until, stored, &[]).unwrap();
}

/// The same, up to the first fault that kills.
fn hear_until_killed(
    world: &World,
    told: &[(TopicId, LaneId, Message)],
    until: Timestamp,
    stored: &Arc<Mutex<Stored>>,
    faults: &[Fault],
) -> crate::Result<()> {
    let mut topics = vec![Vec::new(); world.spec.watches().len()];
    for (topic, _, message) in told.iter().filter(|(.., message)| Crossing::end_of(&message.key) <= Some(until)) {
        topics[topic.index()].push(message.clone());
    }
    let (next, faults) = (vec![0; topics.len()], faults.to_vec());
    let mut source = Told { topics, next, stored: Arc::clone(stored), faults, assigned: false };
    let (metrics, progress) = (Metrics::new(&world.spec).unwrap(), Progress::default());
    Watcher::new(&world.spec, &mut source, &metrics, &progress).run(&AtomicBool::new(false))
}

#[test]
fn kills_before_and_after_commits_leave_what_watches_tell() {
    let mut world = world(4);
    let names = names(&world);
    let failed = r#""activity":"logon","outcome":"failure","address":"203.0.113.9""#;
    // Half a day in which an address fails on another account every five minutes: one case, open all the while.
    let tries = (0..144).map(|n| (&*names[n % 12], Millis::minutes(30 * 60 + 5 * n as i64), failed));
    speak(&mut world, 1, tries);
    let told = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {}).crossings;
    let (whole, broken) = (Arc::new(Mutex::new(Stored::default())), Arc::new(Mutex::new(Stored::default())));
    hear(&world, &told, Timestamp::MAX, &whole);
    let kill = |commit| Fault { commit, persisted: commit % 2 == 0, kills: true, stops: false };
    let faults: Vec<_> = (2..10_000).step_by(3).map(kill).collect();
    while let Err(error) = hear_until_killed(&world, &told, Timestamp::MAX, &broken, &faults) {
        assert!(matches!(error, Error::Port(PortError::Corrupt(_))), "{error}");
    }
    let (whole, broken) = (whole.lock().unwrap(), broken.lock().unwrap());
    assert!(broken.commits > 30, "{} commits, and a kill at every third", broken.commits);
    let about = world.keys.address("203.0.113.9");
    assert!(whole.findings.iter().any(|finding| String::from_utf8_lossy(&finding.value).contains(&about)));
    assert!(whole.findings == broken.findings, "{} and {} findings", whole.findings.len(), broken.findings.len());
    assert!(whole.results == broken.results, "{} and {} results", whole.results.len(), broken.results.len());
    assert_eq!(ticks(&whole), ticks(&broken));
}

#[test]
fn windows_that_are_filled_again_may_hold_more_than_a_transaction() {
    let world = world(4);
    let told = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {}).crossings;
    let ends: Vec<Timestamp> = told.iter().filter_map(|(.., message)| Crossing::end_of(&message.key)).collect();
    let (first, last) = (*ends.iter().min().unwrap(), *ends.iter().max().unwrap());
    let upgraded = first + Millis((last - first).0 / 2);
    let (whole, renewed) = (Arc::new(Mutex::new(Stored::default())), Arc::new(Mutex::new(Stored::default())));
    hear(&world, &told, last, &whole);
    hear(&world, &told, upgraded, &renewed);

    let stands = {
        let mut stored = renewed.lock().unwrap();
        let newest = stored.journal.last().unwrap().clone();
        let stands = newest.tick_end.unwrap();
        let bytes: usize =
            stored.panes.range((Tier::Minute, stands - Millis::hours(24))..).map(|(_, pane)| pane.len()).sum();
        assert!(bytes > 4 * crate::limits::WATCH_TRANSACTION_BYTES_MAX, "{bytes} bytes of panes within a day");
        let mut record = JournalRecord { carried: Some(BTreeMap::new()), pins: None, tiers: BTreeMap::new(), ..newest };
        record.topics.iter_mut().for_each(|topic| (topic.position, topic.resume) = (Offset(0), Offset(0)));
        stored.head.insert(JOURNAL.to_vec(), serde_json::to_vec(&record).unwrap());
        stored.panes.clear();
        stored.results.clear();
        stands
    };
    hear(&world, &told, last, &renewed);
    let results = |stored: &Arc<Mutex<Stored>>| {
        let stored = stored.lock().unwrap();
        let end =
            |message: &Message| std::str::from_utf8(&message.key).unwrap().rsplit('/').next()?.parse::<i64>().ok();
        let rows = stored.results.iter().filter(|message| message.key.starts_with(b"watch."));
        rows.filter(|message| end(message) > Some(stands.millis())).cloned().collect::<Vec<_>>()
    };
    let (whole, renewed) = (results(&whole), results(&renewed));
    assert!(whole.len() > 20, "{} records of entities after the upgrade", whole.len());
    assert!(whole == renewed, "{} and {} records", whole.len(), renewed.len());
}

#[test]
fn a_place_gets_in_only_after_it_failed_and_accounts_that_mistyped_are_not_shut_out() {
    let keys = world(3).keys;
    let address = (r#""address":"203.0.113.9""#, "watch.address", "address_key", keys.address("203.0.113.9"));
    let workstation = (r#""workstation":"Kiosk-7""#, "watch.workstation", "workstation_key", keys.device("Kiosk-7"));
    for (place, stream, column, key) in [address, workstation] {
        let [failed, succeeded] =
            ["failure", "success"].map(|outcome| format!(r#""activity":"logon","outcome":"{outcome}",{place}"#));
        // Before all failures, among them and after them: that it follows on the first one is enough.
        for (minutes, gets_in) in [(2, "false"), (12, "true"), (40, "true")] {
            let mut world = world(3);
            let names = names(&world);
            let mistyped = [(6, 3, &failed), (6, 4, &failed), (6, 5, &succeeded)];
            let tries = (0..6).map(|n| (n, 10 + n as i64, &failed)).chain(mistyped).chain([(7, minutes, &succeeded)]);
            let at = |minutes: i64| Millis::minutes(30 * 60 + minutes);
            let acts: Vec<_> = tries.map(|(n, minutes, rest)| (&*names[n], at(minutes), rest.as_str())).collect();
            speak(&mut world, 1, acts);
            let told = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {}).crossings;
            let stored = Arc::new(Mutex::new(Stored::default()));
            hear(&world, &told, Timestamp::MAX, &stored);
            let mut last = None;
            each_row(&stored.lock().unwrap().results, stream, Timestamp::MAX, |_, batch, row| {
                let cell = |name| array_value_to_string(batch.column_by_name(name).unwrap(), row).unwrap();
                if cell(column) == key {
                    last = Some(["users_shut_out", "failures", "rule_spraying", "rule_sprayed_in"].map(cell));
                }
            });
            assert_eq!(last.unwrap(), ["6", "6", "true", gets_in], "{column}, success at minute {minutes}");
        }
    }
}

#[test]
fn a_chart_draws_a_crowd_where_a_missing_reason_is_rare_and_nobody_works_in_it() {
    let chart = world(3).keys.patient("nobodys-patient");
    let opened = |action: &str| format!(r#""patient":"nobodys-patient","action":"{action}","outcome":"success""#);
    let (read, wrote) = (opened("read"), opened("create"));
    // On the second day nobody knows yet how rare a missing reason is, on the fifth not who never opened it before.
    for (day, writers, crowd) in [(1, 0, false), (4, 0, false), (16, 0, true), (16, 1, true), (16, 8, false)] {
        let mut world = world(1 + day.max(4) as u32);
        let names = names(&world);
        let acts = names[..24].iter().zip(0..).map(|(name, nth)| {
            let at = Millis::minutes((24 * day + 9) * 60 + nth);
            (&**name, at, if nth < writers { &*wrote } else { &*read })
        });
        speak(&mut world, 0, acts);
        let told = run_lanes(&world, &split(&world, 1), plain(1), |_, _| {}).crossings;
        let stored = Arc::new(Mutex::new(Stored::default()));
        hear(&world, &told, Timestamp::MAX, &stored);
        let mut last = None;
        each_row(&stored.lock().unwrap().results, "watch.patient", Timestamp::MAX, |_, batch, row| {
            let cell = |name| array_value_to_string(batch.column_by_name(name).unwrap(), row).unwrap();
            if cell("patient_key") == chart {
                last = Some(["viewers", "lookers", "units", "rule_many_viewers"].map(cell));
            }
        });
        let [viewers, lookers, units, rule] = last.unwrap();
        let few = lookers.parse::<i64>().unwrap() < 6;
        assert_eq!((viewers.as_str(), few, rule == "true"), ("24", day < 14, crowd), "{lookers} of {units}, day {day}");
    }
}
