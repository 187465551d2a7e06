//! A padded day has the volume of an ordinary one.

use base::{Seed, Timestamp};

use super::pad;
use crate::draw::Draw;
use crate::roster::{Shift, ShiftKind};
use crate::visit::{Task, Visit};

#[test]
fn covering_accesses_replace_and_do_not_add() {
    let at = Timestamp::from_millis;
    let shift = Shift { kind: ShiftKind::Day, unit: 0, start: at(0), end: at(28_800_000) };
    for (ordinary, acts) in [(40, 3), (40, 0), (12, 4), (4, 4)] {
        let mut visits: Vec<Visit> =
            (0..ordinary).map(|place| Visit::new(at(place), 1, Task::Chart, "care_team")).collect();
        let act = Visit { incident: Some(0), ..Visit::new(at(5), 9, Task::Review, "incident") };
        visits.extend(std::iter::repeat_n(act, acts));
        pad(&mut visits, acts, &shift, &mut Draw::new(Seed(1)));
        let count = |why: &str| visits.iter().filter(|visit| visit.why == why).count();
        assert_eq!(count("incident"), acts);
        assert!(visits.iter().filter(|visit| visit.why == "cover").all(|visit| visit.incident.is_none()));
        // Where there is little to hide behind, less is taken away.
        if ordinary > 20 {
            assert_eq!((visits.len(), count("cover")), (ordinary as usize, acts));
        }
        assert!(count("care_team") + count("cover") > 0);
    }
}
