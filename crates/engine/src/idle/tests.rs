use super::*;

#[test]
fn what_has_passed_somewhere_never_takes_the_time_back() {
    let at = Timestamp::from_millis;
    let mut broker = BrokerTime::default();
    broker.is_past(at(1_000), at(10));
    assert_eq!(broker.at(at(15)), Some(at(1_005)));
    assert!(!broker.saw([at(2_000)].into_iter(), at(3_000), at(20)));
    // By now it is 2,500; that something had passed at 2,100 is no news.
    broker.is_past(at(2_100), at(520));
    assert_eq!(broker.at(at(520)), Some(at(2_500)));
    broker.is_past(at(3_000), at(520));
    assert_eq!(broker.at(at(521)), Some(at(3_001)));
}

#[test]
fn a_producer_that_stamps_next_year_does_not_tell_the_time() {
    let at = Timestamp::from_millis;
    let (latest, next_year) = (at(310_000), at(31_536_000_000));
    let mut broker = BrokerTime::default();
    assert!(broker.saw([next_year].into_iter(), latest, at(10_000)));
    assert_eq!(broker.at(at(10_000)), None);
    assert!(broker.saw([at(60_000), next_year, at(70_000)].into_iter(), latest, at(10_000)));
    assert_eq!(broker.at(at(20_000)), Some(at(80_000)));
    // Once our clock is set right, what came too early is of the present.
    assert!(!broker.saw([next_year].into_iter(), next_year, at(30_000)));
    assert_eq!(broker.at(at(30_000)), Some(next_year));
}

#[test]
fn silence_is_what_was_listened_to() {
    let at = Timestamp::from_millis;
    let (topic, after, still) = (TopicId(0), Millis::seconds(60), at(500));
    let mut quiet = Quiet::new(1);
    quiet.broker.saw([at(200_000)].into_iter(), at(200_000), at(0));
    let idle = |quiet: &Quiet, now| quiet.idle(topic, after, at(now), BrokerTime::default());
    let listen = |quiet: &mut Quiet, seconds: std::ops::RangeInclusive<i64>, answers| {
        seconds.for_each(|second| quiet.listen(topic, still, answers, at(second * 1_000)));
    };
    assert_eq!(idle(&quiet, 99_000), None, "nobody has looked yet");
    listen(&mut quiet, 0..=59, true);
    assert_eq!(idle(&quiet, 59_999), None);
    listen(&mut quiet, 60..=60, true);
    assert_eq!(idle(&quiet, 60_000), Some(at(260_000)));
    // Its broker is away for an hour; after that, a minute has to pass anew.
    listen(&mut quiet, 61..=3_660, false);
    assert_eq!(idle(&quiet, 3_660_000), None);
    listen(&mut quiet, 3_661..=3_719, true);
    assert_eq!(idle(&quiet, 3_719_000), None);
    listen(&mut quiet, 3_720..=3_720, true);
    assert!(idle(&quiet, 3_720_000).is_some());
    // Nobody listened for a while, because the process was stopped.
    listen(&mut quiet, 3_800..=3_859, true);
    assert_eq!(idle(&quiet, 3_859_000), None);
    listen(&mut quiet, 3_860..=3_860, true);
    assert!(idle(&quiet, 3_860_000).is_some());
    // A record that moves the watermark.
    quiet.listen(topic, at(501), true, at(3_861_000));
    assert_eq!(idle(&quiet, 3_861_000), None);
}

#[test]
fn a_lane_that_read_old_records_again_goes_by_what_is_known_elsewhere() {
    let at = Timestamp::from_millis;
    let (mut quiet, mut elsewhere) = (Quiet::new(1), BrokerTime::default());
    quiet.broker.saw([at(1_000)].into_iter(), Timestamp::MAX, at(0));
    (0..=60).for_each(|second| quiet.listen(TopicId(0), at(500), true, at(second * 1_000)));
    let idle = |elsewhere| quiet.idle(TopicId(0), Millis::seconds(60), at(60_000), elsewhere);
    assert_eq!(idle(elsewhere), Some(at(61_000)));
    elsewhere.saw([at(86_400_000)].into_iter(), Timestamp::MAX, at(30_000));
    assert_eq!(idle(elsewhere), Some(at(86_430_000)));
}

#[test]
fn what_a_record_closes_is_told_from_what_silence_closes() {
    let at = Timestamp::from_millis;
    let mut decided = Decided::NONE;
    assert!(!decided.holds(at(60)), "nothing was decided");
    decided.raised(at(100), at(100));
    assert!(!decided.holds(at(100)), "a decision that moves nothing closes nothing");
    decided.raised(at(100), at(200));
    decided.raised(at(200), at(300));
    assert_eq!([100, 101, 200, 300, 301].map(|end| decided.holds(at(end))), [false, true, true, true, false]);
    // Records went on up to 400, then it fell silent again.
    decided.raised(at(400), at(500));
    assert_eq!([400, 401, 500, 501].map(|end| decided.holds(at(end))), [false, true, true, false]);
}
