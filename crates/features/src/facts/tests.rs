use base::Millis;

use super::*;

#[test]
fn what_is_remembered_does_not_depend_on_whether_the_lane_still_held_it() {
    let at = |days: i64| Timestamp::from_millis(Millis::days(days).0);
    let mut facts = LastFacts::default();
    assert_eq!(facts.heard(at(0)), at(0));
    facts.failures = 3;
    assert_eq!(facts.heard(at(30)), at(0));
    assert_eq!(
        (facts.heard(at(61)), facts.failures),
        (at(61), 0),
        "thirty days of silence, and a name that never got in"
    );
    facts.works(at(61));
    facts.failures = 3;
    assert_eq!((facts.heard(at(61 + 365)), facts.failures), (at(61), 3));
    assert_eq!((facts.heard(at(61 + 2 * 365)), facts.failures), (at(61), 3), "from the newest event on");
    assert_eq!(facts.heard(at(62 + 3 * 365)), at(62 + 3 * 365));
    assert_eq!(facts.at_work, None);
}

#[test]
fn a_flood_of_denied_challenges_leaves_the_newest() {
    let mut facts = LastFacts::default();
    (0..5_000).for_each(|at| facts.denied(Timestamp::from_millis(at)));
    let kept: Vec<i64> = facts.denials.iter().map(|at| at.millis()).collect();
    assert_eq!(kept, (4_000..5_000).collect::<Vec<_>>());
}

#[test]
fn of_the_workstations_signed_in_at_within_a_shift_the_newest_are_remembered() {
    let at = |hours: i64| Timestamp::from_millis(Millis::hours(hours).0);
    let mut facts = LastFacts::default();
    (0..20).for_each(|desk| facts.sits_down(desk, at(desk)));
    facts.sits_down(18, at(20));
    let kept: Vec<i64> = facts.desks.iter().map(|(desk, _)| *desk).collect();
    assert_eq!(kept, [12, 13, 14, 15, 16, 17, 19, 18]);
    assert_eq!((facts.signed_in_at(18), facts.signed_in_at(11)), (Some(at(20)), None));
    facts.sits_down(1, at(29));
    assert_eq!(facts.desks, [(16, at(16)), (17, at(17)), (19, at(19)), (18, at(20)), (1, at(29))]);
}
