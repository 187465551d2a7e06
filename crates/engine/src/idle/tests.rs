use super::*;

#[test]
fn what_has_passed_somewhere_never_takes_the_time_back() {
    let at = Timestamp::from_millis;
    let mut broker = BrokerTime::default();
    broker.is_past(at(1_000), at(10));
    assert_eq!(broker.at(at(15)), Some(at(1_005)));
    broker.saw(Some(at(2_000)), at(20));
    // By now it is 2,500; that something had passed at 2,100 is no news.
    broker.is_past(at(2_100), at(520));
    assert_eq!(broker.at(at(520)), Some(at(2_500)));
    broker.is_past(at(3_000), at(520));
    assert_eq!(broker.at(at(521)), Some(at(3_001)));
}
