//! The reference as lanes meet it: it comes while they run, and it may have been cut or compacted since.

use ::reference::Kind;

use super::*;

/// The reference: what was appended by `began` is there at the first start, and what comes later when it is asked for.
pub(super) struct Feed {
    rows: Vec<ReferenceRecord>,
    began: Timestamp,
    /// Whether somebody has been here before, when there was less.
    again: bool,
    handed: usize,
    through: Timestamp,
    whole_since: Timestamp,
}

impl Feed {
    /// All of it is there from the beginning.
    pub(super) fn whole(world: &World) -> Self {
        Self::since(world, Timestamp::MAX, false)
    }

    pub(super) fn since(world: &World, began: Timestamp, again: bool) -> Self {
        let mut rows = world.reference.clone();
        rows.sort_by_key(|row| row.append_time);
        Self { rows, began, again, handed: 0, through: Timestamp::MIN, whole_since: Timestamp::MIN }
    }

    fn before(&self, time: Timestamp) -> usize {
        if time == Timestamp::MAX { self.rows.len() } else { self.rows.partition_point(|row| row.append_time < time) }
    }
}

impl ReferenceFeed for Feed {
    fn poll(&mut self, through: Option<Timestamp>) -> std::result::Result<Vec<ReferenceRecord>, PortError> {
        self.through = self.through.max(through.map_or(Timestamp::MIN, |through| through.max(self.began)));
        let end = self.before(self.through).max(self.handed);
        Ok(self.rows[std::mem::replace(&mut self.handed, end)..end].to_vec())
    }

    fn known_through(&self) -> Timestamp {
        self.through
    }

    fn ends(&mut self) -> std::result::Result<Vec<(&'static str, u32, Offset)>, PortError> {
        let there = if self.again { self.rows.len() } else { self.before(self.began) };
        let count = |kind: &str| self.rows[..there].iter().filter(|row| row.kind == kind).count() as i64;
        Ok(["staff", "patients", "relations"].map(|kind| (kind, 0, Offset(count(kind)))).to_vec())
    }

    fn whole_since(&mut self) -> std::result::Result<Timestamp, PortError> {
        Ok(self.whole_since)
    }
}

/// What is known of the reference at a tick is read before the tick closes, however late it is delivered, and whoever
/// took the lane up had read less of it than its former owner.
#[test]
fn a_tick_waits_until_what_was_appended_before_it_has_been_read() {
    let world = world(3);
    let began = Timestamp::from_millis(1_767_567_600_000) + Millis::hours(12);
    let kill = |commit| Fault { commit, persisted: true, kills: true, stops: false };
    let delivered = run_since(&world, began, &[13, 700, 61, 5], &[kill(4), kill(9), kill(30)]);
    assert!(delivered.opened > 3, "{} owners", delivered.opened);
    let genesis = &delivered.journal[0].genesis;
    let mut moved = 0;
    for record in delivered.journal.iter().filter(|record| record.pins.is_some()) {
        let (end, pins) = (record.tick_end.unwrap(), record.pins.as_ref().unwrap());
        for kind in Kind::ALL {
            let appended = |row: &&ReferenceRecord| row.kind == kind.name() && row.append_time < end.max(began);
            let there = world.reference.iter().filter(appended).count() as i64;
            assert_eq!(pins.get(kind, 0), Offset(there), "{kind:?} at {end:?}");
            moved += usize::from(pins.get(kind, 0) > genesis.get(kind, 0));
        }
    }
    assert!(moved > 500, "{moved} pins behind genesis");
}

/// Whoever dies before a first tick has said where the reference stood, and the next one goes by that.
#[test]
fn a_lane_says_where_it_begins_before_it_reads_anything() {
    let world = world(3);
    let began = Timestamp::from_millis(1_767_567_600_000) + Millis::hours(12);
    let kill = Fault { commit: 2, kills: true, ..Fault::default() };
    let delivered = run_since(&world, began, &[500], &[kill]);
    assert_eq!(delivered.opened, 2);
    let first = &delivered.journal[0];
    assert_eq!((first.tick_end, &first.pins), (None, &None));
    assert!(first.topics.iter().all(|topic| topic.position == Offset(0)), "{:?}", first.topics);
    let there = |kind: Kind| world.reference.iter().filter(move |row| row.kind == kind.name());
    for kind in Kind::ALL {
        let before = there(kind).filter(|row| row.append_time < began).count() as i64;
        assert!(delivered.journal.iter().all(|record| record.genesis.get(kind, 0) == Offset(before)), "{kind:?}");
    }
    let later = Kind::ALL.into_iter().flat_map(there).filter(|row| row.append_time >= began).count();
    assert!(later > 10, "{later} rows came later");
}

#[test]
fn a_reference_that_was_cut_since_a_lane_read_it_is_refused() {
    let mut world = world(3);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let kill = Fault { commit: 4, persisted: true, kills: true, stops: false };
    own(&world, Feed::whole(&world), &[500], &[kill], &stored).unwrap_err();
    let cut = world.reference.iter().rposition(|row| row.kind == "relations").unwrap();
    world.reference.remove(cut);
    let told = own(&world, Feed::whole(&world), &[500], &[], &stored).unwrap_err().to_string();
    for part in ["reference `relations` partition 0", "lane 0 has read it to offset", "was cut or created anew"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_lane_that_may_need_what_was_compacted_away_is_refused_unless_that_will_do() {
    let world = world(3);
    let began = Timestamp::from_millis(1_767_567_600_000) + Millis::hours(1);
    let stored = Arc::new(Mutex::new(Stored::default()));
    let kill = Fault { commit: 4, persisted: true, kills: true, stops: false };
    own(&world, Feed::since(&world, began, false), &[500], &[kill], &stored).unwrap_err();
    let tick = stored.lock().unwrap_or_else(PoisonError::into_inner).journal.last().unwrap().tick_end.unwrap();
    let end = world.topics[0].last().unwrap().0;
    let next = world.reference.iter().map(|row| row.append_time).filter(|time| *time >= tick).min().unwrap();
    assert!(next < end, "no row is appended between the tick and the end of the world");
    let again = |whole_since| Feed { whole_since, ..Feed::since(&world, Timestamp::MAX, true) };
    let told = own(&world, again(next + Millis(1)), &[500], &[], &stored).unwrap_err().to_string();
    assert!(told.contains("lane 0 stands at") && told.contains("--compacted-reference"), "{told}");
    // What was replaced before the tick was so when the lane was there, and what was replaced later is all there still.
    own(&world, again(next), &[500], &[], &stored).unwrap();
}
