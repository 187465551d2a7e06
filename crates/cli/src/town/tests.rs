use clap::Parser as _;

use super::Town;

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    town: Town,
}

fn town(flags: &[&str]) -> Town {
    Flags::parse_from(std::iter::once(&"town").chain(flags)).town
}

#[test]
fn the_first_day_begins_at_the_local_midnight() {
    let config = town(&["--start", "2026-01-05"]).config(7, "Europe/Vienna").unwrap();
    // 2026-01-04T23:00:00Z
    assert_eq!(config.start.millis(), 1_767_567_600_000);
    assert_eq!((config.days, config.staff, config.first_incident_day), (28, 300, 14));
}

#[test]
fn short_streams_have_room_for_incidents() {
    assert_eq!(town(&["--days", "10"]).config(7, "Europe/Vienna").unwrap().first_incident_day, 5);
}

#[test]
fn a_site_is_small_or_a_number() {
    assert!(town(&["--site", "17"]).config(7, "Europe/Vienna").is_ok());
    let error = town(&["--site", "large"]).config(7, "Europe/Vienna").unwrap_err();
    assert_eq!(error.to_string(), "site `large` is neither `small` nor a number");
}
